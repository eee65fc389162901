"""The wide branch's start: one-against-rest linear SVMs, folded into ``EmbeddingBag`` and heads.

Averaged n-gram embeddings learned by SGD lose to TF-IDF + SVM on a few thousand letters. So the
SVMs are fitted first, and their weight matrix ``(n_outputs, n_ngrams)`` is factored by its leading
eigenvectors into the embedding and the heads; the Trainer goes on from there.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_matrix
from sklearn.svm import LinearSVC

from models.batching import Ngrams
from models.classifier import MASKED, FenbanClassifier

SCALE = 4.0
"""Logits per unit of SVM margin: cross entropy starts near its optimum instead of rescaling weights."""


def sparse(rows: list[Ngrams], n_columns: int) -> csr_matrix:
    """TF-IDF rows as a scipy matrix ``(n_letters, n_columns)``."""
    ends = np.cumsum([0, *(len(ids) for ids, _ in rows)])
    values = np.concatenate([weights for _, weights in rows])
    return csr_matrix((values, np.concatenate([ids for ids, _ in rows]), ends), shape=(len(rows), n_columns))


def fit_heads(
    rows: list[Ngrams],
    labels: npt.NDArray[np.int64],
    heads: dict[str, list[str]],
    n_ngrams: int,
    *,
    balanced: frozenset[str] = frozenset({"urgency"}),
    seed: int,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Fit one SVM per head on the letters that carry its label.

    Class weights are balanced for urgency alone: 特急 is rarer than 1 in 50 and missing it costs most;
    for the other heads balancing lowers accuracy, since rare classes there are no worse to miss.

    Returns:
        Weights ``(n_outputs, n_ngrams)`` and biases ``(n_outputs,)``, heads end to end. A class
        without a letter has zero weights and bias -1, the margin of "no".
    """
    matrix = sparse(rows, n_ngrams)
    weights, biases = [], []
    for column, (head, ids) in enumerate(heads.items()):
        weight = np.zeros((len(ids), n_ngrams), np.float32)
        bias = np.full(len(ids), -1.0, np.float32)
        known = np.flatnonzero(labels[:, column] != MASKED)
        present = np.unique(labels[known, column])
        if len(present) >= 2:
            machine = LinearSVC(C=1.0, class_weight="balanced" if head in balanced else None, random_state=seed)
            machine.fit(matrix[known], labels[known, column])
            two = len(present) == 2
            weight[present] = np.vstack([-machine.coef_, machine.coef_]) if two else machine.coef_
            bias[present] = np.append(-machine.intercept_, machine.intercept_) if two else machine.intercept_
        weights.append(weight)
        biases.append(bias)
    return np.vstack(weights), np.concatenate(biases)


def fold_in(model: FenbanClassifier, weights: npt.NDArray[np.float32], biases: npt.NDArray[np.float32]) -> None:
    """Write the SVMs into ``model.wide`` and the n-gram part of its heads, best rank-``ngram_dim`` fit."""
    if model.wide is None:
        raise ValueError("fold_in: the model has no n-gram branch")
    dim = model.config.ngram_dim
    _, vectors = np.linalg.eigh(weights @ weights.T)
    basis = vectors[:, ::-1][:, :dim]
    with torch.no_grad():
        model.wide.weight.zero_()
        model.wide.weight[:, : basis.shape[1]] = torch.from_numpy(np.ascontiguousarray(weights.T @ basis))
        row = 0
        for layer in model.outputs.values():
            assert isinstance(layer, torch.nn.Linear)
            rows = slice(row, row + layer.out_features)
            layer.weight.zero_()
            layer.weight[:, : basis.shape[1]] = SCALE * torch.from_numpy(basis[rows].copy())
            layer.bias.copy_(SCALE * torch.from_numpy(biases[rows]))
            if model.deep is not None:
                torch.nn.init.normal_(layer.weight[:, dim:], std=0.02)
            row = rows.stop
