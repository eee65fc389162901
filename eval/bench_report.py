"""Time and memory of a report over a million predictions.

    python -m eval.bench_report --letters 1000000

Letters and predictions are simulated (authored letters, nine in ten made distinct by a number; labels,
confidences and sets drawn at random); the report is then built from the stored files in a process of its own, as
``fenban evaluate --reuse`` does, and its wall time and peak resident memory are printed.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer

from eval.evaluate import METRICS, Options, write_report
from eval.operating import DECISIONS
from eval.predictions import ALL_HEADS, WITH_DISTRIBUTION, Predictions, describe, schema
from eval.promotion import Promotion
from eval.schema import SeenLetters
from models.triage import Triage
from training.cases import read_cases, write_cases
from training.importer import Mapping, import_cases

AUTHORED = Path("training/data/authored.jsonl")
CHUNK = 50_000
RIGHT = 0.85
COPIED = 0.1


def simulate(n: int, folder: Path, seed: int = 1) -> None:
    """Write ``cases.parquet`` and ``predictions.parquet`` with ``n`` rows into ``folder``."""
    triage = Triage.load()
    mapping = Mapping.load(AUTHORED.with_suffix(".mapping.yaml"))
    import_cases([AUTHORED], mapping, triage.bundle.taxonomy, folder / "authored.parquet", progress=False)
    write_cases(read_cases(folder / "authored.parquet"), folder / "authored.parquet")
    letters = pq.read_table(folder / "authored.parquet")
    facts = {**describe(triage), "cases": "simulated"}
    form = schema().with_metadata({"fenban": json.dumps(facts, ensure_ascii=False)})
    rng = np.random.default_rng(seed)
    with (
        pq.ParquetWriter(folder / "cases.parquet", letters.schema) as cases,
        pq.ParquetWriter(folder / "predictions.parquet", form, compression="zstd") as said,
    ):
        for start in range(0, n, CHUNK):
            size = min(CHUNK, n - start)
            cases.write_table(_distinct(letters.take(rng.integers(0, len(letters), size)), start, rng))
            said.write_table(pa.table(dict(_columns(facts, start, size, rng)), schema=form))


def _distinct(letters: pa.Table, start: int, rng: np.random.Generator) -> pa.Table:
    """The letters with a number of their own in the body, but for a share of ``COPIED``; none has a recorded group."""
    copied = rng.random(len(letters)) < COPIED
    bodies = letters.column("body").to_pylist()
    told = [
        body if same else f"{body}（{start + i}）" for i, (body, same) in enumerate(zip(bodies, copied, strict=True))
    ]
    empty = pa.nulls(len(letters), pa.string())
    for name, column in (("body", pa.array(told, pa.string())), ("group", empty)):
        letters = letters.set_column(letters.schema.get_field_index(name), letters.schema.field(name), column)
    return letters


def _columns(facts: dict[str, Any], start: int, size: int, rng: np.random.Generator) -> Iterator[tuple[str, Any]]:
    yield "row", np.arange(start, start + size)
    yield "id", [f"s{i}" for i in range(start, start + size)]
    yield "source", _words(["simulated"], np.zeros(size, int))
    yield "channel", _words(["热线", "信箱", "网站", "微信"], rng.integers(0, 4, size))
    yield "received", (np.datetime64("2025-01-01") + rng.integers(0, 365, size)).astype("datetime64[D]")
    yield "length", rng.integers(10, 900, size).astype(np.int32)
    yield "decision", _words(list(DECISIONS), rng.choice(4, size, p=[0.5, 0.35, 0.1, 0.05]))
    yield "p_critical", rng.beta(0.3, 8, size).astype(np.float32)
    yield "p_two", rng.uniform(0.3, 1, size).astype(np.float32)
    yield "place_free", rng.random(size) < 0.05
    for head in ALL_HEADS:
        yield from _head(head, list(facts["names"][head]), size, rng)
    for flag in ("wrong_stated", "shared_road", "no_place"):
        yield flag, rng.random(size) < 0.1
    yield "reasons", ["unsure"] * size
    yield "evidence", ["body[3:7] 双瑞一路→510108"] * size
    units, departments = list(facts["names"]["unit"]), list(facts["names"]["department"])
    yield "human_unit", _words(units, rng.integers(0, len(units), size))
    yield "human_department", _words(departments, rng.integers(0, len(departments), size))
    yield "human_outcome", _words(["accepted", "returned"], rng.integers(0, 2, size))


def _head(head: str, labels: list[str], size: int, rng: np.random.Generator) -> Iterator[tuple[str, Any]]:
    """Confidences are calibrated by construction: the truth is drawn with them."""
    said = rng.integers(0, len(labels), size)
    confidence = rng.beta(RIGHT * 6, (1 - RIGHT) * 6, size).astype(np.float32)
    right = rng.random(size) < confidence
    truth = np.where(right, said, (said + rng.integers(1, len(labels), size)) % len(labels))
    yield f"{head}_true", _words(labels, truth)
    yield f"{head}_pred", _words(labels, said)
    yield f"{head}_confidence", confidence
    yield f"{head}_raw", np.sqrt(confidence)
    yield f"{head}_raw_right", right
    yield f"{head}_rank", np.where(right, 0, rng.integers(1, 5, size)).astype(np.int16)
    yield f"{head}_in_set", right | (rng.random(size) < 0.7)
    yield f"{head}_set_size", rng.integers(1, 4, size).astype(np.int16)
    if head in WITH_DISTRIBUTION:
        shares = np.repeat(((1 - confidence) / (len(labels) - 1))[:, None], len(labels), axis=1)
        shares[np.arange(size), said] = confidence
        offsets = pa.array(np.arange(0, shares.size + 1, len(labels), dtype=np.int32))
        yield f"{head}_probabilities", pa.ListArray.from_arrays(offsets, pa.array(shares.astype(np.float16).ravel()))


def _words(labels: list[str], codes: Any) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.asarray(codes, np.int32)), pa.array(labels))


def build(folder: Path) -> tuple[float, float]:
    """Build the report from the files of ``folder``: seconds, and peak resident memory of this process in GB."""
    began = time.perf_counter()
    seen = SeenLetters(known=True, letters=0, forced=False, only_test_split=False)
    predictions = Predictions.open(folder / "predictions.parquet")
    write_report(predictions, folder / "cases.parquet", folder, Options(progress=False), Promotion.load(), seen)
    return time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main(
    letters: Annotated[int, typer.Option(help="simulated predictions")] = 1_000_000,
    folder: Annotated[Path | None, typer.Option(help="keep the files here; simulate only if it is empty")] = None,
) -> None:
    """Print seconds and gigabytes."""
    with tempfile.TemporaryDirectory() as scratch:
        work = folder or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        if not (work / "predictions.parquet").is_file():
            simulate(letters, work)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            seconds, gigabytes = pool.apply(build, (work,))
        groups = json.loads((work / METRICS).read_text(encoding="utf-8"))["data"]["groups"]
        sizes = {path.name: path.stat().st_size // 2**20 for path in sorted(work.iterdir())}
    print(
        f"{letters:,} predictions in {groups:,} groups: report in {seconds:.0f} s, peak memory {gigabytes:.2f} GB; "
        f"files in MB: {sizes}"
    )


if __name__ == "__main__":
    typer.run(main)
