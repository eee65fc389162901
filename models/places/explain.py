"""What the gazetteer and the place memory know about a name, as lines of text."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from models.places.fuzzy import Fuzzy
from models.places.gazetteer import Gazetteer
from models.places.memory import PlaceMemory
from models.places.table import read_rows
from models.places.text import fold
from models.taxonomy import Taxonomy


def explain(
    name: str, table: Path, taxonomy: Taxonomy, memory: Path | None = None, on: date | None = None
) -> list[str]:
    """Owners, aliases, generations and closed cases of a name; or the nearest name that is known.

    Raises:
        ValueError: the table or the memory is malformed.
    """
    gazetteer = Gazetteer.load(table, taxonomy, on)
    place = gazetteer.get(name)
    if place is None:
        folded, fuzzy = fold(name), Fuzzy(gazetteer)
        guess = next((f for net in (fuzzy.alike, fuzzy.relatives, fuzzy.slips) for f in net(folded)), None)
        if guess is None:
            return [f"{name}: not in the gazetteer ({len(gazetteer.names)} names)"]
        units = "、".join(taxonomy.name("unit", unit) for unit in guess.place.units)
        return [f"{name}: not in the gazetteer; would be read as {guess.place.name} ({units})"]
    lines = [f"{place.name} ({place.kind}), as of {gazetteer.on}; in {place.n_elsewhere} letters of other cities"]
    for owner in place.owners:
        sources = f"{owner.n_sources} sources" if owner.n_sources else "one weak or disputed source"
        details = " ".join(filter(None, (owner.street, owner.numbers)))
        lines.append(f"  {taxonomy.name('unit', owner.unit)} {owner.unit}: {sources} {details}".rstrip())
    for row in read_rows(table, gazetteer.units):
        if row.name == place.name:
            if row.aliases:
                lines.append(f"  also written: {row.aliases.replace('|', ' ')}")
            if row.valid_from or row.valid_to:
                unit = taxonomy.name("unit", row.unit) if row.unit else "city"
                lines.append(f"  {unit}: from {row.valid_from or 'the beginning'} to {row.valid_to or 'today'}")
    if memory is not None:
        lines += _remembered(place.name, PlaceMemory.load(memory), taxonomy)
    return lines


def _remembered(name: str, memory: PlaceMemory, taxonomy: Taxonomy) -> list[str]:
    keys = [key for key in memory.records if key == name or key.startswith(f"{name}#")]
    lines = [f"  memory: {len(keys)} keys as of {memory.as_of}, half-life {memory.half_life_days:g} days"]
    for key in sorted(keys):
        for unit, record in memory.records[key].items():
            accepted, returned = record.on(date.fromisoformat(memory.as_of), memory.half_life_days)
            unit_name = taxonomy.name("unit", unit)
            lines.append(f"    {key} {unit_name}: {accepted:.1f} accepted, {returned:.1f} returned, last {record.last}")
    return lines
