"""Copies of one petition count as one piece of evidence: in the bootstrap, in the report, and across files."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score
from statsmodels.stats.proportion import proportion_confint
from typer.testing import CliRunner

import fenban
from eval.calibration import ece_interval
from eval.compare import ece_change, macro_f1_change
from eval.compare_schema import Comparison
from eval.groups import letter_groups
from eval.inputs import one_file
from eval.intervals import Estimate, difference, paired_difference, share
from eval.metrics import macro_f1_interval
from eval.schema import Metrics
from models.case import Case, Labels
from models.triage import SHIPPED_BUNDLE
from training.cases import read_cases, write_cases
from training.split import group_key

RNG = np.random.default_rng(11)
N, COPIES = 300, 6
HITS = RNG.random(N) < 0.7
OTHER = HITS ^ (RNG.random(N) < 0.2)
TRUTH = RNG.integers(0, 5, N)
SAID = np.where(HITS, TRUTH, (TRUTH + 1) % 5)
LATER = np.where(OTHER, TRUTH, (TRUTH + 2) % 5)
CONFIDENCE = RNG.uniform(0.4, 1, N)
FIRST_HALF = np.arange(N) < N // 2
GROUPS = np.repeat(np.arange(N), COPIES)


def copied(values: np.ndarray) -> np.ndarray:
    return np.repeat(values, COPIES)


def width(found: Estimate | None) -> float:
    assert found is not None
    return found.high - found.low


FIGURES = {
    "share": lambda c, g: share(c(HITS), g),
    "paired_difference": lambda c, g: paired_difference(c(OTHER), c(HITS), g),
    "difference": lambda c, g: difference(c(HITS), c(FIRST_HALF), ~c(FIRST_HALF), g),
    "macro_f1": lambda c, g: macro_f1_interval(c(TRUTH), c(SAID), 5, g),
    "macro_f1_change": lambda c, g: macro_f1_change(c(TRUTH), c(SAID), c(LATER), 5, g),
    "ece": lambda c, g: ece_interval(c(CONFIDENCE), c(HITS), g),
    "ece_change": lambda c, g: ece_change((c(CONFIDENCE), c(HITS)), (c(CONFIDENCE), c(OTHER)), g),
}


@pytest.mark.parametrize("name", FIGURES)
def test_copies_do_not_narrow_an_interval(name: str) -> None:
    """Every letter six times: in groups the interval is that of the letters once, without groups too narrow."""
    figure = FIGURES[name]
    once, as_groups, as_letters = figure(lambda x: x, None), figure(copied, GROUPS), figure(copied, None)
    assert as_groups.value == pytest.approx(once.value)
    assert as_groups.n == as_letters.n == COPIES * once.n
    assert width(as_groups) == pytest.approx(width(once), rel=0.15)
    if not name.startswith("ece"):  # ECE is biased upwards in few letters: its width is not that of a mean
        assert width(as_groups) == pytest.approx(width(as_letters) * np.sqrt(COPIES), rel=0.15)
    assert width(as_groups) > 1.3 * width(as_letters)


def test_groups_of_unlike_sizes_and_outcomes_are_drawn_whole() -> None:
    """Against drawing groups one by one with scikit-learn's F1."""
    groups = RNG.integers(0, 60, N) ** 2 // 60
    members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    assert len({len(m) for m in members}) > 5
    draws = []
    for _ in range(400):
        rows = np.concatenate([members[i] for i in RNG.integers(0, len(members), len(members))])
        draws.append(f1_score(TRUTH[rows], SAID[rows], average="macro"))
    found = macro_f1_interval(TRUTH, SAID, 5, groups)
    assert found is not None
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=0.012)


def test_letters_without_copies_are_drawn_as_before() -> None:
    assert share(HITS, np.arange(N)[::-1]) == share(HITS)
    assert macro_f1_interval(TRUTH, SAID, 5, np.arange(N)) == macro_f1_interval(TRUTH, SAID, 5)


