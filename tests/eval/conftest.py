"""Parts of the evaluation tests: the demo's held-out letters as files, one report on them, and a real browser."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from eval.evaluate import Options, evaluate
from models.case import Case
from models.triage import SHIPPED_BUNDLE
from training.cases import write_cases

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def case_files(demo: tuple[list[Case], list[Case]], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The demo corpus as files ``(train, test)``; the shipped bundle was not trained on the second."""
    folder = tmp_path_factory.mktemp("cases")
    for name, cases in zip(("train", "test"), demo, strict=True):
        write_cases(cases, folder / f"{name}.parquet")
    return folder / "train.parquet", folder / "test.parquet"


@pytest.fixture(scope="session")
def report(case_files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the shipped bundle on the held-out letters, with every optional part."""
    out = tmp_path_factory.mktemp("report")
    options = Options(train=case_files[0], previous=SHIPPED_BUNDLE, progress=False)
    evaluate(SHIPPED_BUNDLE, case_files[1], out, options)
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; without it the tests are skipped with a reason, and fail where CI requires it.

    Module scope: while Playwright is open its event loop runs, and no other test can start one.
    """
    if not CHROMIUM:
        told = "these tests need a browser: apt-get install chromium"
        assert not os.environ.get("FENBAN_REQUIRE_BROWSER"), told
        pytest.skip(told)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()
