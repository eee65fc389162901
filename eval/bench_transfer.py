"""Are letters of 110, 119, 120 and 122 transferred, and only those?

    python -m eval.bench_transfer

Authored letters (``training/data``), labelled by reading in ``transfer_labels.csv``: ``one_of`` are the
channels of which one must be named, ``also`` those that may be named besides; a letter without a row belongs
to none. The classifier is trained anew for each fifth of the letters, so no letter is judged by a model that
saw it, and so are the weights. The words of ``models.transfer`` were chosen with these letters in view, so
recall here is not clean; ``--elsewhere`` counts what is named in letters of another file.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from models.case import Case, Letter
from models.taxonomy import Taxonomy
from models.transfer import (
    CRITICAL_AT,
    EMERGENCY_CHANNELS,
    OWN_DEPARTMENTS,
    PATTERNS,
    TRANSFER_AT,
    WEIGHTS,
    cues,
    features,
    find_transfers,
)
from models.triage import Triage
from training.cases import read_cases
from training.finetune import TrainArguments
from training.importer import Mapping, import_cases
from training.train import train_bundle

DATA = Path(__file__).parents[1] / "training" / "data"
FILES = ("authored.jsonl", "extra_departments.jsonl", "extra_urgency.jsonl")
N_FOLDS = 5
Rows = list[dict[str, npt.NDArray[Any]]]


def main() -> None:
    """Print recall and precision per letter and channel, and the weights fitted on all letters."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--also-train", type=Path, action="append", default=[], help="cases file for every fold's model"
    )
    parser.add_argument("--elsewhere", type=Path, help="JSON lines with title and body; only counted")
    arguments = parser.parse_args()
    taxonomy = Taxonomy.load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases.parquet"
        import_cases([DATA / f for f in FILES], Mapping.load(DATA / "authored.mapping.yaml"), taxonomy, path)
        cases = read_cases(path)
        fold = np.random.default_rng(0).integers(0, N_FOLDS, len(cases))
        more = [case for extra in arguments.also_train for case in read_cases(extra)]
        judged = out_of_fold(cases, fold, more, Path(folder))
    report(cases, fold, judged, taxonomy)
    if arguments.elsewhere:
        count_elsewhere(arguments.elsewhere)


def out_of_fold(cases: Sequence[Case], fold: npt.NDArray[np.int64], more: Sequence[Case], folder: Path) -> Rows:
    """Probabilities per head of each case, by a bundle that was trained on the other folds and ``more``."""
    rows: Rows = [{} for _ in cases]
    for k in range(N_FOLDS):
        seen = [c for c, f in zip(cases, fold, strict=True) if f != k]
        train_bundle([*seen, *more], folder / str(k), TrainArguments())
        triage = Triage.load(folder / str(k))
        held = np.flatnonzero(fold == k)
        for start in range(0, len(held), 64):
            index = held[start : start + 64]
            found = triage.probabilities([cases[i] for i in index])
            for place, i in enumerate(index):
                rows[i] = {head: p[place] for head, p in found.items()}
    return rows


def report(cases: Sequence[Case], fold: npt.NDArray[np.int64], judged: Rows, taxonomy: Taxonomy) -> None:
    """Fit the weights on the other folds, name channels, compare with the labels."""
    one_of, allowed = read_labels([case.id for case in cases])
    x = np.array([channel_features(case, row, taxonomy) for case, row in zip(cases, judged, strict=True)])
    named = np.zeros(one_of.shape, bool)
    for k in range(N_FOLDS):
        model = fit(x[fold != k], one_of[fold != k], allowed[fold != k])
        for i in range(len(EMERGENCY_CHANNELS)):
            named[fold == k, i] = model.predict_proba(design(x[fold == k], i))[:, 1] >= TRANSFER_AT
    believed = (x[:, :, 0] >= np.log(CRITICAL_AT / (1 - CRITICAL_AT))) & (x[:, :, 1] + x[:, :, 2] > 0)
    named &= believed
    must: npt.NDArray[Any] = np.any(one_of, axis=1)
    hit: npt.NDArray[Any] = np.any(named & one_of, axis=1)
    right: npt.NDArray[Any] = np.any(named & allowed, axis=1)
    print(f"letters {len(cases)}, to be transferred {must.sum()}, named {named.any(axis=1).sum()}")
    print(f"recall {np.mean(hit[must]):.3f}  precision of letters {np.mean(right[np.any(named, axis=1)]):.3f}")
    for i, channel in enumerate(EMERGENCY_CHANNELS):
        print(f"{channel}: {np.sum(named[:, i] & allowed[:, i])} of {np.sum(named[:, i])} named are right")
    weights = fit(x, one_of, allowed).coef_[0].round(2)
    print(
        dict(zip(WEIGHTS, weights, strict=False)), dict(zip(EMERGENCY_CHANNELS, weights[len(WEIGHTS) :], strict=True))
    )


