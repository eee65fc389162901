"""Replace personal data in a letter by placeholders: phones, ID and bank cards, e-mail, plates.

Each pattern is bounded, so that house numbers, years, amounts and order numbers stay. A bank card
must pass the Luhn check (ISO/IEC 7812). An ID card must name a province and a real birthday
(GB 11643); its check digit is not asked for, since a mistyped number still points to its owner.

This falls down when a number is spelled in words (一三八…) or broken over lines, when a long order
number happens to look like a card, and for local numbers that no word such as 电话 announces.
"""

from __future__ import annotations

import re
from datetime import date

_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_START = r"(?<![0-9A-Za-z])"
_END = r"(?![0-9A-Za-z])"
_GAP = r"[ -]?"
_LOCAL = rf"[2-9]\d{{2,3}}{_GAP}\d{{4}}"
_EXTENSION = r"(?:(?:-|转|转分机)\d{1,5})?"
_AREA = r"(?:10|2\d|[3-9]\d{2})"
_PATTERNS = (
    ("身份证号", rf"{_START}(?P<id>[1-8]\d{{5}}{_GAP}\d{{8}}{_GAP}\d{{3}}[0-9Xx]){_END}"),
    ("银行卡号", rf"{_START}(?P<card>[3-69]\d{{3}}(?:{_GAP}\d{{4}}){{3}}(?:{_GAP}\d{{1,3}})?){_END}"),
    ("邮箱", r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{2,63}){1,4}"),
    ("手机号", rf"(?<!\d)(?:(?:\+|00)?86{_GAP})?1[3-9]\d{_GAP}\d{{4}}{_GAP}\d{{4}}(?!\d)"),
    ("固定电话", rf"{_START}\(?(?:(?:\+|00)86{_GAP}|0){_AREA}\)?{_GAP}{_LOCAL}{_EXTENSION}{_END}"),
    ("固定电话", rf"(?:电话|座机|固话)(?:号码)?[是为]?[: ]{{0,2}}(?P<local>{_LOCAL}{_EXTENSION}){_END}"),
    (
        "车牌号",
        rf"[{_PROVINCES}][A-HJ-Za-hj-z][·•・.\- ]?(?=[A-Za-z·]{{0,4}}\d)"
        rf"(?:[A-HJ-Ka-hj-k]·?[A-HJ-NP-Za-hj-np-z0-9]\d{{4}}|\d{{5}}[A-HJ-Ka-hj-k]"
        rf"|[A-HJ-NP-Za-hj-np-z0-9]{{5}}|[A-HJ-NP-Za-hj-np-z0-9]{{4}}[挂学警港澳]){_END}",
    ),
)
_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in _PATTERNS)
# Only the full-width forms fold: NFKC would also make a digit of ①, and glue it to the number behind.
_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}


def redact(text: str) -> str:
    """The text with every personal identifier replaced by ``【kind】``; other characters unchanged."""
    plain = text.translate(_HALF_WIDTH)
    spans = [
        (*match.span(match.lastgroup or 0), kind)
        for kind, pattern in _COMPILED
        for match in pattern.finditer(plain)
        if _is_genuine(match)
    ]
    parts: list[str] = []
    done = 0
    for start, end, kind in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= done:
            parts += [text[done:start], f"【{kind}】"]
            done = end
    return "".join([*parts, text[done:]])


def _is_genuine(match: re.Match[str]) -> bool:
    if match.lastgroup not in ("id", "card"):
        return True
    number = re.sub(r"[ -]", "", match[match.lastgroup])
    return _has_birthday(number) if match.lastgroup == "id" else _luhn(number)


def _has_birthday(number: str) -> bool:
    try:
        birthday = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    return 1900 <= birthday.year < 2100


def _luhn(digits: str) -> bool:
    doubled = [sum(divmod(int(d) * (1 + i % 2), 10)) for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0
