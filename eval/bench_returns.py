"""Does ``check_dispatch`` know which hand-made dispatches come back?

    python -m eval.bench_returns

Authored letters with a known unit and department. Each gives four dispatches: the right one twice, one with a
wrong unit, one with a wrong department. The wrong unit is a district that the letter names or the resolver
considered, where there is one, else any other; the wrong department is the letter's co-department (the likely
mistake of a person) where it has one, else another department drawn by frequency. Models are trained anew for
each fifth of the letters; the curves are fitted on the other fifths. ``--cases`` judges dispatches of any
cases file with the shipped bundle and curves instead; it must not hold letters that the bundle was trained on.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.metrics import brier_score_loss, roc_auc_score

from models.case import Case
from models.confidence import expected_calibration_error
from models.returns import (
    DEPARTMENT_CURVE,
    UNIT_CURVE,
    dispatch_probabilities,
    return_probability,
)
from models.suggestion import OUTSIDE_UNIT, UNKNOWN_UNIT
from models.taxonomy import Taxonomy
from models.triage import Triage
from training.cases import read_cases
from training.finetune import TrainArguments
from training.importer import Mapping, import_cases
from training.train import train_bundle

DATA = Path(__file__).parents[1] / "training" / "data"
FILES = ("authored.jsonl", "extra_departments.jsonl", "extra_urgency.jsonl")
N_FOLDS = 5
SEED = 20261124
Curves = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Dispatches:
    """Simulated dispatches of letters: model probabilities and what is wrong with each.

    Attributes:
        p_unit, p_department: model probability of the proposed labels, ``(n,)``.
        wrong_unit, wrong_department: truth, ``(n,)``.
    """

    p_unit: npt.NDArray[np.float64]
    p_department: npt.NDArray[np.float64]
    wrong_unit: npt.NDArray[np.bool_]
    wrong_department: npt.NDArray[np.bool_]

    @property
    def returned(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.wrong_unit | self.wrong_department)

    def scores(self, curves: Curves) -> npt.NDArray[np.float64]:
        """Return probability of each dispatch."""
        pairs = zip(self.p_unit, self.p_department, strict=True)
        return np.array([return_probability(u, d, curves=curves) for u, d in pairs])

    def take(self, kept: npt.NDArray[Any]) -> Dispatches:
        return Dispatches(
            self.p_unit[kept], self.p_department[kept], self.wrong_unit[kept], self.wrong_department[kept]
        )


def main() -> None:
    """Print AUROC, Brier score and calibration, overall and per kind of mistake, and the fitted curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, help="cases file, judged with the shipped bundle and curves")
    parser.add_argument(
        "--also-train", type=Path, action="append", default=[], help="cases file for every fold's model"
    )
    arguments = parser.parse_args()
    taxonomy = Taxonomy.load()
    if arguments.cases:
        dispatches, _ = simulate(Triage.load(), read_cases(arguments.cases))
        report("shipped bundle and curves", dispatches, dispatches.scores((UNIT_CURVE, DEPARTMENT_CURVE)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases.parquet"
        import_cases([DATA / f for f in FILES], Mapping.load(DATA / "authored.mapping.yaml"), taxonomy, path)
        more = [case for extra in arguments.also_train for case in read_cases(extra)]
        dispatches, fold = out_of_fold(read_cases(path), more, Path(folder))
    scores = np.empty(len(fold))
    for k in range(N_FOLDS):
        scores[fold == k] = dispatches.take(fold == k).scores(fit(dispatches.take(fold != k)))
    report("out of fold", dispatches, scores)
    print("curves (unit, department), each offset and slope:", np.round(fit(dispatches), 3).tolist())


def out_of_fold(cases: Sequence[Case], more: Sequence[Case], folder: Path) -> tuple[Dispatches, npt.NDArray[np.int64]]:
    """Dispatches judged by models that did not see the letter, and the fold of each."""
    letter_fold = np.random.default_rng(SEED).integers(0, N_FOLDS, len(cases))
    parts, folds = [], []
    for k in range(N_FOLDS):
        seen = [case for case, f in zip(cases, letter_fold, strict=True) if f != k]
        train_bundle([*seen, *more], folder / str(k), TrainArguments())
        held = [case for case, f in zip(cases, letter_fold, strict=True) if f == k]
        part, _ = simulate(Triage.load(folder / str(k)), held)
        parts.append(part)
        folds.append(np.full(len(part.p_unit), k))
    joined = [np.concatenate([getattr(part, name) for part in parts]) for name in Dispatches.__dataclass_fields__]
    return Dispatches(*joined), np.concatenate(folds)


def simulate(triage: Triage, cases: Sequence[Case]) -> tuple[Dispatches, list[Case]]:
    """Four dispatches of every case that has a unit of the city and a department."""
    rng = np.random.default_rng(SEED)
    known = [c for c in cases if c.labels.department and c.labels.unit not in (None, UNKNOWN_UNIT, OUTSIDE_UNIT)]
    departments = [str(c.labels.department) for c in known]
    units = [unit.id for unit in triage.bundle.taxonomy.units]
    rows: list[tuple[float, float, bool, bool]] = []
    for case in known:
        row = {head: p[0] for head, p in triage.probabilities([case]).items()}
        suggestion = triage.suggest(case, row)
        unit, department = str(case.labels.unit), str(case.labels.department)
        named = {u for e in suggestion.unit.evidence for u in e.units} | {c.label for c in suggestion.unit.alternatives}
        other_unit = rng.choice(sorted((named & set(units)) - {unit}) or sorted(set(units) - {unit}))
        co = case.labels.co_department
        other = co if co and co != department else rng.choice([d for d in departments if d != department])
        for u, d in ((unit, department), (unit, department), (str(other_unit), department), (unit, str(other))):
            p = dispatch_probabilities(triage, suggestion, row, u, d)
            rows.append((*p, u != unit, d != department))
    columns = list(zip(*rows, strict=True))
    return Dispatches(*(np.array(column) for column in columns)), known


def fit(dispatches: Dispatches) -> Curves:
    """The two curves of largest likelihood for ``P(return) = 1 - right_unit * right_department``."""
    truth = dispatches.returned

    def loss(x: npt.NDArray[np.float64]) -> float:
        p = np.clip(dispatches.scores(((x[0], x[1]), (x[2], x[3]))), 1e-6, 1 - 1e-6)
        return float(-np.where(truth, np.log(p), np.log(1 - p)).mean()) + 1e-4 * float(x @ x)

    best = minimize(loss, np.array([1.0, 1.0, 1.0, 1.0]), method="Nelder-Mead", options={"maxiter": 400}).x
    return (float(best[0]), float(best[1])), (float(best[2]), float(best[3]))


def report(name: str, dispatches: Dispatches, scores: npt.NDArray[np.float64]) -> None:
    """Print the figures of one set of dispatches."""
    truth = dispatches.returned
    two = np.stack([1 - scores, scores], axis=1)
    ece = expected_calibration_error(two, truth.astype(np.int64), bins=10)
    print(f"{name}: {len(truth)} dispatches, {truth.mean():.2f} of them wrong")
    print(f"AUROC {roc_auc_score(truth, scores):.3f}  Brier {brier_score_loss(truth, scores):.3f}  ECE {ece:.3f}")
    for kind, wrong in (("wrong unit", dispatches.wrong_unit), ("wrong department", dispatches.wrong_department)):
        kept = wrong | ~truth
        print(f"  {kind}: AUROC {roc_auc_score(truth[kept], scores[kept]):.3f}", end="")
        print(f"  caught at 0.5: {np.mean(scores[wrong] >= 0.5):.3f}")
    print(f"  right ones held up at 0.5: {np.mean(scores[~truth] >= 0.5):.3f}")
    for low in np.arange(0, 1, 0.2):
        kept = (scores >= low) & (scores < low + 0.2 + 1e-9)
        if kept.any():
            print(f"  said {scores[kept].mean():.2f}, came back {truth[kept].mean():.2f} ({kept.sum()})")


if __name__ == "__main__":
    main()