def read_labels(ids: Sequence[str]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """``one_of`` and ``one_of or also`` as ``(n_letters, n_channels)``."""
    with (DATA / "transfer_labels.csv").open(encoding="utf-8", newline="") as lines:
        labels = {row["id"]: row for row in csv.DictReader(lines)}
    one_of = [[channel in labels.get(i, {}).get("one_of", "").split() for channel in EMERGENCY_CHANNELS] for i in ids]
    also = [[channel in labels.get(i, {}).get("also", "").split() for channel in EMERGENCY_CHANNELS] for i in ids]
    return np.array(one_of), np.array(one_of) | np.array(also)


def channel_features(letter: Letter, row: dict[str, npt.NDArray[Any]], taxonomy: Taxonomy) -> list[list[float]]:
    """``features`` of every channel, ``(n_channels, n_features)``."""
    critical = float(row["urgency"][taxonomy.ids("urgency").index("critical")])
    departments = taxonomy.ids("department")
    found = []
    for channel in EMERGENCY_CHANNELS:
        strong, weak = (cues(letter, pattern) for pattern in PATTERNS[channel])
        own = sum(float(row["department"][departments.index(d)]) for d in OWN_DEPARTMENTS[channel])
        found.append(features(critical, strong, weak, own))
    return found


def design(x: npt.NDArray[Any], channel: int) -> npt.NDArray[Any]:
    """Features of one channel and its bias column."""
    bias = np.zeros((len(x), len(EMERGENCY_CHANNELS)))
    bias[:, channel] = 1
    return np.hstack([x[:, channel], bias])


def fit(x: npt.NDArray[Any], one_of: npt.NDArray[Any], allowed: npt.NDArray[Any]) -> LogisticRegression:
    """One logistic over all channels; a channel that may but need not be named teaches nothing."""
    kept = one_of | ~allowed
    channels = range(len(EMERGENCY_CHANNELS))
    rows = np.vstack([design(x, i)[kept[:, i]] for i in channels])
    truth = np.concatenate([one_of[kept[:, i], i] for i in channels])
    return LogisticRegression(C=1.0, max_iter=2000, fit_intercept=False).fit(rows, truth)


def count_elsewhere(path: Path) -> None:
    """How many letters of a file are given to each channel by the shipped bundle; ids only."""
    triage = Triage.load()
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    letters = [
        Letter(title=str(row.get("title") or "")[:200], body=str(row.get("body") or "")[:20000]) for row in lines
    ]
    counts: Counter[str] = Counter()
    for start in range(0, len(letters), 64):
        chunk = letters[start : start + 64]
        found = triage.probabilities(chunk)
        for place, letter in enumerate(chunk):
            transfers = find_transfers(letter, {head: p[place] for head, p in found.items()}, triage.bundle.taxonomy)
            counts.update(t.label for t in transfers)
            counts["any"] += bool(transfers)
            counts["emergency"] += any(t.label in EMERGENCY_CHANNELS for t in transfers)
    print(f"{path.name}: {len(letters)} letters, {dict(counts.most_common())}")


if __name__ == "__main__":
    main()
