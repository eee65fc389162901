"""The wide branch: one-against-rest linear SVMs over TF-IDF n-grams, written into ``EmbeddingBag`` and heads.

Averaged n-gram embeddings learned by SGD lose to TF-IDF + SVM on a few thousand letters. So SVMs are fitted: first
on every n-gram, to find the ``max_size`` that move the margins most, then on these alone. Chosen so, 140,000 n-grams
are worth more than the commonest 300,000 (docs/decisions/0007-all-ngrams-first.md). Beside them stands a hidden layer
over the same n-grams (``training.perceptron``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_matrix, hstack
from sklearn.svm import LinearSVC

from models.batching import Ngrams
from models.classifier import MASKED, FenbanClassifier
from models.features import Features, NgramVocabulary
from training.perceptron import Perceptron, fit_perceptron
from training.vectors import WordVectors

SCALE = 4.0
"""Logits per unit of SVM margin, so that both branches speak in logits of about one size."""
REGULARISATION = 0.5
"""``C`` of the SVMs; 0.25 / 0.5 / 1 give department 0.827 / 0.832 / 0.827, topic 0.878 / 0.875 / 0.875, out of fold on
annotated letters."""
ROUGH = 0.1
"""``C`` while n-grams are chosen: lower, since it is quicker; not tuned."""
BALANCED = frozenset({"urgency", "domain"})
"""Heads with class weights: missing a rare 特急 costs most. Elsewhere balancing lowers accuracy, since rare
classes are no worse to miss."""
MEANING = 0.55
"""Mean length of a letter's mean word vector beside its blocks of n-grams, which have length 1 each; 0.55 / 0.8 give
department 0.832 / 0.829, topic 0.875 / 0.879, request type 0.847 / 0.842, out of fold on annotated letters."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Wide:
    """Fitted SVMs, ``weights`` head to ``(n_labels, len(vocabulary))`` and ``biases`` head to ``(n_labels,)``; and the
    ``hidden`` layer over the same n-grams, if there is one."""

    vocabulary: NgramVocabulary
    weights: dict[str, Floats]
    biases: dict[str, Floats]
    hidden: Perceptron | None = None

    def logits(self, letters: Sequence[Features]) -> dict[str, Floats]:
        """Scaled margins per head, with the hidden layer's logits, ``(n_letters, n_labels)``."""
        rows = sparse([self.vocabulary.weigh(letter) for letter in letters], len(self.vocabulary))
        found = {head: SCALE * (np.asarray(rows @ w.T) + self.biases[head]) for head, w in self.weights.items()}
        for head, more in self.hidden.logits(rows).items() if self.hidden else ():
            if head in found:
                found[head] += more
        return found


def sparse(rows: Sequence[Ngrams], n_columns: int) -> csr_matrix:
    """TF-IDF rows as a scipy matrix ``(n_letters, n_columns)``."""
    ends = np.cumsum([0, *(len(ids) for ids, _ in rows)])
    values = np.concatenate([weights for _, weights in rows])
    return csr_matrix((values, np.concatenate([ids for ids, _ in rows]), ends), shape=(len(rows), n_columns))


def fit_wide(
    letters: Sequence[Features],
    labels: npt.NDArray[np.int64],
    heads: dict[str, list[str]],
    *,
    min_count: int,
    max_size: int,
    seed: int,
    vectors: WordVectors | None = None,
    tasks: dict[str, list[str]] | None = None,
) -> Wide:
    """Fit one SVM per head on the letters that carry its label, and the hidden layer that all heads share.

    Args:
        letters: what ``models.features.letter_features`` found in each.
        labels: class indices ``(n_letters, n_heads + n_tasks)``, ``MASKED`` where unknown.
        min_count: letters an n-gram must occur in.
        max_size: n-grams to keep.
        vectors: word vectors; the SVMs see a letter's mean vector beside its n-grams.
        tasks: further heads that shape the hidden layer, and are not served.

    Returns:
        A class without a letter has zero weights and bias -1, the margin of "no".
    """
    in_domain = np.ones(len(letters), bool)
    if "domain" in heads:
        in_domain = labels[:, list(heads).index("domain")] != heads["domain"].index("other")
    vocabulary = NgramVocabulary.fit(
        (letter for letter, kept in zip(letters, in_domain, strict=True) if kept),
        min_count=min_count,
        words=vectors.table if vectors else None,
    )
    if vocabulary.n_ngrams > max_size:
        rows = sparse([vocabulary.weigh(letter) for letter in letters], len(vocabulary))
        matrix, _ = _inputs(rows, vectors)
        weights, _ = _fit_svms(matrix, labels, {h: ids for h, ids in heads.items() if h != "domain"}, ROUGH, seed)
        vocabulary = vocabulary.keep(_most_moving(rows[in_domain, : vocabulary.n_ngrams], weights, max_size))
    rows = sparse([vocabulary.weigh(letter) for letter in letters], len(vocabulary))
    matrix, unfold = _inputs(rows, vectors)
    weights, biases = _fit_svms(matrix, labels, heads, REGULARISATION, seed)
    hidden = fit_perceptron(rows, labels, {**heads, **(tasks or {})}, seed=seed)
    return Wide(vocabulary, {head: unfold(weight) for head, weight in weights.items()}, biases, hidden)


