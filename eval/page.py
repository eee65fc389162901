"""``report.html``: one file that opens offline, Chinese with an English switch, every figure from ``metrics.json``.

A figure on the page carries its path in ``metrics.json`` and its format (``data-m``, ``data-f``), so that a
test, or a reviewer, can check each one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs
from pydantic import BaseModel

from eval import words
from eval.charts import all_charts
from eval.compare_schema import Comparison, Flip
from eval.schema import Metrics
from eval.texts import Text

TEMPLATES = Path(__file__).parent / "templates"
FORMATS: dict[str, Callable[[float], str]] = {
    "percent": lambda v: f"{v:.1%}",
    "points": lambda v: f"{100 * v:+.1f}",
    "integer": lambda v: f"{v:,.0f}",
    "one": lambda v: f"{v:,.1f}",
    "three": lambda v: f"{v:.3f}",
}
"""Shares as percentages, differences as signed percentage points, counts, one and three decimals."""
CHECK_FORMATS = {"letters": "integer", "unseen": "integer", "cost": "three", "ece": "three", "ece_rise": "three"}


class Figures:
    """Figures of a record by path, as marked-up text."""

    def __init__(self, record: BaseModel) -> None:
        self.tree: dict[str, Any] = record.model_dump(mode="json")

    def find(self, path: str) -> Any:
        """The value at a path such as ``heads.topic.accuracy.value`` or ``slices.3.letters``."""
        node: Any = self.tree
        for step in path.split("."):
            node = node[int(step)] if isinstance(node, list) else node[step]
        return node

    def show(self, path: str, form: str) -> Markup:
        """One figure; a dash where it is missing."""
        value = self.find(path)
        text = "—" if value is None else FORMATS[form](value)
        return Markup('<span class="f" data-m="{}" data-f="{}">{}</span>').format(path, form, text)

    def interval(self, path: str, form: str) -> Markup:
        """An estimate with its interval; a dash where there is none."""
        if self.find(path) is None:
            return Markup("—")
        low, high = self.show(f"{path}.low", form), self.show(f"{path}.high", form)
        return Markup('{} <span class="ci">[{}, {}]</span>').format(self.show(f"{path}.value", form), low, high)


def environment() -> Environment:
    """Templates with HTML escaping; an unknown name is an error."""
    loaded = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    loaded.globals.update(t=translated, w=lambda pair: translated(*pair), words=words, check_formats=CHECK_FORMATS)
    return loaded


def translated(zh: str, en: str) -> Markup:
    """A text in both languages; the page shows one."""
    return Markup('<span lang="zh-CN">{}</span><span lang="en">{}</span>').format(zh, en)


def write_page(metrics: Metrics, rows: dict[int, dict[str, Any]], texts: dict[int, Text], out: Path) -> None:
    """Render the report.

    Args:
        rows: rows of ``predictions.parquet`` for the letters that are shown.
        texts: their redacted letters.
    """
    figures = Figures(metrics)
    page = environment().get_template("report.html.j2")
    html = page.render(
        m=metrics, f=figures.show, ci=figures.interval, rows=rows, texts=texts, sections=words.SECTIONS,
        **embedded(all_charts(metrics), metrics),
    )  # fmt: skip
    out.write_text(html, encoding="utf-8")


def write_compare_page(
    result: Comparison,
    flips: list[Flip],
    rows: tuple[dict[int, dict[str, Any]], dict[int, dict[str, Any]]],
    texts: dict[int, Text],
    out: Path,
) -> None:
    """Render a comparison; ``rows`` are the shown letters as the first and the second model judged them."""
    figures = Figures(result)
    page = environment().get_template("compare.html.j2")
    html = page.render(
        m=result, f=figures.show, ci=figures.interval, flips=flips, before=rows[0], after=rows[1], texts=texts,
        **embedded({}, result),
    )  # fmt: skip
    out.write_text(html, encoding="utf-8")


def embedded(charts: dict[str, dict[str, Any]], record: BaseModel) -> dict[str, Markup]:
    """Scripts, styles and data that are written into the page, safe inside ``<script>`` and ``<style>``."""
    return {
        "plotly": Markup(get_plotlyjs().replace("</script", "<\\/script")) if charts else Markup(),
        "style": Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        "script": Markup((TEMPLATES / "page.js").read_text(encoding="utf-8")),
        "charts_json": _inside_script(json.dumps(charts, ensure_ascii=False, default=list)),
        "record_json": _inside_script(record.model_dump_json()),
    }


def _inside_script(text: str) -> Markup:
    return Markup(text.replace("<", "\\u003c"))
