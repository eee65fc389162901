"""``metrics.json``: every figure of a report, in a schema with a version; no letter's text.

``SCHEMA_VERSION`` grows when a field is renamed, removed or changes its meaning; new fields may come
without. Shares lie in [0, 1]; ``row`` is a row of the cases file, counted from 0.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from eval.groups import Grouping
from eval.intervals import Estimate

SCHEMA_VERSION = 1
State = Literal["pass", "fail", "open"]


class Strict(BaseModel):
    """A record without unknown fields."""

    model_config = ConfigDict(extra="forbid")


class Made(Strict):
    """How the report came about; ``commit`` is the code's, where it is known."""

    at: datetime
    commit: str | None
    seed: int
    resamples: int


class Data(Strict):
    """The data card of the cases file. ``sha256`` is the file's.

    ``groups`` counts the groups of copied letters that the bootstrap draws, ``grouping`` says how copies were found.
    """

    file: str
    sha256: str
    letters: int
    groups: int
    grouping: Grouping
    labelled_dispatches: int
    first_day: date | None
    last_day: date | None
    sources: dict[str, int]
    channels: dict[str, int]
    labels: dict[str, int]
    length_median: float
    length_p90: float


class SeenLetters(Strict):
    """Letters that the bundle was trained on. ``known`` is false where the bundle does not say."""

    known: bool
    letters: int
    forced: bool
    only_test_split: bool


class LeakRow(Strict):
    row: int
    train_id: str
    similarity: float


class Leaks(Strict):
    """Near-duplicates of training letters; ``checked`` is false without the training file."""

    checked: bool
    letters: int
    pairs: list[LeakRow]


class Check(Strict):
    """One condition of promotion. ``open`` misses the limit by no more than chance explains, or cannot be judged."""

    code: str
    head: str | None = None
    state: State
    value: float | None
    low: float | None = None
    high: float | None = None
    limit: float
    n: int


class Verdict(Strict):
    """``fail`` where any check fails, else ``open`` where any is open."""

    state: State
    checks: list[Check]


class Rival(Strict):
    """Another way to choose the first dispatch, on the letters where both are known."""

    name: str
    model: Estimate
    rival: Estimate
    difference: Estimate


class Strip(Strict):
    """What the reviewer sees first.

    Attributes:
        first_dispatch: share of letters of the city whose suggested unit and department are both right.
        dispatched: share of all letters dispatched without a person.
        right_when_dispatched: share of those dispatched (with known labels) that are right.
        returns_per_1000: dispatched without a person and wrong, per 1,000 letters with known labels.
        expected_returns_per_1000: the same as the model's own confidences foresee it.
        critical_recall: share of 特急 letters that raised the alarm.
    """

    first_dispatch: Estimate | None
    dispatched: Estimate
    right_when_dispatched: Estimate | None
    returns_per_1000: Estimate | None
    expected_returns_per_1000: float | None
    critical_recall: Estimate | None
    human: Rival | None
    baseline: Rival | None
    previous: Rival | None


class CurvePoint(Strict):
    coverage: float
    risk: float
    threshold: float


class OperatingPoint(Strict):
    coverage: float
    risk: float


class RiskCoverage(Strict):
    points: list[CurvePoint]
    aurc: float | None
    operating: OperatingPoint | None


class Bin(Strict):
    low: float
    n: int
    confidence: float
    accuracy: float


class Head(Strict):
    """One head. ``*_before`` are the uncalibrated confidences; the unit has none."""

    n: int
    accuracy: Estimate
    macro_f1: Estimate
    top3: float
    ece: Estimate
    ece_by_chance: float
    ece_by_chance_95: float
    ece_before: float | None
    reliability: list[Bin]
    reliability_before: list[Bin]


class LabelCoverage(Strict):
    label: str
    n: int
    coverage: float
    size: float


class Conformal(Strict):
    """Conformal sets of one head, and per true label."""

    promised: float
    coverage: Estimate
    size: float
    single: float
    labels: list[LabelCoverage]


class ClassRow(Strict):
    label: str
    n: int
    predicted: int
    sent_elsewhere: int
    received_wrongly: int
    precision: float | None
    recall: float | None
    f1: float


class Confusion(Strict):
    head: str
    truth: str
    predicted: str
    n: int
    rows: list[int]


class Slice(Strict):
    """A part of the letters beside the rest; ``worse`` after Holm's correction over all slices."""

    code: str
    value: str | None
    letters: int
    dispatched: float
    returns_per_1000: float | None
    department: float | None
    unit: float | None
    first_dispatch: Estimate | None
    difference: Estimate | None
    worse: bool


class LabelIssue(Strict):
    """A label that the model finds unlikely (cleanlab); lower quality is more suspicious."""

    head: str
    row: int
    given: str
    suggested: str
    quality: float


class CostRow(Strict):
    """``eval.operating.outcome`` of one cost setting."""

    wrong_dispatch: float
    review: float
    missed_critical: float
    false_alarm: float
    dispatch_at: float
    critical_at: float
    coverage: float
    right_when_dispatched: float | None
    wrong_per_1000: float
    reviews_per_day: float
    alarms_per_day: float
    n_critical: int
    missed: int
    critical_recall: float | None
    cost_per_letter: float


class WhatIf(Strict):
    """``served`` are the bundle's costs, ``now`` those of the report; ``fixed`` letters follow other rules."""

    letters_per_day: float
    served: CostRow
    now: CostRow
    review_all: float
    fixed: int
    grid: list[CostRow]


class Metrics(Strict):
    """The whole of ``metrics.json``."""

    schema_version: int = SCHEMA_VERSION
    made: Made
    versions: dict[str, str]
    names: dict[str, dict[str, str]]
    data: Data
    seen: SeenLetters
    leaks: Leaks
    verdict: Verdict
    strip: Strip
    risk_coverage: RiskCoverage
    heads: dict[str, Head]
    conformal: dict[str, Conformal]
    classes: dict[str, list[ClassRow]]
    confusions: list[Confusion]
    slices: list[Slice]
    missed_critical: list[int]
    label_issues: list[LabelIssue]
    what_if: WhatIf