def test_where_all_agree_a_group_counts_once() -> None:
    found = share(np.ones(40, bool), np.arange(40) // 4)
    assert found is not None
    assert (found.low, found.n) == (pytest.approx(proportion_confint(10, 10, method="beta")[0]), 40)


def petitions() -> list[Case]:
    body = "我们小区门口的路灯已经坏了两个星期，晚上出门看不见路，老人摔倒过两次，请尽快派人来修理。"
    other = "孩子今年九月上小学，请问外地户口入学报名需要准备哪些材料，在哪里办理，什么时候截止？"
    texts = [body, body, body.replace("两个星期", "三个星期"), other, "一号楼漏水", "二号楼停电"]
    groups = [None, None, None, None, "x", "x"]
    return [
        Case(id=str(i), body=text, source="s", group=g) for i, (text, g) in enumerate(zip(texts, groups, strict=True))
    ]


def test_reworded_copies_are_one_group_up_to_the_limit_and_equal_texts_above(tmp_path: Path) -> None:
    write_cases(petitions(), tmp_path / "cases.parquet")
    near = letter_groups(tmp_path / "cases.parquet")
    equal = letter_groups(tmp_path / "cases.parquet", near_limit=5)
    assert (near.count, near.grouping) == (3, "near_duplicates")
    assert near.codes[0] == near.codes[1] == near.codes[2] != near.codes[3]
    assert (equal.count, equal.grouping) == (4, "equal_texts")
    assert equal.codes[0] == equal.codes[1] != equal.codes[2]
    keys = [group_key(case) for case in petitions()]
    same = np.array(keys)[:, None] == np.array(keys)
    assert np.array_equal(equal.codes[:, None] == equal.codes, same)
    for found in (near, equal):
        assert found.codes[4] == found.codes[5]
        assert sorted(set(found.codes)) == list(range(found.count))


def test_several_files_are_one_in_their_order(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.parquet" for name in "abcd"]
    for file, case in zip(files, petitions(), strict=False):
        write_cases([case.model_copy(update={"labels": Labels(topic=file.stem), "lon": 104.1})], file)
    with one_file(files) as joined:
        assert [case.labels.topic for case in read_cases(joined)] == list("abcd")
        assert [case.lon for case in read_cases(joined)] == [104.1] * 4
        assert joined.name == "a+b+c+1 more.parquet"
    assert not joined.exists()
    with one_file(files[:1]) as same:
        assert same == files[0]


@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_a_file_given_twice_or_a_wrong_one_among_several_is_named(
    command: str, case_files: tuple[Path, Path], tmp_path: Path
) -> None:
    bundles = [str(SHIPPED_BUNDLE)] * (1 if command == "evaluate" else 2)
    wrong = tmp_path / "wrong.parquet"
    wrong.write_text("no parquet", encoding="utf-8")
    for second, told in ((case_files[1], "given twice"), (wrong, "wrong.parquet: cannot be read as parquet")):
        arguments = [command, *bundles, "--cases", str(case_files[1]), "--cases", str(second)]
        result = CliRunner().invoke(fenban.app, [*arguments, "-o", str(tmp_path / "out")])
        assert result.exit_code == 1
        assert told in " ".join(result.output.split())
        assert not (tmp_path / "out").exists()


def test_evaluate_reads_all_files_and_a_copied_file_adds_letters_but_no_evidence(
    case_files: tuple[Path, Path], report: Path, tmp_path: Path
) -> None:
    shutil.copy(case_files[1], tmp_path / "again.parquet")
    arguments = ["evaluate", str(SHIPPED_BUNDLE), "--cases", str(case_files[1])]
    arguments += ["--cases", str(tmp_path / "again.parquet"), "-o", str(tmp_path)]
    result = CliRunner().invoke(fenban.app, arguments)
    assert result.exit_code == 0, result.output
    once, twice = (
        Metrics.model_validate_json((folder / "metrics.json").read_text(encoding="utf-8"))
        for folder in (report, tmp_path)
    )
    assert (twice.data.letters, twice.data.groups) == (2 * once.data.letters, once.data.groups)
    assert twice.data.file == "test+again.parquet"
    assert twice.strip.first_dispatch is not None
    assert once.strip.first_dispatch is not None
    assert twice.strip.first_dispatch.value == once.strip.first_dispatch.value
    assert width(twice.strip.first_dispatch) == pytest.approx(width(once.strip.first_dispatch), rel=0.15)
    assert width(twice.heads["department"].accuracy) == pytest.approx(
        width(once.heads["department"].accuracy), rel=0.15
    )
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'id="groups"' in page
    assert "near-duplicates and recorded groups count as one group" in page


def test_compare_reads_all_files_and_says_how_many_groups(case_files: tuple[Path, Path], tmp_path: Path) -> None:
    cases = read_cases(case_files[1])
    write_cases(cases[:20], tmp_path / "one.parquet")
    write_cases(cases[10:30], tmp_path / "two.parquet")
    arguments = ["compare", str(SHIPPED_BUNDLE), str(SHIPPED_BUNDLE), "-o", str(tmp_path)]
    for name in ("one", "two"):
        arguments += ["--cases", str(tmp_path / f"{name}.parquet")]
    CliRunner().invoke(fenban.app, arguments)
    found = Comparison.model_validate_json((tmp_path / "compare.json").read_text(encoding="utf-8"))
    assert found.letters == 40
    assert found.groups <= 30
    assert found.grouping == "near_duplicates"
    assert "near-duplicates and recorded groups" in (tmp_path / "compare.html").read_text(encoding="utf-8")
