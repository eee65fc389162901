"""The label space of a city, read from YAML: topics, departments, urgency, request types, units.

Labels are data: classifier heads are made from this file, and a city swaps it. Retired departments
carry ``valid_to`` and ``successors`` so that cases from before a reorganisation keep their labels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import yaml

HEADS = ("topic", "department", "urgency", "request_type")
SHIPPED = Path(__file__).parent / "data" / "chengdu.yaml"
_SECTIONS = {"topic": "topics", "department": "departments", "urgency": "urgency", "request_type": "request_types"}


class TaxonomyError(ValueError):
    """The taxonomy file is wrong; the message names the file and the path inside it."""


@dataclass(frozen=True)
class Label:
    """One class of a head, or one unit: ``id`` and Chinese ``name``; the rest where it applies."""

    id: str
    name: str
    aliases: tuple[str, ...] = ()
    description: str = ""
    working_days: int | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    successors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Taxonomy:
    """Labels per head and the dispatch units, in file order.

    Attributes:
        version: free text, written into every suggestion.
        heads: head name to its labels that are in force; the order is the order of the logits.
        retired: department id to a label with ``valid_to``; never predicted, mapped by ``resolve``.
        units: county-level units that take dispatches, ``id`` is the administrative code.
    """

    version: str
    heads: dict[str, tuple[Label, ...]]
    units: tuple[Label, ...]
    retired: dict[str, Label] = field(default_factory=dict)

    def ids(self, head: str) -> list[str]:
        """Label ids of a head in the order of its logits."""
        return [label.id for label in self.heads[head]]

    def name(self, head: str, label: str) -> str:
        """Chinese name of a label (``head`` may be ``unit``).

        Raises:
            KeyError: no such label.
        """
        labels = self.units if head == "unit" else self.heads[head]
        for candidate in labels:
            if candidate.id == label:
                return candidate.name
        raise KeyError(f"taxonomy {self.version}: no {head} {label!r}")

    def working_days(self, request_type: str) -> int:
        """Legal working days to answer a request type."""
        days = next(label.working_days for label in self.heads["request_type"] if label.id == request_type)
        if days is None:
            raise TaxonomyError(f"request_types.{request_type}: working_days is missing")
        return days

    def unit_code(self, name: str) -> str | None:
        """Code of a unit given its code, name or alias; ``None`` if it is none of the city's units."""
        wanted = name.strip()
        for unit in self.units:
            if wanted in (unit.id, unit.name, *unit.aliases):
                return unit.id
        return None

    def resolve(self, head: str, label: str) -> str | None:
        """Today's id for a label given by id, name or alias; a retired one maps to its only successor.

        Returns ``None`` if the label is unknown, or retired with several successors (the truth is then
        not known, and the head is masked rather than guessed).
        """
        for candidate in self.heads[head]:
            if label in (candidate.id, candidate.name, *candidate.aliases):
                return candidate.id
        if head == "department":
            for old in self.retired.values():
                if label in (old.id, old.name, *old.aliases):
                    return old.successors[0] if len(old.successors) == 1 else None
        return None

    @classmethod
    def load(cls, path: Path = SHIPPED) -> Taxonomy:
        """Read and check a taxonomy.

        Raises:
            TaxonomyError: a missing section or name, a duplicate id, an unknown successor, or request
                types without working days; the message names the file and the path inside it.
        """
        try:
            raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise TaxonomyError(f"{path}: not YAML: {error}") from None
        if not isinstance(raw, dict):
            raise TaxonomyError(f"{path}: the file must be a mapping with topics, departments, …")
        every = {head: _labels(raw, section, path) for head, section in _SECTIONS.items()}
        departments = {d.id for d in every["department"]}
        for old in every["department"]:
            for successor in old.successors:
                if successor not in departments:
                    raise TaxonomyError(f"{path}: departments.{old.id}.successors: unknown id {successor!r}")
        retired = {d.id: d for d in every["department"] if d.valid_to is not None}
        heads = {h: tuple(x for x in labels if h != "department" or x.id not in retired) for h, labels in every.items()}
        for kind in heads["request_type"]:
            if not kind.working_days or kind.working_days < 1:
                raise TaxonomyError(f"{path}: request_types.{kind.id}.working_days must be a positive integer")
        return cls(str(raw.get("version", "")), heads, tuple(_labels(raw, "districts", path)), retired)


def _labels(raw: dict[str, object], section: str, path: Path) -> list[Label]:
    rows = raw.get(section)
    if not isinstance(rows, list) or not rows:
        raise TaxonomyError(f"{path}: {section}: missing or empty list")
    labels: list[Label] = []
    seen: set[str] = set()
    for index, row in enumerate(rows):
        where = f"{path}: {section}[{index}]"
        if not isinstance(row, dict):
            raise TaxonomyError(f"{where}: must be a mapping with id and name, not {row!r}")
        identity = str(row.get("id", row.get("code", ""))).strip()
        name = str(row.get("name") or "").strip()
        if not identity:
            raise TaxonomyError(f"{where}: id is missing")
        if not name:
            raise TaxonomyError(f"{where} ({identity}): name is missing")
        if identity in seen:
            raise TaxonomyError(f"{where}: duplicate id {identity!r}")
        seen.add(identity)
        labels.append(
            Label(
                id=identity,
                name=name,
                aliases=tuple(row.get("aliases", ())),
                description=str(row.get("covers", row.get("means", row.get("duties", "")))),
                working_days=row.get("working_days"),
                valid_from=row.get("valid_from"),
                valid_to=row.get("valid_to"),
                successors=tuple(row.get("successors", ())),
            )
        )
    return labels
