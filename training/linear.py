"""The wide branch: one-against-rest linear SVMs over TF-IDF n-grams, folded into ``EmbeddingBag`` and heads.

Averaged n-gram embeddings learned by SGD lose to TF-IDF + SVM on a few thousand letters. So SVMs are
fitted, and their weight matrix ``(n_outputs, n_ngrams)`` is factored by its leading eigenvectors.
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
from training.vectors import WordVectors

SCALE = 4.0
"""Logits per unit of SVM margin, so that both branches speak in logits of about one size."""
REGULARISATION = 2.0
"""``C`` of the SVMs; 2.0 was 0.4 points above 1.0 for the department, out of fold on annotated letters."""
BALANCED = frozenset({"urgency", "domain"})
"""Heads with class weights: missing a rare 特急 costs most. Elsewhere balancing lowers accuracy, since rare
classes are no worse to miss."""

MEANING = 0.45
"""Mean length of a letter's mean word vector beside its n-grams, which have length 1. Out of fold on annotated letters:
0 / 0.3 / 0.45 give department 0.811 / 0.817 / 0.818, topic 0.863 / 0.869 / 0.869."""
MANNER = frozenset({"request_type"})
"""Heads about how a thing is said, not what: word vectors cost the request type 0.6 points; it sees n-grams alone."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Wide:
    """Fitted SVMs: ``weights`` head to ``(n_labels, len(vocabulary))``, ``biases`` head to ``(n_labels,)``."""

    vocabulary: NgramVocabulary
    weights: dict[str, Floats]
    biases: dict[str, Floats]

    def logits(self, letters: Sequence[Features]) -> dict[str, Floats]:
        """Scaled margins per head, ``(n_letters, n_labels)``."""
        rows = sparse([self.vocabulary.weigh(letter) for letter in letters], len(self.vocabulary))
        return {head: SCALE * (np.asarray(rows @ w.T) + self.biases[head]) for head, w in self.weights.items()}


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
) -> Wide:
    """Fit one SVM per head on the letters that carry its label.

    Args:
        letters: what ``models.features.letter_features`` found in each.
        labels: class indices ``(n_letters, n_heads)``, ``MASKED`` where unknown.
        vectors: word vectors; the SVMs see a letter's mean vector beside its n-grams.

    Returns:
        A class without a letter has zero weights and bias -1, the margin of "no".
    """
    in_domain = np.ones(len(letters), bool)
    if "domain" in heads:
        in_domain = labels[:, list(heads).index("domain")] != heads["domain"].index("other")
    vocabulary = NgramVocabulary.fit(
        (letter.hashes for letter, kept in zip(letters, in_domain, strict=True) if kept),
        min_count=min_count,
        max_size=max_size,
        words=vectors.table if vectors else None,
    )
    matrix, unfold = _inputs(sparse([vocabulary.weigh(letter) for letter in letters], len(vocabulary)), vectors)
    weights, biases = {}, {}
    for column, (head, ids) in enumerate(heads.items()):
        weight = np.zeros((len(ids), matrix.shape[1]), np.float32)
        bias = np.full(len(ids), -1.0, np.float32)
        known = np.flatnonzero(labels[:, column] != MASKED)
        present = np.unique(labels[known, column])
        if len(present) >= 2:
            balance = "balanced" if head in BALANCED else None
            machine = LinearSVC(C=REGULARISATION, class_weight=balance, random_state=seed)
            seen = matrix[:, : len(vocabulary.hashes)] if head in MANNER else matrix
            machine.fit(seen[known], labels[known, column])
            two = len(present) == 2
            weight[present, : seen.shape[1]] = np.vstack([-machine.coef_, machine.coef_]) if two else machine.coef_
            bias[present] = np.append(-machine.intercept_, machine.intercept_) if two else machine.intercept_
        weights[head], biases[head] = unfold(weight), bias
    return Wide(vocabulary, weights, biases)


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
    """Write the SVMs into ``model.wide`` and the n-gram part of its heads, best rank-``ngram_dim`` fit."""
    if model.wide is None:
        raise ValueError("fold_in: the model has no n-gram branch")
    dim = model.config.ngram_dim
    stacked = np.vstack([wide.weights[head] for head in model.config.heads])
    _, vectors = np.linalg.eigh(stacked @ stacked.T)
    basis = vectors[:, ::-1][:, :dim]
    with torch.no_grad():
        model.wide.weight.zero_()
        model.wide.weight[:, : basis.shape[1]] = torch.from_numpy(np.ascontiguousarray(stacked.T @ basis))
        row = 0
        for head, layer in model.outputs.items():
            assert isinstance(layer, torch.nn.Linear)
            rows = slice(row, row + layer.out_features)
            layer.weight.zero_()
            layer.weight[:, : basis.shape[1]] = SCALE * torch.from_numpy(basis[rows].copy())
            layer.bias.copy_(SCALE * torch.from_numpy(wide.biases[head]))
            row = rows.stop
