"""``metrics.json`` keeps its schema: readers of older reports must not break unnoticed."""

import json
from pathlib import Path

from eval.compare_schema import Comparison
from eval.schema import SCHEMA_VERSION, Metrics

STORED = Path(__file__).parents[2] / "eval" / "metrics.schema.json"


def test_a_change_of_the_schema_is_deliberate() -> None:
    """Breaks readers? Raise ``SCHEMA_VERSION``. Then ``python -m eval.compare_schema`` writes the file anew."""
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    assert stored["version"] == SCHEMA_VERSION
    assert stored["metrics"] == Metrics.model_json_schema()
    assert stored["comparison"] == Comparison.model_json_schema()
