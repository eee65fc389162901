"""Learn the place model from labelled letters, and measure it on letters it was not fitted on.

    fenban gazetteer fit training/data/authored.jsonl training/data/extra_urgency.jsonl \
        training/data/extra_departments.jsonl ../shared/data/annotated.jsonl -o models/data/place_model.json

A conditional logit with an L2 penalty; the folds are by a hash of the text, so a letter keeps its fold. Temperature,
the threshold of the sets and every figure come from predictions out of fold.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar

from models.case import MAX_BODY, MAX_TITLE, Letter
from models.places.ranker import FEATURES, PlaceModel, features
from models.places.resolver import PlaceResolver
from models.suggestion import UNKNOWN_UNIT
from models.taxonomy import Taxonomy

FOLDS = 5
PENALTY = 2.0
SET_ERROR = 0.02
MAX_SET_AT = 0.1
"""The true unit may be outside the set for this share of the letters; a unit with ``MAX_SET_AT`` is always in."""
ANSWER_AT = 0.6
Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """One letter with candidates: vectors ``(n_candidates, n_features)``, and the row that is true."""

    name: str
    labels: list[str]
    vectors: Vector
    truth: int
    fold: int


def read_labelled(path: Path, taxonomy: Taxonomy) -> Iterator[tuple[str, Letter, str]]:
    """Id, letter and true unit (or ``unknown``) of each line; a letter without ``district`` is of another city."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        letter = Letter(title=row["title"][:MAX_TITLE], body=row["body"][:MAX_BODY])
        yield str(row.get("id", "")), letter, taxonomy.unit_code(row.get("district", "")) or UNKNOWN_UNIT


def fold_of(letter: Letter) -> int:
    """The fold of a letter, by a hash of its text."""
    return zlib.crc32((letter.title + letter.body).encode()) % FOLDS


def examples(resolver: PlaceResolver, letters: Iterable[tuple[str, Letter, str]]) -> list[Example]:
    """Letters for which something points to a unit; a unit that nothing points to counts as ``unknown``."""
    found = []
    for name, letter, truth in letters:
        candidates = features(resolver.read(letter))
        if not candidates:
            continue
        labels = list(candidates)
        vectors = np.array([[candidates[label].get(name, 0.0) for name in FEATURES] for label in labels])
        row = labels.index(truth if truth in candidates else UNKNOWN_UNIT)
        found.append(Example(name, labels, vectors, row, fold_of(letter)))
    return found


def fit(chosen: list[Example]) -> Vector:
    """Weights of ``FEATURES`` that make the true candidates most likely, ``(n_features,)``."""
    stacked = np.concatenate([example.vectors for example in chosen])
    sizes = np.array([len(example.labels) for example in chosen])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    true_rows = starts + np.array([example.truth for example in chosen])
    group = np.repeat(np.arange(len(chosen)), sizes)

    def loss(weights: Vector) -> tuple[float, Vector]:
        logits = stacked @ weights
        logits -= np.maximum.reduceat(logits, starts)[group]
        odds = np.exp(logits)
        probabilities = odds / np.add.reduceat(odds, starts)[group]
        gradient = stacked.T @ probabilities - stacked[true_rows].sum(axis=0) + PENALTY * weights
        value = -np.log(probabilities[true_rows]).sum() + PENALTY / 2 * weights @ weights
        return float(value), gradient

    return np.asarray(minimize(loss, np.zeros(len(FEATURES)), jac=True, method="L-BFGS-B").x)


def predict(example: Example, weights: Vector, temperature: float = 1.0) -> Vector:
    """Probabilities of the candidates, ``(n_candidates,)``."""
    logits = example.vectors @ weights / temperature
    odds = np.exp(logits - logits.max())
    return np.asarray(odds / odds.sum())


def weights_by_fold(found: list[Example]) -> list[Vector]:
    """For each fold the weights that were fitted without it."""
    return [fit([e for e in found if e.fold != fold]) for fold in range(FOLDS)]


def models_by_fold(found: list[Example]) -> list[PlaceModel]:
    """For each fold a model whose weights were fitted without it, for measuring out of fold."""
    model, _ = fit_model(found)
    fitted = [dict(zip(FEATURES, weights.tolist(), strict=True)) for weights in weights_by_fold(found)]
    return [replace(model, weights=weights) for weights in fitted]


def fit_model(found: list[Example]) -> tuple[PlaceModel, dict[str, float]]:
    """The model fitted on all examples, with temperature, set threshold and figures from out-of-fold predictions."""
    by_fold = weights_by_fold(found)

    def nll(temperature: float) -> float:
        return -sum(float(np.log(predict(e, by_fold[e.fold], temperature)[e.truth])) for e in found)

    temperature = float(minimize_scalar(nll, bounds=(0.5, 3.0), method="bounded").x)
    held_out = [(e, predict(e, by_fold[e.fold], temperature)) for e in found]
    true = sorted(float(p[e.truth]) for e, p in held_out if e.labels[e.truth] != UNKNOWN_UNIT)
    set_at = min(MAX_SET_AT, round(true[max(0, int(SET_ERROR * (len(true) + 1)) - 1)], 4))
    answered = right = 0
    for example, probabilities in held_out:
        best = int(np.argmax(probabilities))
        if example.labels[best] != UNKNOWN_UNIT and probabilities[best] >= ANSWER_AT:
            answered, right = answered + 1, right + (best == example.truth)
    model = PlaceModel(dict(zip(FEATURES, fit(found).tolist(), strict=True)), round(temperature, 4), set_at, ANSWER_AT)
    held_in = sum(float(p[e.truth]) >= set_at for e, p in held_out if e.labels[e.truth] != UNKNOWN_UNIT)
    facts = {
        "letters": len(found),
        "answered": answered,
        "right_when_answering": round(right / max(1, answered), 4),
        "set_coverage": round(held_in / len(true), 4),
        "log_loss": round(nll(temperature) / len(found), 4),
    }
    return model, facts
