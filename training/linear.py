"""The wide branch: one-against-rest linear SVMs over TF-IDF n-grams, folded into ``EmbeddingBag`` and heads.

Averaged n-gram embeddings learned by SGD lose to TF-IDF + SVM on a few thousand letters. So SVMs are
fitted, and their weight matrix ``(n_outputs, n_ngrams)`` is factored by its leading eigenvectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_matrix
from sklearn.svm import LinearSVC

from models.batching import Ngrams
from models.classifier import MASKED, FenbanClassifier
from models.features import NgramVocabulary

SCALE = 4.0
"""Logits per unit of SVM margin, so that both branches speak in logits of about one size."""
REGULARISATION = 2.0
"""``C`` of the SVMs; 2.0 was 0.4 points above 1.0 for the department, out of fold on annotated letters."""
BALANCED = frozenset({"urgency", "domain"})
"""Heads with class weights: missing a rare 特急 costs most. Elsewhere balancing lowers accuracy, since rare
classes are no worse to miss."""

Floats = npt.NDArray[np.float32]
Counted = tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]


@dataclass(frozen=True)
class Wide:
    """Fitted SVMs: ``weights`` head to ``(n_labels, n_ngrams)``, ``biases`` head to ``(n_labels,)``."""

    vocabulary: NgramVocabulary
    weights: dict[str, Floats]
    biases: dict[str, Floats]

    def logits(self, letters: Sequence[Counted]) -> dict[str, Floats]:
        """Scaled margins per head, ``(n_letters, n_labels)``."""
        rows = sparse([self.vocabulary.weigh(*pair) for pair in letters], len(self.vocabulary.hashes))
        return {head: SCALE * (np.asarray(rows @ w.T) + self.biases[head]) for head, w in self.weights.items()}


def sparse(rows: Sequence[Ngrams], n_columns: int) -> csr_matrix:
    """TF-IDF rows as a scipy matrix ``(n_letters, n_columns)``."""
    ends = np.cumsum([0, *(len(ids) for ids, _ in rows)])
    values = np.concatenate([weights for _, weights in rows])
    return csr_matrix((values, np.concatenate([ids for ids, _ in rows]), ends), shape=(len(rows), n_columns))


def fit_wide(
    letters: Sequence[Counted],
    labels: npt.NDArray[np.int64],
    heads: dict[str, list[str]],
    *,
    min_count: int,
    max_size: int,
    seed: int,
) -> Wide:
    """Fit one SVM per head on the letters that carry its label.

    Args:
        letters: n-gram hashes and counts, see ``models.features.letter_hashes``.
        labels: class indices ``(n_letters, n_heads)``, ``MASKED`` where unknown.

    Returns:
        A class without a letter has zero weights and bias -1, the margin of "no".
    """
    in_domain = np.ones(len(letters), bool)
    if "domain" in heads:
        in_domain = labels[:, list(heads).index("domain")] != heads["domain"].index("other")
    vocabulary = NgramVocabulary.fit(
        (hashes for (hashes, _), kept in zip(letters, in_domain, strict=True) if kept),
        min_count=min_count,
        max_size=max_size,
    )
    matrix = sparse([vocabulary.weigh(*pair) for pair in letters], len(vocabulary.hashes))
    weights, biases = {}, {}
    for column, (head, ids) in enumerate(heads.items()):
        weight = np.zeros((len(ids), len(vocabulary.hashes)), np.float32)
        bias = np.full(len(ids), -1.0, np.float32)
        known = np.flatnonzero(labels[:, column] != MASKED)
        present = np.unique(labels[known, column])
        if len(present) >= 2:
            balance = "balanced" if head in BALANCED else None
            machine = LinearSVC(C=REGULARISATION, class_weight=balance, random_state=seed)
            machine.fit(matrix[known], labels[known, column])
            two = len(present) == 2
            weight[present] = np.vstack([-machine.coef_, machine.coef_]) if two else machine.coef_
            bias[present] = np.append(-machine.intercept_, machine.intercept_) if two else machine.intercept_
        weights[head], biases[head] = weight, bias
    return Wide(vocabulary, weights, biases)


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
