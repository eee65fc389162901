"""The city's own routing rules on top of the model: an ordered list in YAML, the first match wins.

    rules:
      - id: night-market
        reason: 派单目录 2026 第 12 条：夜市归属地街道，由城管主办
        date: 2026-11-01            # in force from this day on; `expires` ends it
        when: {department: [market_reg], text: 夜市|地摊, hours: "18:00-02:00"}
        then: {department: urban_mgmt, co: [market_reg]}

All conditions of ``when`` must hold. Labels are compared with the model's best label. ``text`` is a regular
expression over title, line break and body after NFKC folding; its search is given ``SEARCH_SECONDS``, and a
rule that takes longer sends the letter to review instead of holding up the service. ``fenban rules check``
finds mistakes before the city does (``models.rules_check``).
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Day
from datetime import datetime, time
from pathlib import Path
from typing import Annotated, Literal, get_args

import regex
from pydantic import BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from models.case import Letter, Record
from models.suggestion import OUTSIDE_UNIT, UNKNOWN_UNIT, Decision
from models.taxonomy import Taxonomy
from models.yaml_lines import Location, YamlFile

SEARCH_SECONDS = 0.02
MAX_PATTERN = 1000
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
LABEL_CONDITIONS = ("topic", "department", "urgency", "request_type", "unit")


class RuleError(ValueError):
    """The rule file is wrong; the message names file, line and field."""


def _listed(value: object) -> object:
    return [value] if isinstance(value, str | int) else value


def _hours(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        begin, end = (time.fromisoformat(part.strip()) for part in value.split("-"))
    except ValueError:
        raise ValueError("must look like '18:00-02:00'") from None
    return (begin, end)


Labels = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
Hours = Annotated[tuple[time, time], BeforeValidator(_hours)]


class _Edited(Record):
    """A record that people write in YAML, where a unit's code without quotes is a number."""

    model_config = ConfigDict(coerce_numbers_to_str=True)