def _fit_svms(
    matrix: csr_matrix, labels: npt.NDArray[np.int64], heads: dict[str, list[str]], c: float, seed: int
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    weights, biases = {}, {}
    for column, (head, ids) in enumerate(heads.items()):
        weight = np.zeros((len(ids), matrix.shape[1]), np.float32)
        bias = np.full(len(ids), -1.0, np.float32)
        known = np.flatnonzero(labels[:, column] != MASKED)
        present = np.unique(labels[known, column])
        if len(present) >= 2:
            balance = "balanced" if head in BALANCED else None
            machine = LinearSVC(C=c, class_weight=balance, random_state=seed)
            machine.fit(matrix[known], labels[known, column])
            two = len(present) == 2
            weight[present] = np.vstack([-machine.coef_, machine.coef_]) if two else machine.coef_
            bias[present] = np.append(-machine.intercept_, machine.intercept_) if two else machine.intercept_
        weights[head], biases[head] = weight, bias
    return weights, biases


def _most_moving(rows: csr_matrix, weights: dict[str, Floats], size: int) -> npt.NDArray[np.bool_]:
    """Which n-grams move the margins of all letters most, by squared weights times squared values: ``(n_ngrams,)``."""
    n = rows.shape[1]
    moved = np.asarray(rows.power(2).sum(axis=0)).ravel() * sum((w[:, :n] ** 2).sum(axis=0) for w in weights.values())
    kept = np.zeros(n, bool)
    kept[np.argsort(-moved, kind="stable")[:size]] = True
    return kept


def _inputs(rows: csr_matrix, vectors: WordVectors | None) -> tuple[csr_matrix, Callable[[Floats], Floats]]:
    """What the SVMs see, and how their weights become weights of n-grams and words.

    The last columns of ``rows``, one a word, become the mean vector of the letter's words; a weight of the
    mean is a weight of each word, by its vector.
    """
    if vectors is None:
        return rows, lambda weight: weight
    n_ngrams = rows.shape[1] - len(vectors.vectors)
    means = rows[:, n_ngrams:] @ vectors.vectors
    scale = np.float32(MEANING / (float(np.linalg.norm(means, axis=1).mean()) or 1.0))

    def unfold(weight: Floats) -> Floats:
        return np.hstack([weight[:, :n_ngrams], scale * weight[:, n_ngrams:] @ vectors.vectors.T])

    return hstack([rows[:, :n_ngrams], csr_matrix(scale * means)]).tocsr(), unfold


def fold_in(model: FenbanClassifier, wide: Wide) -> None:
    """Write the SVMs into ``model.wide``, one column a label, the hidden layer into ``model.hidden``, and their part of
    the heads."""
    if model.wide is None:
        raise ValueError("fold_in: the model has no n-gram branch")
    stacked = np.vstack([wide.weights[head] for head in model.config.heads])
    with torch.no_grad():
        model.wide.weight.copy_(torch.from_numpy(np.ascontiguousarray(stacked.T)))
        row = 0
        for head, layer in model.outputs.items():
            assert isinstance(layer, torch.nn.Linear)
            columns = torch.arange(layer.out_features)
            layer.weight.zero_()
            layer.weight[columns, row + columns] = SCALE
            layer.bias.copy_(SCALE * torch.from_numpy(wide.biases[head]))
            if wide.hidden and head in wide.hidden.weights:
                layer.weight[:, model.config.ngram_width : model.config.wide_width] = torch.from_numpy(
                    wide.hidden.weights[head]
                )
                layer.bias.add_(torch.from_numpy(wide.hidden.biases[head]))
            row += layer.out_features
        if wide.hidden:
            assert model.hidden is not None
            assert model.hidden_bias is not None
            model.hidden.weight.copy_(torch.from_numpy(wide.hidden.embedding))
            model.hidden_bias.copy_(torch.from_numpy(wide.hidden.bias))
