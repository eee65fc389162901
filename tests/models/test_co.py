"""Helping departments come from who helped whom, are calibrated, and never include the lead department."""

from models.case import Case
from models.triage import Triage


def test_named_helpers_are_right_more_often_than_the_next_likely_departments(
    triage: Triage, demo: tuple[list[Case], list[Case]]
) -> None:
    table = triage.bundle.co_departments
    assert table is not None
    ids = table.ids
    helped = [c for c in demo[1] if c.labels.co_department in ids and c.labels.department in ids]
    departments = triage.probabilities(helped)["department"]
    helpers = table.probabilities(departments)
    others = departments.copy()
    others[range(len(others)), departments.argmax(axis=1)] = 0
    truth = [ids.index(str(c.labels.co_department)) for c in helped]

    def in_two(scores: object) -> int:
        return sum(t in row.argsort()[-2:] for t, row in zip(truth, scores, strict=True))

    assert len(helped) >= 20
    assert in_two(helpers) >= in_two(others)


def test_the_lead_is_no_helper_and_every_helper_is_above_the_line(
    triage: Triage, demo: tuple[list[Case], list[Case]]
) -> None:
    for suggestion in triage(demo[1]):
        labels = [c.label for c in suggestion.department.co]
        assert suggestion.department.label not in labels
        assert len(labels) <= 3
        assert all(c.confidence >= 0.15 for c in suggestion.department.co)
