"""A broken bundle is caught by ``compare`` and by the page's verdict, and the report's refusals hold."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

import fenban
from eval.cli import EXIT_FAIL
from eval.compare import compare
from eval.compare_schema import Comparison
from eval.evaluate import Options, evaluate
from eval.promotion import SHIPPED
from eval.schema import Metrics
from models.bundle import CALIBRATION, CONFIG, GAZETTEER, MANIFEST, WEIGHTS, seal
from models.case import Case
from models.seen import write_seen
from models.triage import SHIPPED_BUNDLE


def shuffle_departments(folder: Path) -> None:
    """Rows of the department's output layer change places: its logits name other departments."""
    tensors = load_file(folder / WEIGHTS)
    names = [name for name in tensors if re.fullmatch(r".*outputs\.department\.(weight|bias)", name)]
    assert names, f"no department layer in {CONFIG}"
    order = np.random.default_rng(0).permutation(len(tensors[names[0]]))
    save_file({n: t[order].contiguous() if n in names else t for n, t in tensors.items()}, folder / WEIGHTS)


def sharpen(folder: Path) -> None:
    """Every temperature becomes a fifth: as sure as wrong."""
    path = folder / CALIBRATION
    raw = json.loads(path.read_text(encoding="utf-8"))
    for head in raw.values():
        head["temperature"] *= 0.2
    path.write_text(json.dumps(raw), encoding="utf-8")


def tamper_gazetteer(folder: Path) -> None:
    """Every unit code becomes another unit's."""
    path = folder / GAZETTEER
    codes = ["510104", "510105", "510106", "510107", "510108", "510112", "510113", "510114", "510115", "510116"]
    other = dict(zip(codes, codes[1:] + codes[:1], strict=True))
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub("|".join(codes), lambda match: other[match[0]], text), encoding="utf-8")


