"""A suggestion as readable Chinese text for the terminal."""

from __future__ import annotations

from models.suggestion import HeadSuggestion, Suggestion

DECISIONS = {"dispatch": "可直接派单", "review": "人工复核", "ask": "向来信人补充询问", "emergency": "特急，立即处置"}
_FIELDS = {"title": "标题", "body": "正文"}


def render(suggestion: Suggestion) -> str:
    """Lines for a clerk: decision, heads with confidence and alternatives, unit with evidence, reasons."""
    unit = suggestion.unit
    lines = [
        f"决定　　{DECISIONS[suggestion.decision]}",
        f"部门　　{_choice(suggestion.department)}",
        f"属地　　{_choice(unit)}",
        *(
            f"　　　　证据：{_FIELDS[e.field]}[{e.start}:{e.end}] “{e.text}” → {e.place} {e.source}"
            for e in unit.evidence
        ),
    ]
    if unit.question:
        lines.append(f"　　　　请问：{unit.question}")
    if suggestion.department.co:
        lines.insert(2, f"协办　　{'，'.join(f'{c.name} {c.confidence:.0%}' for c in suggestion.department.co)}")
    if suggestion.transfer_to:
        lines.insert(1, f"转接　　{'，'.join(transfer.name for transfer in suggestion.transfer_to)}")
    lines += [
        f"主题　　{_choice(suggestion.topic)}",
        f"紧急度　{_choice(suggestion.urgency)}",
        f"类型　　{_choice(suggestion.request_type)}",
        f"答复期　{suggestion.reply_by or '请人工计算'}",
        *([f"处置时限 {suggestion.act_by:%Y-%m-%d %H:%M}"] if suggestion.act_by else []),
        *(f"说明　　{reason.text}" for reason in suggestion.reasons),
        f"版本　　模型 {suggestion.versions.model}，地名 {suggestion.versions.gazetteer}",
    ]
    return "\n".join(lines)


def _choice(head: HeadSuggestion) -> str:
    others = "，".join(f"{c.name} {c.confidence:.0%}" for c in head.alternatives if c.confidence >= 0.05)
    return f"{head.name} {head.confidence:.0%}" + (f"（其次：{others}）" if others else "")
