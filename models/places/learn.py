"""Teach the place memory from closed cases: which place a letter was about, and what became of its dispatches."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from models.case import Case, Letter
from models.places.memory import PlaceMemory
from models.places.resolver import PlaceResolver
from models.taxonomy import Taxonomy


def matter_place(resolver: PlaceResolver, letter: Letter) -> tuple[str, int | None] | None:
    """The one place that a letter is about, with its house number; ``None`` if it names none or several."""
    specific = [m for m in resolver.read(letter).specific if not m.personal and m.role != "shop"]
    places = {(m.place.name, m.number) for m in specific}
    return next(iter(places)) if len(places) == 1 else None


def learn_file(cases: Path, memory_path: Path, table: Path, taxonomy: Taxonomy) -> int:
    """Add the dispatches of a JSON-lines file of cases to a memory; returns how many were learned.

    Raises:
        ValueError: a line is no case, or a dispatch names an unknown unit; names file, line and field.
    """
    resolver = PlaceResolver.load(table, taxonomy)
    memory = PlaceMemory.load(memory_path) if memory_path.is_file() else PlaceMemory()
    learned = 0
    with cases.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            case = _case(line, f"{cases}, line {number}")
            for dispatch in case.dispatches:
                if dispatch.unit is not None and taxonomy.unit_code(dispatch.unit) != dispatch.unit:
                    raise ValueError(f"{cases}, line {number}, dispatches.unit: not a unit code of the taxonomy")
            place = matter_place(resolver, case)
            if place is not None:
                learned += memory.learn_dispatches(*place, case.dispatches)
    memory.save(memory_path)
    return learned


def _case(line: str, where: str) -> Case:
    try:
        row = json.loads(line)
        return Case.model_validate({key: row[key] for key in Case.model_fields if row.get(key) is not None})
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: not JSON ({error.msg})") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ValueError(f"{where}, {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
