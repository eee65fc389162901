"""One form for the ways to write a name, character by character, so that offsets stay those of the letter.

Full width becomes half width, traditional becomes simplified (OpenCC's table of single characters),
Chinese numerals become Arabic digits, Latin letters become small. ``sound`` goes on from there: every
character becomes the first of those that are read alike (高梗 and 高埂), by pypinyin's table of readings.
"""

from __future__ import annotations

import re
from functools import lru_cache

CHINESE_DIGITS = "零一二三四五六七八九"
_CJK = range(0x4E00, 0xA000)
_FUZZY_FINALS = re.compile(r"(?<=[aei])ng$")
_FUZZY_INITIALS = re.compile(r"^(z|c|s)h|^l(?=[aeiou])")
_INITIAL = re.compile(r"[bpmfdtnlgkhjqxzcsryw]")
_TENS = re.compile(r"([一二三四五六七八九])?十([一二三四五六七八九])?")


@lru_cache(maxsize=1)
def _fold_table() -> dict[int, str]:
    from opencc import OpenCC

    characters = [chr(code) for code in _CJK]
    simplified = OpenCC("t2s").convert("\n".join(characters)).split("\n")
    table = {ord(old): new for old, new in zip(characters, simplified, strict=True) if old != new and len(new) == 1}
    table |= {code: chr(code - 0xFEE0).lower() for code in range(0xFF01, 0xFF5F)} | {0x3000: " "}
    table |= {code: chr(code).lower() for code in range(ord("A"), ord("Z") + 1)}
    return table | {ord(char): str(digit) for digit, char in enumerate(CHINESE_DIGITS)} | {ord("〇"): "0"}


@lru_cache(maxsize=1)
def _syllables() -> dict[int, tuple[str, str]]:
    """Initial and final of the first reading of every character, without tone."""
    from pypinyin import Style
    from pypinyin.pinyin_dict import pinyin_dict
    from pypinyin.style import convert as to_style

    found = {}
    for code in _CJK:
        if code in pinyin_dict:
            reading = to_style(pinyin_dict[code].split(",")[0], style=Style.NORMAL, strict=True)
            reading = _FUZZY_INITIALS.sub(lambda m: m[1] or "n", _FUZZY_FINALS.sub("n", reading))
            initial = _INITIAL.match(reading)
            cut = initial.end() if initial else 0
            found[code] = (reading[:cut], reading[cut:])
    return found


@lru_cache(maxsize=1)
def _sound_table() -> dict[int, str]:
    first: dict[tuple[str, str], str] = {}
    return {code: first.setdefault(syllable, chr(code)) for code, syllable in _syllables().items()}


def syllable(char: str) -> tuple[str, str] | None:
    """Initial and final of a character, without tone; ``None`` for one that is not Chinese."""
    return _syllables().get(ord(char))


def fold(text: str) -> str:
    """The matching form of a text; as long as the text."""
    return text.translate(_fold_table())


def sound(folded: str) -> str:
    """What a folded text sounds like, in representative characters; as long as the text.

    Tones are ignored, and so are the differences that southern Mandarin does not make: zh/z, ch/c,
    sh/s, l/n, and ang/an, eng/en, ing/in.
    """
    return folded.translate(_sound_table())


def arabic_tens(text: str) -> str:
    """Numbers of ten and above in Arabic digits (十二街 -> 12街); shorter than the text, so for names only."""
    return _TENS.sub(lambda m: str(10 * _digit(m[1], 1) + _digit(m[2], 0)), text)


def _digit(numeral: str | None, default: int) -> int:
    return CHINESE_DIGITS.index(numeral) if numeral else default
