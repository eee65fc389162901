"""A simulated year of cases: how dispatch errors fall as returns arrive, with and without place memory.

    python -m eval.bench_places_memory

500 roads of the shipped gazetteer receive letters (some roads many). For a fifth of them the gazetteer is wrong
about the owner (another unit has the road in truth); on 1 July thirty more roads move to another unit. Each letter is
dispatched to the likeliest unit; a wrong one returns the dispatch for 属地不符 and the right one accepts it.
5 % of the records are wrong: they name another unit. Letters are made of a template, so only the memory is tested.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

import typer

from models.case import Letter
from models.places.gazetteer import SHIPPED, Gazetteer
from models.places.memory import PlaceMemory
from models.places.ranker import SHIPPED_MODEL, PlaceModel
from models.places.resolver import PlaceResolver
from models.suggestion import OUTSIDE_UNIT, UNKNOWN_UNIT, UnitSuggestion
from models.taxonomy import Taxonomy

ROADS, MOVED, WRONG_SHARE, WRONG_RECORDS, PER_DAY = 500, 30, 0.2, 0.05, 40
START = date(2026, 1, 1)
CHANGE = date(2026, 7, 1)


@dataclass
class World:
    """The true owner of each road, which the gazetteer does not always know."""

    owners: dict[str, str]
    after: dict[str, str]

    def owner(self, road: str, day: date) -> str:
        return self.after.get(road, self.owners[road]) if day >= CHANGE else self.owners[road]


def make_world(gazetteer: Gazetteer, units: list[str], rng: random.Random) -> World:
    """Choose roads with one known owner, and set the truth against the gazetteer for some."""
    known = [p for n in gazetteer.names if (p := gazetteer.get(n)) and p.kind == "road" and p.name == n]
    firm = [p for p in known if len(p.owners) == 1 and p.n_sources and not p.n_elsewhere and len(p.name) >= 4]
    chosen = rng.sample(firm, ROADS)
    owners = {p.name: p.units[0] for p in chosen}
    for name in rng.sample(sorted(owners), int(WRONG_SHARE * ROADS)):
        owners[name] = rng.choice([u for u in units if u != owners[name]])
    after = {name: rng.choice([u for u in units if u != owners[name]]) for name in rng.sample(sorted(owners), MOVED)}
    return World(owners, after)


def best_guess(unit: UnitSuggestion) -> str:
    """The unit that a clerk would try first; empty if none is suggested, which counts as wrong."""
    if unit.label not in (UNKNOWN_UNIT, OUTSIDE_UNIT):
        return unit.label
    return unit.alternatives[0].label if unit.alternatives else ""


def simulate(
    resolver: PlaceResolver, world: World, units: list[str], memory: PlaceMemory | None, seed: int
) -> list[float]:
    """Share of first dispatches that come back, for each month."""
    rng = random.Random(seed)
    roads = sorted(world.owners)
    weights = [1 / (1 + i) ** 0.7 for i in range(len(roads))]
    rng.shuffle(weights)
    wrong, total = [0] * 12, [0] * 12
    for offset in range(365):
        day = START + timedelta(days=offset)
        for road in rng.choices(roads, weights, k=PER_DAY):
            house = rng.randint(1, 60)
            unit = resolver.resolve(Letter(body=f"成都{road}{house}号门口的路灯坏了。")).unit
            guess = best_guess(unit)
            truth = world.owner(road, day)
            total[day.month - 1] += 1
            wrong[day.month - 1] += guess != truth
            if memory is None:
                continue
            record = rng.choice(units) if rng.random() < WRONG_RECORDS else truth
            if guess and guess != record:
                memory.learn(road, house, guess, "returned", day)
            memory.learn(road, house, record, "accepted", day)
    return [w / n for w, n in zip(wrong, total, strict=True)]


def main(seed: int = 1) -> None:
    """Print the error by month."""
    taxonomy = Taxonomy.load()
    units = [unit.id for unit in taxonomy.units]
    gazetteer, model = Gazetteer.load(SHIPPED, taxonomy), PlaceModel.load(SHIPPED_MODEL)
    world = make_world(gazetteer, units, random.Random(seed))
    memory = PlaceMemory()
    without = simulate(PlaceResolver(gazetteer, taxonomy, model), world, units, None, seed)
    taught = simulate(PlaceResolver(gazetteer, taxonomy, model, memory), world, units, memory, seed)
    print("month   without memory   with memory   (first dispatches that come back)")
    for month, (plain, learned) in enumerate(zip(without, taught, strict=True), 1):
        print(f"{month:>5}   {plain:14.3f}   {learned:11.3f}")


if __name__ == "__main__":
    typer.run(main)
