"""What is wrong with a rule file before the city finds out: labels, patterns, order, dates, and what it would do.

    fenban rules check rules.yaml --letters letters.jsonl

Each finding names file, line and field. A pattern is tried on long texts made of its own characters, repeated;
one that takes longer than ``SEARCH_SECONDS`` would send letters to review in the service and is reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, time
from itertools import pairwise
from pathlib import Path

import regex

from models.case import MAX_BODY, Letter
from models.rules import LABEL_CONDITIONS, SEARCH_SECONDS, Rule, RuleError, When, label_problems, read_rules
from models.taxonomy import Taxonomy
from models.triage import Triage
from models.yaml_lines import Location

_LISTS = (*LABEL_CONDITIONS, "channel", "stated_unit", "weekdays")
_PROBES = "a1 中，"
DAY = 24 * 60


@dataclass(frozen=True)
class Finding:
    """One thing to mend.

    Attributes:
        where: file, line and field.
        rule: id of the rule, empty if the file cannot be read.
        message: what is wrong and how to mend it.
        fatal: the service would refuse the file.
    """

    where: str
    rule: str
    message: str
    fatal: bool

    def __str__(self) -> str:
        return f"{self.where}: rule {self.rule}: {self.message}" if self.rule else f"{self.where}: {self.message}"


def check_rules(path: Path, taxonomy: Taxonomy, *, today: date) -> list[Finding]:
    """Everything wrong with a rule file, in the order of the file; empty if it is fine."""
    try:
        file, rules = read_rules(path)
    except RuleError as error:
        where, _, message = str(error).partition(": ")
        return [Finding(where, "", message, True)]
    fatal = label_problems(rules, taxonomy)
    found: list[tuple[Location, str]] = list(fatal)
    for index, rule in enumerate(rules):
        here: Location = ("rules", index)
        if rule.expires is not None and rule.expires < today:
            found.append(((*here, "expires"), f"expired on {rule.expires}; remove the rule or give a later day"))
        if rule.when.text is not None and (probe := slow_probe(rule.when.text)) is not None:
            message = (
                f"the pattern needs more than {SEARCH_SECONDS:.2f} s on {MAX_BODY} characters such as {probe!r} "
                "repeated; avoid repeats inside repeats and several .* in a row"
            )
            found.append(((*here, "when", "text"), message))
        for earlier in rules[:index]:
            if shadows(earlier, rule):
                message = f"is never reached: whenever it holds, rule {earlier.id!r} above it holds too"
                found.append(((*here, "when"), message))
                break
    return [
        Finding(file.where(location), rules[int(location[1])].id, message, (location, message) in fatal)
        for location, message in sorted(found, key=lambda item: int(item[0][1]))
    ]


def slow_probe(pattern: str) -> str | None:
    """A short text whose repetition makes the pattern exceed the time of a search; ``None`` if none was found."""
    compiled = regex.compile(pattern)
    literals = [c for c in dict.fromkeys(pattern) if c.isalnum()][:12]
    pieces = list(_PROBES) + literals + [a + b for a, b in pairwise(literals)]
    pieces += ["".join(literals)] if len(literals) > 2 else []
    for piece in pieces:
        text = (piece * (MAX_BODY // len(piece)))[: MAX_BODY - 1] + "!"
        try:
            compiled.search(text, timeout=SEARCH_SECONDS)
        except TimeoutError:
            return piece
    return None


def shadows(earlier: Rule, later: Rule) -> bool:
    """Whether ``earlier`` is in force and holds whenever ``later`` does, so that ``later`` never applies."""
    in_force = earlier.date <= later.date and (
        earlier.expires is None or (later.expires is not None and later.expires <= earlier.expires)
    )
    return in_force and _implies(later.when, earlier.when)


def _implies(narrow: When, wide: When) -> bool:
    """Whether every condition of ``wide`` follows from one of ``narrow``."""
    for name in _LISTS:
        allowed, given = getattr(wide, name), getattr(narrow, name)
        if allowed is not None and (given is None or not set(given) <= set(allowed)):
            return False
    if wide.text is not None and not _alternatives(narrow.text) <= _alternatives(wide.text):
        return False
    return wide.hours is None or (narrow.hours is not None and _inside(narrow.hours, wide.hours))


def _alternatives(pattern: str | None) -> frozenset[str]:
    """The words of a pattern that is a plain list of words (夜市|地摊); else the pattern as one word."""
    if pattern is None:
        return frozenset({""})
    words = pattern.split("|")
    return frozenset(words) if all(word and word.isalnum() for word in words) else frozenset({pattern})


def _inside(narrow: tuple[time, time], wide: tuple[time, time]) -> bool:
    (begin, end), (first, last) = _minutes(narrow), _minutes(wide)
    return any(first <= begin + shift and end + shift <= last for shift in (0, DAY))


def _minutes(hours: tuple[time, time]) -> tuple[int, int]:
    begin, end = (moment.hour * 60 + moment.minute for moment in hours)
    return begin, end if end > begin else end + DAY


@dataclass(frozen=True)
class Use:
    """How often a rule was the first to match, and how often its text pattern was too slow."""

    rule: str
    applied: int
    slow: int


def count_uses(triage: Triage, letters: Iterable[Letter], *, chunk: int = 64) -> list[Use]:
    """Apply the rules of ``triage`` to letters; how often each was used, in the order of the file."""
    applied: Counter[str] = Counter()
    slow: Counter[str] = Counter()
    for part in _chunks(letters, chunk):
        for suggestion in triage(part):
            if suggestion.rule is not None:
                applied[suggestion.rule.id] += 1
            for reason in suggestion.reasons:
                if reason.code == "rule_timeout":
                    slow[reason.text] += 1
    return [
        Use(rule.id, applied[rule.id], sum(n for text, n in slow.items() if f"规则 {rule.id} " in text))
        for rule in triage.rules.rules
    ]


def _chunks(letters: Iterable[Letter], size: int) -> Iterator[list[Letter]]:
    part: list[Letter] = []
    for letter in letters:
        part.append(letter)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
