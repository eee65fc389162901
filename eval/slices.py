"""Where it fails: parts of the letters beside the rest, tested together so that chance is not taken for a finding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from eval.intervals import LEVEL, difference, share
from eval.operating import Routing, zones
from eval.predictions import Bools, Codes, Predictions
from eval.schema import Slice

SHORT, LONG = 80, 600
"""Characters of title and body below and above which a letter counts as short or long."""
MIN_LETTERS = 10


@dataclass(frozen=True)
class Part:
    """A named part of the letters, ``mask (n,)``; ``value`` is the month, channel or source."""

    code: str
    value: str | None
    mask: Bools


def parts(predictions: Predictions, *, most_values: int = 24) -> Iterator[Part]:
    """The parts that a report looks at. Months are the latest, channels and sources the largest ``most_values``."""
    length = predictions.floats("length")
    urgency = predictions.codes("urgency_true", "urgency")
    yield Part("wrong_stated", None, predictions.flags("wrong_stated"))
    yield Part("shared_road", None, predictions.flags("shared_road"))
    yield Part("zone", None, zones(predictions))
    yield Part("no_place", None, predictions.flags("no_place"))
    yield Part("short", None, length < SHORT)
    yield Part("long", None, length > LONG)
    for label in predictions.labels("urgency")[:2]:
        yield Part("urgency", label, urgency == predictions.labels("urgency").index(label))
    for column in ("channel", "source"):
        values = predictions.values(column)
        codes = predictions.indices(column, values)
        sizes = np.bincount(codes + 1, minlength=len(values) + 1)[1:]
        for i in np.argsort(-sizes, kind="stable")[:most_values]:
            yield Part(column, values[i], codes == i)
    months = predictions.months()
    for month in np.unique(months[months >= 0])[-most_values:]:
        yield Part("month", f"{month // 12}-{month % 12 + 1:02}", months == month)


def measure_slices(predictions: Predictions, routing: Routing, groups: Codes) -> list[Slice]:
    """Measure every part with at least ``MIN_LETTERS`` letters, and mark those that are worse than the rest.

    Worse: the share of right first dispatches is lower than among the other letters, by the two-proportion
    z-test with Holm's correction (1979) at 5 %. The intervals count a group of copies once, the test counts letters.
    """
    correct = {
        head: (predictions.codes(f"{head}_pred", head) == predictions.codes(f"{head}_true", head))
        for head in ("department", "unit")
    }
    known = {head: predictions.codes(f"{head}_true", head) >= 0 for head in correct}
    found, tests = [], []
    for part in parts(predictions):
        if part.mask.sum() < MIN_LETTERS or part.mask.all():
            continue
        inside, outside = part.mask & routing.dispatchable, ~part.mask & routing.dispatchable
        labelled = part.mask & routing.labelled
        accuracy = {head: _mean(correct[head][part.mask & known[head]]) for head in correct}
        returned = _mean(routing.returned[labelled])
        found.append(
            Slice(
                code=part.code,
                value=part.value,
                letters=int(part.mask.sum()),
                dispatched=float(routing.dispatched[part.mask].mean()),
                returns_per_1000=None if returned is None else 1000 * returned,
                department=accuracy["department"],
                unit=accuracy["unit"],
                first_dispatch=share(routing.right[inside], groups[inside]),
                difference=difference(routing.right, inside, outside, groups),
                worse=False,
            )
        )
        tests.append(p_lower(routing.right[inside], routing.right[outside]))
    for i in holm(tests, 1 - LEVEL):
        found[i].worse = True
    return found


def p_lower(inside: Bools, outside: Bools) -> float:
    """One-sided p-value that the first share is not lower, by the pooled two-proportion z-test."""
    if len(inside) < MIN_LETTERS or len(outside) < MIN_LETTERS:
        return 1.0
    pooled = (inside.sum() + outside.sum()) / (len(inside) + len(outside))
    error = np.sqrt(pooled * (1 - pooled) * (1 / len(inside) + 1 / len(outside)))
    return float(norm.cdf((inside.mean() - outside.mean()) / error)) if error else 1.0


def holm(p_values: list[float], alpha: float) -> list[int]:
    """Indices of the hypotheses rejected by Holm's step-down procedure."""
    rejected: list[int] = []
    for step, i in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[i] > alpha / (len(p_values) - step):
            break
        rejected.append(int(i))
    return rejected


def _mean(values: Bools) -> float | None:
    return float(values.mean()) if len(values) else None
