"""The page in a real browser: no console error, nothing loaded, every figure equals ``metrics.json``, paper too."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdf
import pytest
from playwright.sync_api import Browser, Page

from eval.schema import Metrics

FIGURES = "els => els.map(e => [e.dataset.m, e.dataset.f, e.textContent])"
FORMS = {"percent": (100, 1, "%", ""), "points": (100, 1, "", "+"), "integer": (1, 0, "", ""), "one": (1, 1, "", "")}


def expected(value: float | None, form: str) -> str:
    """A figure as the page must show it, written independently of the page's code."""
    if value is None:
        return "—"
    scale, digits, unit, sign = FORMS.get(form, (1, 3, "", ""))
    text = format(round(value * scale, 10), f"{sign},.{digits}f")
    return text.replace(",", "") + unit if form in ("percent", "points", "three") else text + unit


def at(tree: Any, path: str) -> Any:
    for step in path.split("."):
        tree = tree[int(step)] if isinstance(tree, list) else tree[step]
    return tree


@pytest.fixture(scope="module")
def opened(browser: Browser, report: Path) -> Iterator[tuple[Page, list[str]]]:
    """The page, and everything that the browser complained of or asked for."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda request: trouble.append(request.url) if not request.url.startswith("file:") else None)
    page.goto((report / "report.html").as_uri())
    page.wait_for_selector("[data-chart=risk] .main-svg")
    yield page, trouble
    page.close()


def test_it_opens_offline_without_console_errors(opened: tuple[Page, list[str]]) -> None:
    page, trouble = opened
    page.click("#switch")
    page.click("#switch")
    page.wait_for_timeout(300)
    assert trouble == []
    assert page.evaluate("[...document.querySelectorAll('[data-chart]')].every(e => e.querySelector('.main-svg'))")


def test_every_figure_equals_metrics_json(opened: tuple[Page, list[str]], report: Path) -> None:
    metrics = json.loads((report / "metrics.json").read_text(encoding="utf-8"))
    Metrics.model_validate(metrics)
    shown = opened[0].eval_on_selector_all("[data-m]", FIGURES)
    assert len(shown) > 500
    wrong = [(path, text) for path, form, text in shown if text != expected(at(metrics, path), form)]
    assert wrong == []


def test_no_number_of_the_tables_comes_from_elsewhere(opened: tuple[Page, list[str]]) -> None:
    bare = opened[0].evaluate("""() => [...document.querySelectorAll('td.n, .card .v')].filter(cell => {
        const copy = cell.cloneNode(true);
        copy.querySelectorAll('[data-m]').forEach(e => e.remove());
        return /[0-9]/.test(copy.textContent);
    }).map(cell => cell.textContent)""")
    assert bare == []


def test_charts_draw_what_metrics_json_holds(opened: tuple[Page, list[str]], report: Path) -> None:
    metrics = json.loads((report / "metrics.json").read_text(encoding="utf-8"))
    drawn = opened[0].evaluate("""() => Object.fromEntries([...document.querySelectorAll('[data-chart]')].map(
        e => [e.dataset.chart, e.data.map(trace => [[...trace.x], [...trace.y]])]))""")
    curve = metrics["risk_coverage"]["points"]
    assert drawn["risk"][0] == [[p["coverage"] for p in curve], [p["risk"] for p in curve]]
    for head, found in metrics["heads"].items():
        after = drawn[f"reliability-{head}"][-1]
        assert after == [[b["confidence"] for b in found["reliability"]], [b["accuracy"] for b in found["reliability"]]]
    coverage = [row["coverage"] for row in metrics["conformal"]["department"]["labels"] if row["n"] >= 3][:25]
    assert drawn["sets-department"][0][0] == coverage


def test_hovering_shows_the_numbers(opened: tuple[Page, list[str]], report: Path) -> None:
    page = opened[0]
    point = json.loads((report / "metrics.json").read_text(encoding="utf-8"))["risk_coverage"]["operating"]
    page.locator("[data-chart=risk]").scroll_into_view_if_needed()
    page.evaluate("Plotly.Fx.hover(document.querySelector('[data-chart=risk]'), [{curveNumber: 1, pointNumber: 0}])")
    text = page.text_content("[data-chart=risk] .hoverlayer") or ""
    page.evaluate("Plotly.Fx.unhover(document.querySelector('[data-chart=risk]'))")
    assert f"{point['coverage']:.1%}" in text
    assert f"{point['risk']:.1%}" in text


def test_the_sliders_choose_a_row_of_the_grid(opened: tuple[Page, list[str]], report: Path) -> None:
    page = opened[0]
    metrics = json.loads((report / "metrics.json").read_text(encoding="utf-8"))
    for slider in ("#price-wrong", "#price-missed"):
        page.locator(slider).fill("0")
    lowest = next(
        row
        for row in metrics["what_if"]["grid"]
        if (row["wrong_dispatch"], row["missed_critical"])
        == tuple(min(r[key] for r in metrics["what_if"]["grid"]) for key in ("wrong_dispatch", "missed_critical"))
    )
    assert page.inner_text("[data-choice=coverage]") == expected(lowest["coverage"], "percent")
    assert page.inner_text("[data-choice=missed]") == expected(lowest["missed"], "integer")
    shown = page.eval_on_selector_all("[data-choice] [data-m]", FIGURES)
    assert all(text == expected(at(metrics, path), form) for path, form, text in shown)


def test_the_switch_turns_every_word_to_english_and_back(opened: tuple[Page, list[str]]) -> None:
    page = opened[0]
    assert page.inner_text("header h2") == "模型评估报告"
    page.click("#switch")
    page.wait_for_timeout(300)
    assert page.inner_text("header h2") == "Model evaluation report"
    visible = page.inner_text("#risk") + page.inner_text("#what-if")
    assert not re.search(r"[一-龥]", visible.replace("特急", ""))
    page.click("#switch")
    assert page.inner_text("header h2") == "模型评估报告"


def test_it_prints_with_every_table_open(opened: tuple[Page, list[str]], report: Path, tmp_path: Path) -> None:
    opened[0].pdf(path=tmp_path / "report.pdf", format="A4", print_background=True)
    pages = pypdf.PdfReader(tmp_path / "report.pdf").pages
    text = "".join(page.extract_text() for page in pages)
    digits = re.sub(r"\s", "", text)
    metrics = json.loads((report / "metrics.json").read_text(encoding="utf-8"))
    assert 5 < len(pages) < 40
    for row in metrics["heads"]["unit"]["reliability"]:
        assert f"{row['confidence']:.1%}{row['accuracy']:.1%}" in digits
    assert f"{metrics['strip']['first_dispatch']['value']:.1%}" in digits


def test_the_sections_come_in_the_order_that_reviewers_expect(opened: tuple[Page, list[str]]) -> None:
    ids = opened[0].eval_on_selector_all("section", "els => els.map(e => e.id)")
    assert ids[0] == "verdict-strip"
    order = ["risk", "heads", "sets", "classes", "confusions", "slices", "missed", "labels", "data"]
    assert [id for id in ids if id in order] == order