class When(_Edited):
    """Conditions of a rule; those left out always hold.

    Attributes:
        topic, department, urgency, request_type, unit: the model's best label is one of these;
            ``unit`` may also be ``unknown`` or ``outside``.
        text: regular expression that occurs in title or body.
        channel, stated_unit: what the intake system sent, compared as it is.
        hours: local time of receipt, from the first up to but not including the second; may run over midnight.
        weekdays: local weekday of receipt, ``mon`` to ``sun``.
    """

    topic: Labels | None = None
    department: Labels | None = None
    urgency: Labels | None = None
    request_type: Labels | None = None
    unit: Labels | None = None
    text: str | None = Field(default=None, min_length=1, max_length=MAX_PATTERN)
    channel: Labels | None = None
    stated_unit: Labels | None = None
    hours: Hours | None = None
    weekdays: Annotated[tuple[Weekday, ...], BeforeValidator(_listed)] | None = None
    _pattern: regex.Pattern[str] | None = PrivateAttr(default=None)

    @field_validator("text")
    @classmethod
    def _is_a_pattern(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                regex.compile(text)
            except (regex.error, RecursionError, OverflowError, MemoryError) as error:
                raise ValueError(f"not a regular expression: {error}") from None
        return text

    @model_validator(mode="after")
    def _says_something(self) -> When:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise ValueError("needs at least one condition; a rule for every letter is no rule")
        if self.text is not None:
            self._pattern = regex.compile(self.text)
        return self

    def holds(self, letter: Letter, text: str, labels: Mapping[str, str], moment: datetime) -> bool:
        """Whether every condition holds.

        Args:
            letter: the letter.
            text: ``folded_text`` of the letter.
            labels: the best label per head, and ``unit``.
            moment: of receipt, in the city's time.

        Raises:
            TimeoutError: the text pattern took longer than ``SEARCH_SECONDS``.
        """
        for head in LABEL_CONDITIONS:
            wanted = getattr(self, head)
            if wanted is not None and labels[head] not in wanted:
                return False
        if self.channel is not None and letter.channel not in self.channel:
            return False
        if self.stated_unit is not None and letter.stated_unit not in self.stated_unit:
            return False
        if self.weekdays is not None and WEEKDAYS[moment.weekday()] not in self.weekdays:
            return False
        if self.hours is not None and not _within(moment.time(), *self.hours):
            return False
        return self._pattern is None or self._pattern.search(text, timeout=SEARCH_SECONDS) is not None


def _within(moment: time, begin: time, end: time) -> bool:
    return begin <= moment < end if begin < end else moment >= begin or moment < end


class Then(_Edited):
    """What a rule sets. ``emergency`` may be set by a rule, but never lifted by one; ``ask`` needs a ``question``."""

    department: str | None = None
    unit: str | None = None
    co: Labels | None = None
    decision: Decision | None = None
    question: str | None = Field(default=None, min_length=1, max_length=200)

    @model_validator(mode="after")
    def _does_something(self) -> Then:
        if not self.model_fields_set:
            raise ValueError("sets nothing; give department, unit, co or decision")
        if (self.decision == "ask") != (self.question is not None):
            raise ValueError("decision ask and a question belong together; give both or neither")
        return self


class Rule(_Edited):
    """One rule: ``id``, the ``reason`` for people, the ``date`` from which it is in force, condition and effect."""

    id: str = Field(min_length=1, max_length=64)
    reason: str = Field(min_length=1, max_length=200)
    date: Day
    expires: Day | None = None
    when: When
    then: Then

    def in_force(self, day: Day) -> bool:
        """Whether the rule applies on a day; ``expires`` is its last day."""
        return self.date <= day and (self.expires is None or day <= self.expires)


class RuleFile(Record):
    """The whole file."""

    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class RuleBook:
    """The rules of a city in their order; ``version`` is a hash of the file."""

    rules: tuple[Rule, ...] = ()
    version: str = ""

    @classmethod
    def load(cls, path: Path, taxonomy: Taxonomy) -> RuleBook:
        """Read and check a rule file.

        Raises:
            RuleError: not YAML, a wrong field, a label that the taxonomy does not know, an id used twice.
        """
        file, rules = read_rules(path)
        problems = label_problems(rules, taxonomy)
        if problems:
            location, message = problems[0]
            raise RuleError(f"{file.where(location)}: {message}")
        return cls(rules, hashlib.sha256(path.read_bytes()).hexdigest()[:8])

    def first_match(self, letter: Letter, labels: Mapping[str, str], moment: datetime) -> Rule | None:
        """The first rule in force whose conditions hold.

        Raises:
            SlowRule: a text pattern took too long, so it is unknown which rule would have matched.
        """
        if not self.rules:
            return None
        text = folded_text(letter)
        for rule in self.rules:
            if not rule.in_force(moment.date()):
                continue
            try:
                if rule.when.holds(letter, text, labels, moment):
                    return rule
            except TimeoutError:
                raise SlowRule(rule.id) from None
        return None


class SlowRule(RuntimeError):  # noqa: N818
    """The text pattern of a rule took longer than ``SEARCH_SECONDS``; the message is the rule's id."""


def folded_text(letter: Letter) -> str:
    """What text patterns are searched in: NFKC of title, a line break and body."""
    return unicodedata.normalize("NFKC", f"{letter.title}\n{letter.body}")


def read_rules(path: Path) -> tuple[YamlFile, tuple[Rule, ...]]:
    """Parse a rule file without a taxonomy.

    Raises:
        RuleError: names file, line and field.
    """
    try:
        file = YamlFile(path)
    except (ValueError, OSError) as error:
        raise RuleError(str(error)) from None
    if not isinstance(file.value, dict):
        raise RuleError(f"{path}, line 1: must be a mapping with the list 'rules'")
    try:
        return file, RuleFile.model_validate(file.value).rules
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RuleError(f"{file.where(first['loc'])}: {_message(first['type'], first['msg'])}") from None


def label_problems(rules: Sequence[Rule], taxonomy: Taxonomy) -> list[tuple[Location, str]]:
    """Where rules name labels that the taxonomy does not know, or use an id twice."""
    problems: list[tuple[Location, str]] = []
    seen: set[str] = set()
    for index, rule in enumerate(rules):
        here: Location = ("rules", index)
        if rule.id in seen:
            problems.append(((*here, "id"), f"the id {rule.id!r} is used twice"))
        seen.add(rule.id)
        if rule.expires is not None and rule.expires < rule.date:
            problems.append(((*here, "expires"), f"lies before date {rule.date}: the rule is never in force"))
        for head in LABEL_CONDITIONS:
            for label in getattr(rule.when, head) or ():
                if message := _label_problem(head, label, taxonomy, silent_units=True):
                    problems.append(((*here, "when", head), message))
        if rule.then.department and (message := _label_problem("department", rule.then.department, taxonomy)):
            problems.append(((*here, "then", "department"), message))
        if rule.then.unit and (message := _label_problem("unit", rule.then.unit, taxonomy)):
            problems.append(((*here, "then", "unit"), message))
        for label in rule.then.co or ():
            if message := _label_problem("department", label, taxonomy):
                problems.append(((*here, "then", "co"), message))
    return problems


def _label_problem(head: str, label: str, taxonomy: Taxonomy, *, silent_units: bool = False) -> str | None:
    known = [unit.id for unit in taxonomy.units] if head == "unit" else taxonomy.ids(head)
    if label in known or (head == "unit" and silent_units and label in (UNKNOWN_UNIT, OUTSIDE_UNIT)):
        return None
    today = taxonomy.unit_code(label) if head == "unit" else taxonomy.resolve(head, label)
    if today is not None:
        return f"{label!r} is no {head} of today's taxonomy; write {today!r}"
    if label in taxonomy.retired:
        return f"{label!r} is retired; choose from its successors {', '.join(taxonomy.retired[label].successors)}"
    return f"the taxonomy has no {head} {label!r}; choose from {', '.join(known)}"


def _message(kind: str, text: str) -> str:
    fields = {"extra_forbidden": "no such field; remove it or correct its name", "missing": "is missing"}
    return fields.get(kind, text.removeprefix("Value error, "))
