"""Letters per second of the resolver in two processes, and the load time and memory of a million simulated names.

python -m eval.bench_places_speed ../shared/data/letters7_test.jsonl
"""

from __future__ import annotations

import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from models.case import Letter
from models.places.gazetteer import SHIPPED, Gazetteer
from models.places.resolver import PlaceResolver
from models.taxonomy import Taxonomy

PROCESSES = 2
MEAN_LENGTH = 400


def cut_letters(path: Path) -> list[Letter]:
    """Letters whose bodies have ``MEAN_LENGTH`` characters on average: a longer text is cut into several."""
    text = "".join(json.loads(line)["body"] for line in path.read_text(encoding="utf-8").splitlines())
    rng = random.Random(1)
    letters, start = [], 0
    while start < len(text):
        length = rng.randint(100, 2 * MEAN_LENGTH - 100)
        letters.append(Letter(title="", body=text[start : start + length]))
        start += length
    return letters


def resolve_all(letters: list[Letter]) -> tuple[float, float]:
    """Seconds by the clock and of processor time of one process, without its load."""
    resolver = PlaceResolver.load(SHIPPED, Taxonomy.load())
    for letter in letters[:50]:
        resolver.resolve(letter)
    began, busy = time.perf_counter(), time.process_time()
    for letter in letters:
        resolver.resolve(letter)
    return time.perf_counter() - began, time.process_time() - busy


def simulate(out: Path, n: int) -> None:
    """A table of ``n`` different made-up names of the lengths and characters of real ones."""
    rng = random.Random(1)
    with SHIPPED.open(encoding="utf-8", newline="") as stream:
        real = [row["name"] for row in csv.DictReader(stream)]
    characters = "".join(real)
    names: set[str] = set()
    while len(names) < n:
        one, two = rng.choice(real), rng.choice(real)
        names.add((one[: rng.randint(1, 3)] + rng.choice(characters) + two[rng.randint(0, 2) :])[:10])
    with out.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("name", "kind", "unit", "n_sources"))
        writer.writerows((name, "estate", "510104", 1) for name in sorted(names))


def load(table: Path) -> None:
    """Load a table and print seconds and the peak memory of this process in MB."""
    began, busy = time.perf_counter(), time.process_time()
    gazetteer = Gazetteer.load(table, Taxonomy.load())
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{len(gazetteer.names):,} names: {seconds:.1f} s ({busy:.1f} s of processor time), peak {peak:.0f} MB in all"
    )


def main(letters: Path, names: Annotated[int, typer.Option(help="simulated names")] = 1_000_000) -> None:
    """Print both."""
    chosen = cut_letters(letters)
    halves = [chosen[i::PROCESSES] for i in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES) as pool:
        seconds = list(pool.map(resolve_all, halves))
    mean = sum(len(letter.body) for letter in chosen) / len(chosen)
    clock, busy = (sum(len(half) / s[i] for half, s in zip(halves, seconds, strict=True)) for i in (0, 1))
    print(f"{len(chosen)} letters of {mean:.0f} characters on average, {PROCESSES} processes:")
    print(f"{clock:,.0f} letters/s by the clock; {busy:,.0f} by processor time ")
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "million.csv"
        simulate(table, names)
        command = f"from pathlib import Path; from eval.bench_places_speed import load; load(Path({str(table)!r}))"
        subprocess.run([sys.executable, "-c", command], check=True)


if __name__ == "__main__":
    typer.run(main)
