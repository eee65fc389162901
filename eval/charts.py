"""The page's charts as plotly figures, drawn from ``Metrics`` alone.

A text holds ``⟦zh¦en⟧`` wherever the languages differ; the page shows one half. Colours are those of
Okabe and Ito (2008), which people with a colour vision deficiency can tell apart; marker shapes and
dashes repeat what colours say.
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from eval.schema import Bin, Metrics, Slice
from eval.words import HEADS, SLICES

BLUE, ORANGE, VERMILLION, GREEN, GREY = "#0072B2", "#E69F00", "#D55E00", "#009E73", "#707070"
_FONT = '"Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC", "Segoe UI", sans-serif'
_COUNT = "⟦信件¦letters⟧"


def all_charts(metrics: Metrics) -> dict[str, dict[str, Any]]:
    """Chart id to plotly figure as plain JSON."""
    figures = {"risk": risk_coverage(metrics), "costs": cost_curve(metrics), "slices": slice_forest(metrics)}
    figures |= {f"reliability-{head}": reliability(metrics, head) for head in metrics.heads}
    figures |= {f"sets-{head}": coverage_by_label(metrics, head) for head in ("department", "unit")}
    return {name: figure.to_plotly_json() for name, figure in figures.items()}


def risk_coverage(metrics: Metrics) -> go.Figure:
    """Error rate among dispatched letters against the share of letters dispatched."""
    curve = metrics.risk_coverage
    figure = _figure(
        "⟦直接派单的信件占比¦share of letters dispatched⟧", "⟦其中派错的占比¦share of these that are wrong⟧", 360
    )
    figure.add_scatter(
        x=[p.coverage for p in curve.points], y=[p.risk for p in curve.points],
        customdata=[p.threshold for p in curve.points], mode="lines", name="⟦模型¦model⟧",
        line={"color": BLUE, "width": 3},
        hovertemplate=_hover(
            "⟦派单¦dispatched⟧ %{x:.1%}", "⟦派错¦wrong⟧ %{y:.1%}", "⟦派单线¦threshold⟧ %{customdata:.3f}"
        ),
    )  # fmt: skip
    if curve.operating:
        figure.add_scatter(
            x=[curve.operating.coverage], y=[curve.operating.risk], mode="markers", name="⟦当前操作点¦operating point⟧",
            marker={"color": VERMILLION, "size": 14, "symbol": "diamond"},
            hovertemplate=_hover("⟦派单¦dispatched⟧ %{x:.1%}", "⟦派错¦wrong⟧ %{y:.1%}"),
        )  # fmt: skip
    return _percent(figure, "x", "y")


def reliability(metrics: Metrics, head: str) -> go.Figure:
    """Accuracy against confidence, before and after calibration; marker area grows with the letters in the bin."""
    found = metrics.heads[head]
    name = f"⟦{'¦'.join(HEADS[head])}⟧"
    figure = _figure("⟦模型置信度¦confidence⟧", "⟦实际正确率¦accuracy⟧", 300)
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="⟦完全可信¦perfect⟧",
        line={"color": GREY, "dash": "dot"},
        hoverinfo="skip",
    )
    for bins, words, color, symbol, dash in (
        (found.reliability_before, "⟦校准前¦before⟧", ORANGE, "square", "dash"),
        (found.reliability, "⟦校准后¦after⟧", BLUE, "circle", "solid"),
    ):
        if bins:
            figure.add_trace(_bins(bins, words, color, symbol, dash))
    figure.update_layout(title={"text": name, "font": {"size": 15}, "x": 0.02}, margin={"t": 40})
    figure.update_xaxes(range=[-0.03, 1.06])
    figure.update_yaxes(range=[-0.05, 1.08])
    return _percent(figure, "x", "y")


def coverage_by_label(metrics: Metrics, head: str) -> go.Figure:
    """Conformal coverage per true label, largest labels first, beside the promised coverage."""
    sets = metrics.conformal.get(head)
    rows = [row for row in (sets.labels if sets else []) if row.n >= 3][:25]
    figure = _figure("⟦候选集覆盖率¦coverage of the sets⟧", None, 90 + 20 * max(4, len(rows)))
    names = [metrics.names[head][row.label] for row in rows]
    figure.add_scatter(
        x=[row.coverage for row in rows], y=names, mode="markers", name=_COUNT,
        customdata=[[row.n, row.size] for row in rows],
        marker={"color": [row.size for row in rows], "colorscale": "Cividis", "reversescale": True, "size": 11,
                "colorbar": {"title": {"text": "⟦候选数¦set size⟧"}, "thickness": 12},
                "line": {"width": 1, "color": "#333"}},
        hovertemplate=_hover(
            "%{y}", "⟦覆盖¦coverage⟧ %{x:.1%}", "⟦信件¦letters⟧ %{customdata[0]}",
            "⟦候选数¦set size⟧ %{customdata[1]:.1f}",
        ),
    )  # fmt: skip
    if sets:
        figure.add_vline(x=sets.promised, line={"color": VERMILLION, "dash": "dash"})
    figure.update_yaxes(range=[len(rows) - 0.4, -0.6], automargin=True)
    figure.update_xaxes(range=[-0.02, 1.04])
    figure.update_layout(showlegend=False)
    return _percent(figure, "x")


def slice_forest(metrics: Metrics) -> go.Figure:
    """Right first dispatches of every slice with its interval."""
    rows = [row for row in metrics.slices if row.first_dispatch and row.first_dispatch.n >= 10]
    figure = _figure("⟦首派正确率¦right first dispatch⟧", None, 110 + 26 * max(3, len(rows)))
    names = [_slice_name(metrics, row) for row in rows]
    found = [row.first_dispatch for row in rows if row.first_dispatch]
    figure.add_scatter(
        x=[e.value for e in found], y=names, mode="markers", customdata=[[e.low, e.high, e.n] for e in found],
        error_x={"type": "data", "symmetric": False, "array": [e.high - e.value for e in found],
                 "arrayminus": [e.value - e.low for e in found], "color": GREY, "thickness": 1.5},
        marker={"size": 11, "color": [VERMILLION if row.worse else BLUE for row in rows],
                "symbol": ["diamond" if row.worse else "circle" for row in rows]},
        hovertemplate=_hover(
            "%{y}", "%{x:.1%} [%{customdata[0]:.1%}, %{customdata[1]:.1%}]",
            "⟦信件¦letters⟧ %{customdata[2]}",
        ),
    )  # fmt: skip
    if metrics.strip.first_dispatch:
        figure.add_vline(x=metrics.strip.first_dispatch.value, line={"color": GREY, "dash": "dash"})
    figure.update_yaxes(range=[len(rows) - 0.4, -0.6], automargin=True)
    figure.update_layout(showlegend=False)
    return _percent(figure, "x")


def cost_curve(metrics: Metrics) -> go.Figure:
    """Wrong dispatches against coverage as the price of a wrong dispatch varies."""
    now = metrics.what_if.now
    rows = [row for row in metrics.what_if.grid if row.missed_critical == now.missed_critical]
    figure = _figure("⟦直接派单的信件占比¦share of letters dispatched⟧", "⟦每千封派错¦wrong dispatches per 1,000⟧", 320)
    figure.add_scatter(
        x=[row.coverage for row in rows], y=[row.wrong_per_1000 for row in rows], mode="lines+markers",
        customdata=[[row.wrong_dispatch, row.reviews_per_day] for row in rows],
        name="⟦各种代价¦price of a wrong dispatch⟧",
        line={"color": BLUE, "width": 2}, marker={"size": 8},
        hovertemplate=_hover(
            "⟦派错一次¦a wrong dispatch costs⟧ %{customdata[0]} ⟦分钟¦min⟧", "⟦派单¦dispatched⟧ %{x:.1%}",
            "⟦每千封派错¦wrong per 1,000⟧ %{y:.1f}", "⟦每日复核¦reviews per day⟧ %{customdata[1]:.0f}",
        ),
    )  # fmt: skip
    figure.add_scatter(
        x=[now.coverage], y=[now.wrong_per_1000], mode="markers", name="⟦所选¦chosen⟧",
        marker={"color": VERMILLION, "size": 14, "symbol": "diamond"},
        hovertemplate=_hover("⟦派单¦dispatched⟧ %{x:.1%}", "⟦每千封派错¦wrong per 1,000⟧ %{y:.1f}"),
    )  # fmt: skip
    return _percent(figure, "x")


def _slice_name(metrics: Metrics, row: Slice) -> str:
    zh, en = SLICES[row.code]
    value = metrics.names["urgency"].get(row.value or "") or row.value
    return f"⟦{zh}¦{en}⟧ {value}" if value else f"⟦{zh}¦{en}⟧"


def _hover(*lines: str) -> str:
    """A hover text of plotly without its second box."""
    return "<br>".join(lines) + "<extra></extra>"


def _bins(bins: list[Bin], name: str, color: str, symbol: str, dash: str) -> go.Scatter:
    largest = max(b.n for b in bins)
    return go.Scatter(
        x=[b.confidence for b in bins], y=[b.accuracy for b in bins], customdata=[b.n for b in bins], name=name,
        mode="lines+markers", line={"color": color, "dash": dash, "width": 2},
        marker={"size": [6 + 12 * (b.n / largest) ** 0.5 for b in bins], "symbol": symbol, "color": color},
        hovertemplate=_hover(
            "⟦置信度¦confidence⟧ %{x:.1%}", "⟦正确率¦accuracy⟧ %{y:.1%}", "⟦信件¦letters⟧ %{customdata}"
        ),
    )  # fmt: skip


def _figure(x_title: str, y_title: str | None, height: int) -> go.Figure:
    figure = go.Figure(
        layout={
            "template": "none",
            "height": height,
            "margin": {"l": 64, "r": 16, "t": 16, "b": 52},
            "font": {"family": _FONT, "size": 13, "color": "#222"},
            "legend": {"orientation": "h", "y": 1.12, "x": 0},
            "hoverlabel": {"font": {"family": _FONT}},
            "paper_bgcolor": "white",
            "plot_bgcolor": "white",
        }
    )
    figure.update_xaxes(
        title={"text": x_title, "font": {"size": 13}}, gridcolor="#e6e6e6", zeroline=False, linecolor="#999"
    )
    figure.update_yaxes(
        title={"text": y_title or "", "font": {"size": 13}}, gridcolor="#e6e6e6", zeroline=False, linecolor="#999"
    )
    return figure


def _percent(figure: go.Figure, *axes: str) -> go.Figure:
    for axis in axes:
        (figure.update_xaxes if axis == "x" else figure.update_yaxes)(tickformat=".0%")
    return figure
