"""Topic, department and request type, out of fold: our n-grams beside the TF-IDF SVM that a user would pick.

    python -m eval.bench_heads --cases annotated.parquet --extra silver.parquet --extra more.parquet \
        --sure ../shared/data/annotated.jsonl [--vectors vectors.npz] [--no-peers]

Five folds of CASES, near-duplicates together; each fold is judged by models trained on the other four, with and
without EXTRA. ``--sure`` names JSON lines with ``id`` and ``sure``: the letters of which two people would agree.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from eval.peers import word_char_title_svm
from models.case import Case
from models.taxonomy import Taxonomy
from training.cases import read_cases
from training.crossfit import crossfit, merge_copies
from training.finetune import TrainArguments, make_heads
from training.folds import FOLDS, fold_numbers

JUDGED = ("department", "topic", "request_type")
Labels = list[str | None]


def svm_labels(head: str, cases: Sequence[Case], extra: Sequence[Case]) -> Labels:
    """The peer's label of each case, from the other folds and ``extra``."""
    folds = fold_numbers(cases)
    found: Labels = [None] * len(cases)
    for fold in range(FOLDS):
        rows = np.flatnonzero(folds == fold)
        train = [case for case, other in zip(cases, folds != fold, strict=True) if other] + list(extra)
        known = [case for case in train if getattr(case.labels, head)]
        for row, label in zip(rows, word_char_title_svm(known, [cases[int(i)] for i in rows], head), strict=True):
            found[row] = label
    return found


def our_scores(
    cases: Sequence[Case], extra: Sequence[Case], args: TrainArguments
) -> dict[str, npt.NDArray[np.float32]]:
    """Our out-of-fold scores per head, ``(n_cases, n_labels)``."""
    return crossfit(cases, extra, make_heads(cases, Taxonomy.load()), args).logits


def main(
    cases: Annotated[Path, typer.Option(help="judged cases")],
    extra: Annotated[list[Path], typer.Option(help="cases that only train")],
    sure: Annotated[Path, typer.Option(help="JSON lines with id and sure")],
    vectors: Annotated[str, typer.Option(help="also ours with these word vectors (training.vectors)")] = "",
    max_ngrams: Annotated[int, typer.Option(help="n-grams ours keeps")] = 300_000,
    peers: Annotated[bool, typer.Option(help="also the SVM, which takes most of the time")] = True,
) -> None:
    """Print accuracy on all and on sure letters, and top-3."""
    judged = read_cases(cases)
    texts = {case.title + case.body for case in judged}
    more = [c for p in extra for c in read_cases(p) if c.title + c.body not in texts]
    more = merge_copies(more)
    agreed = {str(r["id"]) for r in map(json.loads, sure.read_text(encoding="utf-8").splitlines()) if r["sure"] == 1}
    clear = np.array([case.id in agreed for case in judged])
    ids = {head: Taxonomy.load().ids(head) for head in JUDGED}

    def show(name: str, head: str, labels: Sequence[str | None], top3: float | None = None) -> None:
        right = np.array([a == getattr(c.labels, head) for a, c in zip(labels, judged, strict=True)])
        print(
            f"{name:<26} {head:<13} all {right.mean():.4f}  sure {right[clear].mean():.4f}"
            + (f"  top-3 {top3:.4f}" if top3 is not None else ""),
            flush=True,
        )

    machines: dict[str, Callable[[str], Labels]] = {
        "TF-IDF SVM, cases": lambda head: svm_labels(head, judged, []),
        "TF-IDF SVM, cases + extra": lambda head: svm_labels(head, judged, more),
    }
    rows = [("fenban, cases", [], ""), ("fenban, cases + extra", more, "")]
    rows += [("fenban + vectors, cases", [], vectors), ("fenban + vectors, + extra", more, vectors)] if vectors else []
    for name, part, held in rows:
        scores = our_scores(judged, part, TrainArguments(vectors=held, max_ngrams=max_ngrams))
        for head in JUDGED:
            order = np.argsort(-scores[head], axis=1)
            truth = [getattr(c.labels, head) for c in judged]
            near = np.mean([t in [ids[head][i] for i in row[:3]] for t, row in zip(truth, order, strict=True)])
            show(name, head, [ids[head][row[0]] for row in order], float(near))
    for name, predict in machines.items() if peers else ():
        for head in JUDGED:
            show(name, head, predict(head))


if __name__ == "__main__":
    typer.run(main)
