"""Which departments have to help? Who helped whom before, against simply the next likely departments.

    python -m eval.bench_co --cases authored.parquet --cases annotated.parquet

Every letter is judged by a classifier that did not see it (five folds), and so are table and weights. A helper
counts as right if it is the letter's ``co_department``; letters have one at most, so precision is pessimistic.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.bench_transfer import N_FOLDS, out_of_fold
from models.taxonomy import Taxonomy
from training.cases import read_cases
from training.co import fit_co

LEVELS = (0.1, 0.15, 0.2)


def main() -> None:
    """Print, per way and level, how many helpers are shown per letter, and their precision and recall."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, action="append", required=True)
    arguments = parser.parse_args()
    ids = Taxonomy.load().ids("department")
    cases = [c for path in arguments.cases for c in read_cases(path) if c.labels.department in ids]
    fold = np.random.default_rng(0).integers(0, N_FOLDS, len(cases))
    with tempfile.TemporaryDirectory() as folder:
        judged = out_of_fold(cases, fold, [], Path(folder))
    departments = np.array([row["department"] for row in judged])
    helpers = np.zeros(departments.shape)
    for k in range(N_FOLDS):
        # Weights from one other fold, table from the rest: neither has seen the letters of fold k.
        weighing = (k + 1) % N_FOLDS
        fitting = [c for c, f in zip(cases, fold, strict=True) if f not in (k, weighing)]
        held = [c for c, f in zip(cases, fold, strict=True) if f == weighing]
        co = fit_co(fitting, held, departments[fold == weighing], ids)
        if co is None:
            raise SystemExit("too few letters with a co_department; give more --cases")
        helpers[fold == k] = co.probabilities(departments[fold == k])
    following = departments.copy()
    following[np.arange(len(cases)), departments.argmax(axis=1)] = 0
    truth = np.array([ids.index(c.labels.co_department) if c.labels.co_department in ids else -1 for c in cases])
    report("next likely departments", following, truth, departments)
    report("who helped whom", helpers, truth, departments)


def report(name: str, scores: npt.NDArray[Any], truth: npt.NDArray[np.int64], departments: npt.NDArray[Any]) -> None:
    """Print the figures of one way."""
    known = (truth >= 0) & (truth != departments.argmax(axis=1))
    order = np.argsort(-scores[known], axis=1)
    top = [float(np.mean((order[:, :n] == truth[known][:, None]).any(axis=1))) for n in (1, 3)]
    print(f"{name}: {known.sum()} letters with a helper, first right {top[0]:.3f}, among three {top[1]:.3f}")
    for level in LEVELS:
        shown = scores >= level
        right = int(shown[np.flatnonzero(known), truth[known]].sum())
        per, precision = shown.sum() / len(scores), right / shown.sum()
        print(f"  at {level}: {per:.2f} shown a letter, precision {precision:.3f}, recall {right / known.sum():.3f}")


if __name__ == "__main__":
    main()
