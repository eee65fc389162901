"""``metrics.json``: every figure of a report, in a schema with a version; no letter's text.

``SCHEMA_VERSION`` grows when a field is renamed, removed or changes its meaning; new fields may come
without. Shares lie in [0, 1]; ``row`` is a row of the cases file, counted from 0.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from eval.intervals import Estimate

SCHEMA_VERSION = 1
State = Literal["pass", "fail", "open"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Made(_Record):
    """How the report came about; ``commit`` is the code's, where it is known."""

    at: datetime
    commit: str | None
    seed: int
    resamples: int


class Data(_Record):
    """The data card of the cases file. ``sha256`` is the file's."""

    file: str
    sha256: str
    letters: int
    labelled_dispatches: int
    first_day: date | None
    last_day: date | None
    sources: dict[str, int]
    channels: dict[str, int]
    labels: dict[str, int]
    length_median: float
    length_p90: float


class SeenLetters(_Record):
    """Letters that the bundle was trained on. ``known`` is false where the bundle does not say."""

    known: bool
    letters: int
    forced: bool
    only_test_split: bool


class LeakRow(_Record):
    row: int
    train_id: str
    similarity: float


class Leaks(_Record):
    """Near-duplicates of training letters; ``checked`` is false without the training file."""

    checked: bool
    letters: int
    pairs: list[LeakRow]


class Check(_Record):
    """One condition of promotion. ``open`` misses the limit by no more than chance explains, or cannot be judged."""

    code: str
    head: str | None = None
    state: State
    value: float | None
    low: float | None = None
    high: float | None = None
    limit: float
    n: int


class Verdict(_Record):
    """``fail`` where any check fails, else ``open`` where any is open."""

    state: State
    checks: list[Check]


class Rival(_Record):
    """Another way to choose the first dispatch, on the letters where both are known."""

    name: str
    model: Estimate
    rival: Estimate
    difference: Estimate


class Strip(_Record):
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


class CurvePoint(_Record):
    coverage: float
    risk: float
    threshold: float


class OperatingPoint(_Record):
    coverage: float
    risk: float


class RiskCoverage(_Record):
    points: list[CurvePoint]
    aurc: float | None
    operating: OperatingPoint | None


class Bin(_Record):
    low: float
    n: int
    confidence: float
    accuracy: float


class Head(_Record):
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


class LabelCoverage(_Record):
    label: str
    n: int
    coverage: float
    size: float


class Conformal(_Record):
    """Conformal sets of one head, and per true label."""

    promised: float
    coverage: Estimate
    size: float
    single: float
    labels: list[LabelCoverage]


class ClassRow(_Record):
    label: str
    n: int
    predicted: int
    sent_elsewhere: int
    received_wrongly: int
    precision: float | None
    recall: float | None
    f1: float


class Confusion(_Record):
    head: str
    truth: str
    predicted: str
    n: int
    rows: list[int]


class Slice(_Record):
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


class LabelIssue(_Record):
    """A label that the model finds unlikely (cleanlab); lower quality is more suspicious."""

    head: str
    row: int
    given: str
    suggested: str
    quality: float


class CostRow(_Record):
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


class WhatIf(_Record):
    """``served`` are the bundle's costs, ``now`` those of the report; ``fixed`` letters follow other rules."""

    letters_per_day: float
    served: CostRow
    now: CostRow
    review_all: float
    fixed: int
    grid: list[CostRow]


class Metrics(_Record):
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


class TestOfPairs(_Record):
    """McNemar's test: letters that only one model gets right."""

    only_first: int
    only_second: int
    statistic: float
    p_value: float
    exact: bool


class HeadChange(_Record):
    """One head of two models on the same letters; lists hold the first and the second model.

    ``flips`` counts the letters that became right, and those that became wrong.
    """

    n: int
    accuracy: list[Estimate]
    accuracy_change: Estimate
    macro_f1: list[float]
    macro_f1_change: Estimate | None
    mcnemar: TestOfPairs
    ece: list[Estimate]
    ece_by_chance_95: float
    ece_change: Estimate | None
    flips: list[int]


class SliceChange(_Record):
    """Right first dispatches of a slice; ``worse`` by McNemar's test after Holm's correction."""

    code: str
    value: str | None
    first: Estimate
    second: Estimate
    change: Estimate
    worse: bool


class Flip(_Record):
    """A letter whose suggested first dispatch became right, or wrong."""

    row: int
    now_right: bool


class Comparison(_Record):
    """The whole of ``compare.json``: ``second`` against ``first``, the model in service."""

    schema_version: int = SCHEMA_VERSION
    commit: str | None
    seed: int
    first: dict[str, str]
    second: dict[str, str]
    names: dict[str, dict[str, str]]
    letters: int
    cases_sha256: str
    verdict: Verdict
    heads: dict[str, HeadChange]
    first_dispatch: list[Estimate | None]
    first_dispatch_change: Estimate | None
    first_dispatch_mcnemar: TestOfPairs
    dispatched: list[Estimate | None]
    returns_per_1000: list[Estimate | None]
    critical_recall: list[Estimate | None]
    critical_recall_change: Estimate | None
    slices: list[SliceChange]
    became_right: int
    became_wrong: int
    flips: list[Flip]
