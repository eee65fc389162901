"""Replace personal data in a letter by placeholders: phones, ID and bank cards, e-mail, plates.

Each pattern is bounded, so that house numbers, years, amounts and order numbers stay. A bank card
must pass the Luhn check (ISO/IEC 7812) and an ID card its check digit (GB 11643).
"""

from __future__ import annotations

import re
import unicodedata

_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_DIGITS = r"(?<![0-9A-Za-z])"
_END = r"(?![0-9A-Za-z])"
_ID = re.compile(rf"{_DIGITS}[1-9]\d{{16}}[0-9Xx]{_END}")
_CARD = re.compile(rf"{_DIGITS}\d{{4}}(?:[ -]?\d{{4}}){{3}}(?:[ -]?\d{{1,3}})?{_END}")
_PATTERNS = (
    ("邮箱", re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{2,63}){1,4}")),
    ("手机号", re.compile(rf"{_DIGITS}(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{{4}}[ -]?\d{{4}}{_END}")),
    ("固定电话", re.compile(rf"{_DIGITS}\(?0\d{{2,3}}\)?[ -]?[2-9]\d{{6,7}}(?:[ -转]{{1,2}}\d{{1,5}})?{_END}")),
    ("固定电话", re.compile(rf"(?<=电话|座机)[:： ]?[2-9]\d{{6,7}}{_END}")),
    ("车牌号", re.compile(rf"[{_PROVINCES}][A-Z][·• ]?(?:[A-HJ-NP-Z0-9]{{5}}[挂学警港澳]?|[DF][A-HJ-NP-Z0-9]\d{{4}}|\d{{5}}[DF]){_END}")),
)


def redact(text: str) -> str:
    """The text with every personal identifier replaced by ``【kind】``; other characters unchanged."""
    plain = "".join(_half_width(character) for character in text)
    spans = [("身份证号", m.span()) for m in _ID.finditer(plain) if _is_id(m.group())]
    spans += [("银行卡号", m.span()) for m in _CARD.finditer(plain) if _luhn(re.sub(r"\D", "", m.group()))]
    spans += [(kind, m.span()) for kind, pattern in _PATTERNS for m in pattern.finditer(plain)]
    parts: list[str] = []
    done = 0
    for kind, (start, end) in sorted(spans, key=lambda item: (item[1][0], -item[1][1])):
        if start >= done:
            parts += [text[done:start], f"【{kind}】"]
            done = end
    return "".join([*parts, text[done:]])


def _half_width(character: str) -> str:
    folded = unicodedata.normalize("NFKC", character)
    return folded if len(folded) == 1 else character


def _is_id(number: str) -> bool:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], weights, strict=True))
    return "10X98765432"[total % 11] == number[17].upper()


def _luhn(digits: str) -> bool:
    doubled = [sum(divmod(int(d) * (1 + i % 2), 10)) for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0
