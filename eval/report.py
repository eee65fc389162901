"""From stored predictions to ``Metrics``: everything a report shows, before it is shown."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from eval import calibration as calibrated
from eval.groups import Groups
from eval.intervals import RESAMPLES, SEED, Estimate, mean_of_cells, paired_difference, share
from eval.label_issues import find_label_issues
from eval.metrics import class_rows, confusion, macro_f1_interval, top_confusions
from eval.operating import ASK, EMERGENCY, REVIEW, Costs, Routing, outcome, risk_coverage, what_if
from eval.predictions import ALL_HEADS, SILENT, Bools, Codes, Predictions
from eval.promotion import Promotion, at_least, conclude, judge_alone
from eval.schema import (
    ClassRow,
    Conformal,
    Confusion,
    CostRow,
    Data,
    Head,
    LabelCoverage,
    Leaks,
    Made,
    Metrics,
    RiskCoverage,
    Rival,
    SeenLetters,
    Strip,
    WhatIf,
)
from eval.slices import measure_slices

CONFUSED = {"department": 10, "unit": 6, "urgency": 3}
"""How many confused pairs of a head are shown."""
EXAMPLES = 3
MISSED_LIMIT = 500


@dataclass(frozen=True)
class Context:
    """What a report needs beside the predictions.

    ``rivals`` maps ``baseline`` or ``previous`` to a name and to whether its first dispatch is right, ``(n,)``.
    """

    costs: Costs
    served: Costs
    promotion: Promotion
    seen: SeenLetters
    leaks: Leaks
    cases_file: str
    cases_sha256: str
    rivals: dict[str, tuple[str, Bools]]
    groups: Groups


def measure(predictions: Predictions, context: Context) -> Metrics:
    """All figures of one model on one cases file."""
    recorded = Routing.of(predictions)
    routing = recorded.under(context.costs, context.served)
    groups = context.groups.codes
    strip = _strip(predictions, routing, context)
    heads = {head: found for head in ALL_HEADS if (found := measure_head(predictions, head, groups))}
    conformal = {head: sets for head in ALL_HEADS if (sets := _conformal(predictions, head, groups))}
    counts = {head: _confusion(predictions, head) for head in ALL_HEADS}
    checks = judge_alone(
        context.promotion.alone,
        strip=strip,
        heads=heads,
        conformal=conformal,
        cost_share=_cost_share(routing, context.costs, groups),
        dispatch_at=context.costs.dispatch_at,
        seen=context.seen,
        leaks=context.leaks,
        letters=int(routing.labelled.sum()),
    )
    if strip.previous:
        checks.append(at_least("against_previous", strip.previous.difference, -context.promotion.against.max_drop))
    return Metrics(
        made=Made(at=datetime.now(UTC).replace(microsecond=0), commit=commit(), seed=SEED, resamples=RESAMPLES),
        versions=predictions.facts["versions"],
        names=predictions.facts["names"],
        data=_data(predictions, routing, context),
        seen=context.seen,
        leaks=context.leaks,
        verdict=conclude(checks),
        strip=strip,
        risk_coverage=RiskCoverage.model_validate(risk_coverage(routing)),
        heads=heads,
        conformal=conformal,
        classes={
            head: [ClassRow(**row) for row in class_rows(counts[head], predictions.labels(head))]
            for head in ALL_HEADS
            if counts[head].sum()
        },
        confusions=[pair for head in CONFUSED for pair in _confusions(predictions, head, counts[head])],
        slices=measure_slices(predictions, routing, groups),
        missed_critical=[int(row) for row in np.flatnonzero(routing.missed_critical)[:MISSED_LIMIT]],
        label_issues=find_label_issues(predictions),
        what_if=_what_if(recorded, context),
    )


def rival_routing(predictions: Predictions, department: Codes, unit: Codes) -> Bools:
    """Whether another choice of department and unit (label indices) is right, ``(n,)``."""
    same = np.equal(department, predictions.codes("department_true", "department"))
    return same & np.equal(unit, predictions.codes("unit_true", "unit"))


def human_routing(predictions: Predictions) -> tuple[Bools, Bools]:
    """Whether the recorded first dispatch was right, and where that is known, both ``(n,)``.

    An accepted dispatch was right and a returned one wrong; without an outcome it is compared with the labels.
    """
    outcomes = predictions.indices("human_outcome", ("accepted", "returned"))
    department = predictions.codes("human_department", "department")
    unit = predictions.codes("human_unit", "unit")
    both = (department >= 0) & (unit >= 0)
    right = np.where(outcomes >= 0, outcomes == 0, both & rival_routing(predictions, department, unit))
    return right.astype(bool), (outcomes >= 0) | both


def commit() -> str | None:
    """The commit of the code, if it runs from a git checkout."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"],
            cwd=Path(__file__).parent, capture_output=True, text=True, timeout=5, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()