@pytest.fixture
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The shipped bundle, broken and sealed again, so that its checksums hold."""
    folder = tmp_path / "bundle"
    shutil.copytree(SHIPPED_BUNDLE, folder)
    request.param(folder)
    facts = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    (folder / MANIFEST).unlink()
    seal(folder, **{k: v for k, v in facts.items() if k not in ("format", "version", "sha256")})
    return folder


BREAKS: list[tuple[Callable[[Path], None], str, str | None]] = [
    (shuffle_departments, "accuracy", "department"),
    (sharpen, "ece", "department"),
    (tamper_gazetteer, "accuracy", "unit"),
]


@pytest.mark.parametrize(("broken", "code", "head"), BREAKS, indirect=["broken"])
def test_compare_catches_a_broken_bundle(
    broken: Path, code: str, head: str, case_files: tuple[Path, Path], tmp_path: Path
) -> None:
    found = compare(SHIPPED_BUNDLE, broken, case_files[1], tmp_path / "out", promotion=SHIPPED, progress=False)
    failed = {(check.code, check.head) for check in found.verdict.checks if check.state == "fail"}
    assert found.verdict.state == "fail"
    assert (code, head) in failed
    stored = (tmp_path / "out" / "compare.json").read_text(encoding="utf-8")
    assert Comparison.model_validate_json(stored).verdict == found.verdict
    flips = (tmp_path / "out" / "flips.csv").read_text(encoding="utf-8-sig")
    assert len(flips.splitlines()) > found.became_wrong


@pytest.mark.parametrize(("broken", "code", "head"), BREAKS, indirect=["broken"])
def test_the_verdict_of_the_page_catches_a_broken_bundle(
    broken: Path, code: str, head: str, case_files: tuple[Path, Path], tmp_path: Path, report: Path
) -> None:
    found = evaluate(broken, case_files[1], tmp_path / "out", Options(progress=False))
    sound = Metrics.model_validate_json((report / "metrics.json").read_text(encoding="utf-8"))
    failed, before = (
        {(check.code, check.head) for check in m.verdict.checks if check.state == "fail"} for m in (found, sound)
    )
    assert found.verdict.state == "fail"
    assert failed - before, "nothing fails that did not fail for the sound bundle"
    assert 'data-state="fail"' in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_bundle_against_itself_changes_nothing(case_files: tuple[Path, Path], tmp_path: Path) -> None:
    arguments = ["compare", str(SHIPPED_BUNDLE), str(SHIPPED_BUNDLE), "--cases", str(case_files[1])]
    result = CliRunner().invoke(fenban.app, [*arguments, "-o", str(tmp_path)])
    found = Comparison.model_validate_json((tmp_path / "compare.json").read_text(encoding="utf-8"))
    changes = [c for c in found.verdict.checks if c.code not in ("letters", "ece", "right_when_dispatched")]
    assert {check.state for check in changes} == {"pass"}
    assert (found.became_right, found.became_wrong, found.flips) == (0, 0, [])
    assert result.exit_code == {"pass": 0, "fail": EXIT_FAIL, "open": 3}[found.verdict.state]


@pytest.fixture
def knowing(demo: tuple[list[Case], list[Case]], tmp_path: Path) -> Path:
    """A bundle that records the demo's training letters, and half of the test part as its test split."""
    folder = tmp_path / "knowing"
    shutil.copytree(SHIPPED_BUNDLE, folder)
    (folder / MANIFEST).unlink()
    write_seen(folder, demo[0], demo[1][: len(demo[1]) // 2])
    seal(folder)
    return folder


def test_letters_seen_in_training_are_refused_unless_forced_and_then_stamped(
    knowing: Path, case_files: tuple[Path, Path], tmp_path: Path
) -> None:
    arguments = ["evaluate", str(knowing), "--cases", str(case_files[0]), "-o", str(tmp_path / "out")]
    refused = CliRunner().invoke(fenban.app, arguments)
    assert refused.exit_code == 1
    assert "seen in training" in refused.output
    assert not (tmp_path / "out" / "report.html").exists()
    forced = evaluate(knowing, case_files[0], tmp_path / "out", Options(force=True, progress=False))
    assert forced.seen.letters == forced.data.letters
    assert forced.verdict.state == "fail"
    assert 'id="stamp"' in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_only_the_recorded_test_split_is_kept(
    knowing: Path, case_files: tuple[Path, Path], demo: tuple[list[Case], list[Case]], tmp_path: Path
) -> None:
    found = evaluate(knowing, case_files[1], tmp_path / "out", Options(only_test=True, progress=False))
    assert found.data.letters == len(demo[1]) // 2
    assert found.seen.only_test_split
    with pytest.raises(ValueError, match="no letter of the test split"):
        evaluate(knowing, case_files[0], tmp_path / "other", Options(only_test=True, progress=False))


def test_other_costs_move_the_operating_point_of_stored_predictions(
    case_files: tuple[Path, Path], report: Path, tmp_path: Path
) -> None:
    shutil.copy(report / "predictions.parquet", tmp_path / "predictions.parquet")
    costs = tmp_path / "costs.yaml"
    costs.write_text("wrong_dispatch: 90\nletters_per_day: 50\n", encoding="utf-8")
    options = Options(costs=costs, reuse=True, progress=False)
    found = evaluate(SHIPPED_BUNDLE, case_files[1], tmp_path, options)
    before = Metrics.model_validate_json((report / "metrics.json").read_text(encoding="utf-8"))
    row = next(
        r
        for r in before.what_if.grid
        if (r.wrong_dispatch, r.missed_critical) == (90, before.what_if.now.missed_critical)
    )
    assert found.strip.dispatched.value == row.coverage > before.strip.dispatched.value
    assert found.what_if.now.reviews_per_day == pytest.approx(row.reviews_per_day / 20)
    costs.write_text("wrong_dispatch: -1\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"costs.yaml, wrong_dispatch"):
        evaluate(SHIPPED_BUNDLE, case_files[1], tmp_path, options)


def test_the_costs_explain_every_recorded_decision(report: Path) -> None:
    metrics = Metrics.model_validate_json((report / "metrics.json").read_text(encoding="utf-8"))
    assert metrics.what_if.fixed == 0
    assert metrics.what_if.served == metrics.what_if.now


def test_metrics_hold_no_text_and_errors_are_redacted(tmp_path: Path) -> None:
    from models.case import Labels
    from training.cases import write_cases

    body = "双瑞一路路灯不亮，请拨打13800138000联系我，住户都很着急，晚上走路看不见。"
    case = Case(id="1", title="=路灯", body=body, labels=Labels(department="tax", unit="510104", urgency="normal"))
    write_cases([case] * 3, tmp_path / "cases.parquet")
    evaluate(SHIPPED_BUNDLE, tmp_path / "cases.parquet", tmp_path, Options(progress=False))
    errors = (tmp_path / "errors.csv").read_text(encoding="utf-8-sig")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "13800138000" not in errors + page
    assert "【手机号】" in errors
    assert "'=路灯" in errors
    assert "路灯不亮" not in (tmp_path / "metrics.json").read_text(encoding="utf-8")
