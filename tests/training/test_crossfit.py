"""Both branches are judged on unseen letters, meet in one linear head, and weak labels never judge."""

from pathlib import Path

import numpy as np
import pytest

from models.case import Case, Labels
from models.taxonomy import HEADS, Taxonomy
from training.background import read_background
from training.calibrate import calibrate
from training.crossfit import crossfit, merge_copies, title_alone
from training.finetune import TrainArguments, make_heads
from training.leaks import without_copies

Demo = tuple[list[Case], list[Case]]


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """Texts that are no letters."""
    file = tmp_path / "reviews.txt"
    file.write_text("\n".join(f"酒店早餐很好吃，房间干净，下次还来住，第{i}次" for i in range(60)), encoding="utf-8")
    return file


def test_copies_of_one_text_are_one_case_with_all_their_labels() -> None:
    first = Case(id="1", title="停水", body="小区停水", labels=Labels(topic="urban"))
    second = Case(id="2", title="停水", body="小区 停水", labels=Labels(topic="other", aux="城乡建设"))
    merged = merge_copies([first, second])
    assert [case.labels for case in merged] == [Labels(topic="urban", aux="城乡建设")]


def test_extra_cases_train_but_are_never_judged_and_the_joined_head_adds_the_weighted_branches(demo: Demo) -> None:
    cases, extra = demo[0][:80], demo[0][60:160]
    heads = make_heads(cases, Taxonomy.load())
    fitted = crossfit(cases, extra, heads, TrainArguments(encoder="tiny", epochs=0.5, min_count=2, max_tokens=32))
    assert [case.id for case in fitted.judged] == [case.id for case in cases]
    for head in HEADS:
        joined = fitted.wide[head] + fitted.weights[head] * fitted.deep[head]
        np.testing.assert_allclose(fitted.logits[head], joined, rtol=1e-5, atol=1e-5)


def test_texts_that_are_no_letters_get_a_head_that_tells_them(demo: Demo, reviews: Path) -> None:
    heads = make_heads(demo[0], Taxonomy.load())
    background = read_background([reviews], 50, seed=1)
    fitted = crossfit(demo[0], [], heads, TrainArguments(min_count=2), background=background)
    calibration, metrics = calibrate(fitted, heads)
    assert metrics["domain"]["auroc"] > 0.95
    letters = calibration["domain"].probabilities(fitted.logits["domain"][: len(demo[0])])[:, 0]
    assert np.mean(letters >= calibration["domain"].threshold) == pytest.approx(0.995, abs=0.01)


def test_a_letter_no_longer_than_a_title_is_still_a_letter(demo: Demo, reviews: Path) -> None:
    heads = make_heads(demo[0], Taxonomy.load())
    background = read_background([reviews], 50, seed=1)
    short = [title_alone(case) for case in demo[1] if len(case.title) > 3]
    passed = {}
    for titles in (True, False):
        args = TrainArguments(min_count=2, titles=titles)
        fitted = crossfit(demo[0], [], heads, args, background=background)
        assert [case.id for case in fitted.judged[: len(demo[0])]] == [case.id for case in demo[0]], "none is judged"
        calibration, _ = calibrate(fitted, heads)
        found = calibration["domain"].probabilities(fitted.classifier.logits(short)["domain"])[:, 0]
        passed[titles] = np.mean(found >= calibration["domain"].threshold)
    assert passed[True] > 0.6 > 0.2 > passed[False], passed


def test_a_title_tells_the_matter_but_neither_urgency_nor_request() -> None:
    labels = Labels(topic="urban", department="gas", urgency="critical", request_type="help", unit="510108")
    short = title_alone(Case(id="1", title="反映物业问题", body="楼道里有煤气味", labels=labels))
    assert (short.title, short.body) == ("", "反映物业问题")
    assert (short.labels.topic, short.labels.department) == ("urban", "gas")
    assert short.labels.urgency is None
    assert short.labels.request_type is None


def test_a_background_file_without_text_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"empty\.txt: no document"):
        read_background([tmp_path / "empty.txt"], 10, seed=1)


def test_copies_of_test_letters_are_left_out_of_training(demo: Demo) -> None:
    test = demo[1][:20]
    copies = [case.model_copy(update={"id": f"copy-{case.id}", "body": f"{case.body}谢谢"}) for case in test]
    long_enough = [case for case in copies if len(case.body) > 60]
    assert len(long_enough) > 10
    kept = without_copies([*demo[0][:30], *long_enough, *long_enough], test)
    assert [case.id for case in kept] == [case.id for case in demo[0][:30]]