def _strip(predictions: Predictions, routing: Routing, context: Context) -> Strip:
    city, labelled = routing.dispatchable, routing.labelled
    sent = routing.dispatched & labelled
    expected = ((1 - routing.p_right) * sent).sum() / labelled.sum() * 1000 if labelled.any() else None
    groups = context.groups.codes
    dispatched = share(routing.dispatched, groups)
    assert dispatched is not None
    human_right, human_known = human_routing(predictions)
    rivals = {"human": _rival("human", routing.right, human_right, city & human_known, groups)}
    rivals |= {kind: _rival(name, routing.right, right, city, groups) for kind, (name, right) in context.rivals.items()}
    return Strip(
        first_dispatch=share(routing.right[city], groups[city]),
        dispatched=dispatched,
        right_when_dispatched=share(routing.right[sent], groups[sent]),
        returns_per_1000=share(routing.returned[labelled], groups[labelled], scale=1000),
        expected_returns_per_1000=None if expected is None else float(expected),
        critical_recall=share(~routing.missed_critical[routing.critical], groups[routing.critical]),
        human=rivals["human"],
        baseline=rivals.get("baseline"),
        previous=rivals.get("previous"),
    )


def _rival(name: str, model: Bools, rival: Bools, where: Bools, groups: Codes) -> Rival | None:
    units = groups[where]
    shares = share(model[where], units), share(rival[where], units)
    gap = paired_difference(model[where], rival[where], units)
    if shares[0] is None or shares[1] is None or gap is None:
        return None
    return Rival(name=name, model=shares[0], rival=shares[1], difference=gap)


def measure_head(predictions: Predictions, head: str, groups: Codes) -> Head | None:
    """Figures of one head; ``None`` where no letter carries its label. ``groups (n,)`` are those of the letters."""
    truth = predictions.codes(f"{head}_true", head)
    known = truth >= 0
    said, units = predictions.codes(f"{head}_pred", head)[known], groups[known]
    right = np.equal(said, truth[known])
    confidence = predictions.floats(f"{head}_confidence")[known]
    accuracy, error = share(right, units), calibrated.ece_interval(confidence, right, units)
    f1 = macro_f1_interval(truth[known], said, len(predictions.labels(head)), units)
    if accuracy is None or error is None or f1 is None:
        return None
    chance = calibrated.ece_by_chance(confidence)
    raw = predictions.floats(f"{head}_raw")[known]
    before = None if np.isnan(raw).any() else (raw, predictions.flags(f"{head}_raw_right")[known])
    return Head.model_validate(
        {
            "n": len(right),
            "accuracy": accuracy,
            "macro_f1": f1,
            "top3": float((predictions.floats(f"{head}_rank")[known] < 3).mean()),
            "ece": error,
            "ece_by_chance": chance[0],
            "ece_by_chance_95": chance[1],
            "ece_before": calibrated.ece(*before) if before else None,
            "reliability": calibrated.reliability(confidence, right),
            "reliability_before": calibrated.reliability(*before) if before else [],
        }
    )


