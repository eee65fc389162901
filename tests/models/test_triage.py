"""The shipped Triage on the founding story (written anew) and on letters it was not trained on."""

import json
from pathlib import Path

import numpy as np
import pytest

from models.case import Case, Letter
from models.scoring import score_file
from models.suggestion import Suggestion
from models.triage import Triage

SHORT_LETTERS = Path(__file__).parents[2] / "eval" / "data" / "short_letters.jsonl"

STORY = Letter(
    id="story",
    title="小摊占了人行道",
    body="金牛区的领导你好！双瑞一路两边每天傍晚摆满小摊，人行道过不去，推婴儿车只能走马路，望管管。",
)


def test_the_founding_story_is_sent_to_the_owner_with_evidence_and_a_warning(triage: Triage) -> None:
    (suggestion,) = triage([STORY])
    assert suggestion.department.label == "urban_mgmt"
    assert suggestion.department.name == "市城市管理委员会"
    assert suggestion.unit.label == "510108"
    road = next(e for e in suggestion.unit.evidence if e.place == "双瑞一路")
    assert STORY.body[road.start : road.end] == "双瑞一路"
    assert "stated_unit_not_owner" in [r.code for r in suggestion.reasons]


def test_the_shipped_bundle_on_held_out_letters(triage: Triage, demo: tuple[list[Case], list[Case]]) -> None:
    held_out = demo[1]
    suggestions = triage(held_out)
    right = {
        head: np.mean(
            [getattr(s, head).label == getattr(c.labels, head) for s, c in zip(suggestions, held_out, strict=True)]
        )
        for head in ("topic", "department", "request_type", "unit")
    }
    assert len(held_out) > 60
    assert right["topic"] > 0.6
    assert right["department"] > 0.6
    assert right["request_type"] > 0.6
    assert right["unit"] > 0.7


def test_a_live_danger_is_an_emergency_and_shouting_is_not(triage: Triage) -> None:
    danger = Letter(title="楼道燃气味", body="现在楼道里燃气味特别重，有人头晕呕吐，阀门还在嘶嘶漏气，请马上派人！")
    shouting = Letter(title="急！！！", body="十万火急！请问公积金异地贷款需要准备哪些材料？")
    first, second = triage([danger, shouting])
    assert first.decision == "emergency"
    assert second.decision != "emergency"


def test_letters_of_a_few_words_are_letters_and_other_short_texts_are_not(triage: Triage) -> None:
    rows = [json.loads(line) for line in SHORT_LETTERS.read_text(encoding="utf-8").splitlines()]
    letters = [Letter(title=row["title"], body=row["body"]) for row in rows]
    letters.append(Letter(title="路灯不亮", body="双瑞一路路灯坏了半个月"))
    others = ["手机收到了，屏幕清晰，卖家发货快", "please find attached the invoice", "哈哈哈哈"]
    letters += [Letter(body=text) for text in others]
    said = ["out_of_domain" in {reason.code for reason in s.reasons} for s in triage(letters)]
    assert np.mean(said[: len(rows)]) < 0.05
    assert said[len(rows) :] == [False, True, True, True]


def test_a_letter_is_judged_the_same_alone_and_in_any_batch(
    triage: Triage, demo: tuple[list[Case], list[Case]]
) -> None:
    letters = demo[1][:20]
    together = triage(letters)
    assert [triage([letter])[0] for letter in letters[:5]] == together[:5]


def test_confidences_are_probabilities_and_the_best_label_is_in_its_set(triage: Triage) -> None:
    (s,) = triage([STORY])
    for head in (s.topic, s.department, s.urgency, s.request_type, s.unit):
        assert 0 <= head.confidence <= 1
        assert head.set[0] == head.label


def test_score_keeps_order_and_names_a_bad_line_without_its_text(triage: Triage, tmp_path: Path) -> None:
    letters, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows = [{"id": str(i), "title": "停水", "body": f"第{i}栋停水了", "anything": 1} for i in range(5)]
    letters.write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in rows), encoding="utf-8")
    assert score_file(triage, letters, out, progress=False) == 5
    lines = out.read_text(encoding="utf-8").splitlines()
    assert [Suggestion.model_validate_json(line).id for line in lines] == ["0", "1", "2", "3", "4"]
    letters.write_text('{"title": 5, "body": "秘密"}', encoding="utf-8")
    with pytest.raises(ValueError, match="line 1, field title") as caught:
        score_file(triage, letters, out, progress=False)
    assert "秘密" not in str(caught.value)
