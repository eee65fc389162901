"""Words that moved a head, with offsets of the received text, at a bounded cost."""

import pytest

from models import explain as module
from models.case import Letter
from models.explain import explain
from models.triage import Triage

STALLS = Letter(id="s", title="Ａ区　占道", body="双瑞一路的摊贩把人行道占完了，\n请城管来管一管。")


def test_words_stand_where_they_were_received_and_move_the_label_that_was_chosen(triage: Triage) -> None:
    found = explain(triage, STALLS)
    suggestion = triage([STALLS])[0]
    assert set(found.heads) == {"topic", "department", "urgency", "request_type"}
    assert found.heads["department"].label == suggestion.department.label
    assert found.heads["department"].words[0].effect > 0
    for head in found.heads.values():
        sizes = [abs(word.effect) for word in head.words]
        assert sizes == sorted(sizes, reverse=True)
        for word in head.words:
            for span in word.spans:
                assert getattr(STALLS, span.field)[span.start : span.end] == span.text == word.text
    assert "双瑞一路" in [evidence.text for evidence in found.unit.evidence]


def test_the_effect_is_what_the_label_loses_without_the_word(triage: Triage) -> None:
    word = explain(triage, STALLS).heads["department"].words[0]
    hidden = {"title": STALLS.title, "body": STALLS.body}
    for span in word.spans:
        text = hidden[span.field]
        hidden[span.field] = text[: span.start] + "□" * (span.end - span.start) + text[span.end :]
    before = triage([STALLS])[0].department
    best = triage.bundle.taxonomy.ids("department").index(before.label)
    after = triage.probabilities([STALLS.model_copy(update=hidden)])["department"][0][best]
    assert word.effect == pytest.approx(before.confidence - after, abs=2e-3)


def test_a_letter_of_the_longest_kind_costs_no_more_than_is_allowed(
    triage: Triage, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[int] = []
    real = triage.probabilities

    def counted(cases: list[Letter]) -> object:
        judged.extend(min(len(c.title) + len(c.body), module.LONGEST_READ) for c in cases)
        return real(cases)

    body = "".join(f"第{i}栋路灯不亮，水管漏水，电梯坏了，物业不管。" for i in range(1000))[:20_000]
    monkeypatch.setattr(triage, "probabilities", counted)
    found = explain(triage, Letter(title="投诉物业", body=body))
    assert sum(judged) <= module.MAX_CHARACTERS + module.LONGEST_READ
    assert 0 < found.n_judged < found.n_words
    assert found.heads["topic"].words


def test_a_letter_without_words_is_explained_by_nothing(triage: Triage) -> None:
    found = explain(triage, Letter(title="", body="？！。。。"))
    assert found.n_words == 0
    assert all(not head.words for head in found.heads.values())
    with pytest.raises(ValueError, match="top must be at least 1"):
        explain(triage, STALLS, top=0)
