"""Shared parts of the tests: the demo corpus, split once, and the shipped Triage."""

from pathlib import Path

import pytest

from models.case import Case
from models.taxonomy import Taxonomy
from models.triage import Triage
from training.cases import read_cases
from training.importer import Mapping, import_cases
from training.split import split_cases

DATA = Path(__file__).parents[1] / "training" / "data"


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Case], list[Case]]:
    """The demo corpus as ``(train, test)``; the shipped bundle was not trained on the second part."""
    out = tmp_path_factory.mktemp("demo") / "cases.parquet"
    mapping = Mapping.load(DATA / "authored.mapping.yaml")
    import_cases([DATA / "authored.jsonl"], mapping, Taxonomy.load(), out, progress=False)
    return split_cases(read_cases(out), 0.2)


@pytest.fixture(scope="session")
def triage() -> Triage:
    """The shipped bundle."""
    return Triage.load()