def _conformal(predictions: Predictions, head: str, groups: Codes) -> Conformal | None:
    """Coverage and size of the sets; for the unit only where the letter's unit is one of the city's."""
    labels = predictions.labels(head)
    truth = predictions.codes(f"{head}_true", head)
    known = (truth >= 0) & np.array([label not in SILENT for label in labels])[truth]
    covered, size = predictions.flags(f"{head}_in_set")[known], predictions.floats(f"{head}_set_size")[known]
    coverage = share(covered, groups[known])
    if coverage is None:
        return None
    n = np.bincount(truth[known], minlength=len(labels))
    sums = np.bincount(truth[known], covered, len(labels)), np.bincount(truth[known], size, len(labels))
    rows = [
        LabelCoverage(label=labels[i], n=int(n[i]), coverage=float(sums[0][i] / n[i]), size=float(sums[1][i] / n[i]))
        for i in np.argsort(-n, kind="stable")
        if n[i]
    ]
    promised = float(predictions.facts["coverage"][head])
    single = float((size == 1).mean())
    return Conformal(promised=promised, coverage=coverage, size=float(size.mean()), single=single, labels=rows)


def _confusion(predictions: Predictions, head: str) -> Codes:
    truth = predictions.codes(f"{head}_true", head)
    known = truth >= 0
    return confusion(truth[known], predictions.codes(f"{head}_pred", head)[known], len(predictions.labels(head)))


def _confusions(predictions: Predictions, head: str, counts: Codes) -> list[Confusion]:
    """The most frequent confusions, each with the letters on which the model was surest."""
    labels = predictions.labels(head)
    truth, said = predictions.codes(f"{head}_true", head), predictions.codes(f"{head}_pred", head)
    confidence = predictions.floats(f"{head}_confidence")
    found = []
    for pair in top_confusions(counts, labels, CONFUSED[head]):
        rows = np.flatnonzero((truth == labels.index(pair["truth"])) & (said == labels.index(pair["predicted"])))
        surest = rows[np.argsort(-confidence[rows], kind="stable")[:EXAMPLES]]
        found.append(Confusion(head=head, rows=[int(row) for row in surest], **pair))
    return found


def _cost_share(routing: Routing, costs: Costs, groups: Codes) -> Estimate | None:
    """Minutes per labelled letter, as a share of reading every letter."""
    labelled = routing.labelled
    reading = np.isin(routing.decision, (REVIEW, ASK))
    alarm = (routing.decision == EMERGENCY) & routing.urgency_known & ~routing.critical
    cells = (routing.returned * 4 + reading * 2 + alarm)[labelled]
    prices = ((costs.wrong_dispatch, 4), (costs.review, 2), (costs.false_alarm, 1))
    minutes = [next((price for price, bit in prices if cell & bit), 0.0) for cell in range(8)]
    return mean_of_cells(cells, np.array(minutes, np.float64) / costs.review, groups[labelled])


def _what_if(recorded: Routing, context: Context) -> WhatIf:
    costs, served = context.costs, context.served
    return WhatIf(
        letters_per_day=costs.letters_per_day,
        served=CostRow.model_validate(outcome(recorded, served)),
        now=CostRow.model_validate(outcome(recorded.under(costs, served), costs)),
        review_all=costs.review,
        fixed=recorded.unexplained(served),
        grid=[CostRow.model_validate(row) for row in what_if(recorded, served, costs)],
    )


def _data(predictions: Predictions, routing: Routing, context: Context) -> Data:
    def counted(column: str) -> dict[str, int]:
        values = predictions.values(column)
        n = np.bincount(predictions.indices(column, values) + 1, minlength=len(values) + 1)
        pairs = [(name, int(k)) for name, k in zip(values, n[1:], strict=True)] + ([("—", int(n[0]))] if n[0] else [])
        return dict(sorted(pairs, key=lambda pair: -pair[1])[:50])

    period = predictions.period() or (None, None)
    length = predictions.floats("length")
    return Data(
        file=context.cases_file,
        sha256=context.cases_sha256,
        letters=predictions.count,
        groups=context.groups.count,
        grouping=context.groups.grouping,
        labelled_dispatches=int(routing.labelled.sum()),
        first_day=period[0],
        last_day=period[1],
        sources=counted("source"),
        channels=counted("channel"),
        labels={head: int(predictions.known(f"{head}_true").sum()) for head in ALL_HEADS},
        length_median=float(np.median(length)),
        length_p90=float(np.quantile(length, 0.9)),
    )
