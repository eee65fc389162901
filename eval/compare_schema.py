"""``compare.json``: every figure of a comparison of two models; no letter's text.

``python -m eval.compare_schema`` writes the JSON schemas of both records into ``metrics.schema.json``.
"""

from __future__ import annotations

import json
from pathlib import Path

from eval.groups import Grouping
from eval.intervals import Estimate
from eval.schema import SCHEMA_VERSION, Metrics, Strict, Verdict


class PairTest(Strict):
    """McNemar's test: letters that only one model gets right."""

    only_first: int
    only_second: int
    statistic: float
    p_value: float
    exact: bool


class HeadChange(Strict):
    """One head of two models on the same letters; lists hold the first and the second model.

    ``flips`` counts the letters that became right, and those that became wrong.
    """

    n: int
    accuracy: list[Estimate]
    accuracy_change: Estimate
    macro_f1: list[float]
    macro_f1_change: Estimate | None
    mcnemar: PairTest
    ece: list[Estimate]
    ece_by_chance_95: float
    ece_change: Estimate | None
    flips: list[int]


class SliceChange(Strict):
    """Right first dispatches of a slice; ``worse`` by McNemar's test after Holm's correction."""

    code: str
    value: str | None
    first: Estimate
    second: Estimate
    change: Estimate
    worse: bool


class Flip(Strict):
    """A letter whose suggested first dispatch became right, or wrong."""

    row: int
    now_right: bool


class Comparison(Strict):
    """The whole of ``compare.json``: ``second`` against ``first``, the model in service.

    ``groups`` and ``grouping`` as in ``metrics.json``.
    """

    schema_version: int = SCHEMA_VERSION
    commit: str | None
    seed: int
    first: dict[str, str]
    second: dict[str, str]
    names: dict[str, dict[str, str]]
    letters: int
    groups: int
    grouping: Grouping
    cases_sha256: str
    verdict: Verdict
    heads: dict[str, HeadChange]
    first_dispatch: list[Estimate | None]
    first_dispatch_change: Estimate | None
    first_dispatch_mcnemar: PairTest
    dispatched: list[Estimate | None]
    returns_per_1000: list[Estimate | None]
    critical_recall: list[Estimate | None]
    critical_recall_change: Estimate | None
    slices: list[SliceChange]
    became_right: int
    became_wrong: int
    flips: list[Flip]


def main() -> None:
    """Write ``metrics.schema.json``."""
    schemas = {"metrics": Metrics.model_json_schema(), "comparison": Comparison.model_json_schema()}
    text = json.dumps({"version": SCHEMA_VERSION, **schemas}, ensure_ascii=False, indent=1)
    Path(__file__).with_name("metrics.schema.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
