"""A hidden layer over the n-grams that all heads share, beside the SVMs of ``training.linear``.

The SVMs learn every label alone. Here topics, departments, request types and, where cases carry them, the seven
letters7 labels shape one representation, so that a letter with one label teaches all tasks
(docs/decisions/0013-hidden-layer.md). Its logits are added to those of the SVMs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from models.classifier import MASKED

HIDDEN = 192
EPOCHS = 4
STEPS = 70
"""Least steps an epoch: few letters are seen in smaller batches, of ``SMALLEST`` letters or more."""
BATCH, SMALLEST = 512, 16
LEARNING_RATE = 8e-3
WARM_UP = 0.15
START = 0.1
"""Mean length of an n-gram's first, random vector: small, so that what is learned outweighs it."""
DROPOUT, NGRAM_DROPOUT = 0.5, 0.3
SMOOTHING = 0.1
WEIGHT = 0.7
"""Weight of the logits beside the SVMs'; 0.5 / 0.7 / 1 give department 0.841 / 0.844 / 0.841, topic 0.878 / 0.879 /
0.878, request type 0.840 / 0.841 / 0.843, out of fold on annotated letters."""
TASKS = ("topic", "department", "request_type", "aux")
"""Heads of the hidden layer. Urgency and domain are the SVMs' alone: they need class weights."""

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Perceptron:
    """``embedding`` ``(n_columns, HIDDEN)`` and ``bias`` ``(HIDDEN,)`` of the hidden layer; of each of ``TASKS``
    that it learned, ``weights`` ``(n_labels, HIDDEN)`` and ``biases`` ``(n_labels,)``, times ``WEIGHT`` already."""

    embedding: Floats
    bias: Floats
    weights: dict[str, Floats]
    biases: dict[str, Floats]

    def logits(self, rows: csr_matrix) -> dict[str, Floats]:
        """What is added to the logits of each head, ``(n_letters, n_labels)``."""
        hidden = np.maximum(np.asarray(rows @ self.embedding) + self.bias, 0)
        return {head: hidden @ weight.T + self.biases[head] for head, weight in self.weights.items()}


class _Network(nn.Module):
    def __init__(self, n_columns: int, heads: dict[str, list[str]]) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(n_columns, HIDDEN) * START / HIDDEN**0.5)
        self.bias = nn.Parameter(torch.zeros(HIDDEN))
        self.dropout = nn.Dropout(DROPOUT)
        self.outputs = nn.ModuleDict({head: nn.Linear(HIDDEN, len(ids)) for head, ids in heads.items()})

    def forward(self, rows: csr_matrix) -> list[Tensor]:
        values = nn.functional.dropout(torch.from_numpy(rows.data), NGRAM_DROPOUT)
        ids, starts = torch.from_numpy(rows.indices).long(), torch.from_numpy(rows.indptr[:-1]).long()
        hidden = nn.functional.embedding_bag(ids, self.embedding, starts, mode="sum", per_sample_weights=values)
        hidden = self.dropout(torch.relu(hidden + self.bias))
        return [layer(hidden) for layer in self.outputs.values()]


def fit_perceptron(rows: csr_matrix, labels: Integers, heads: dict[str, list[str]], *, seed: int) -> Perceptron | None:
    """Train the hidden layer with Adam on the letters that carry a label of ``TASKS``.

    Args:
        rows: TF-IDF rows ``(n_letters, n_columns)``, float32.
        labels: class indices ``(n_letters, n_heads)`` in the order of ``heads``, ``MASKED`` where unknown.
        heads: heads with their label ids, served or not.
        seed: of first weights, order and dropout.

    Returns:
        ``None`` where no letter carries a label of ``TASKS``.
    """
    tasks = {head: ids for head, ids in heads.items() if head in TASKS}
    targets = labels[:, [column for column, head in enumerate(heads) if head in tasks]]
    learned = np.flatnonzero((targets != MASKED).any(axis=1))
    known = [head for column, head in enumerate(tasks) if (targets[:, column] != MASKED).any()]
    if not known:
        return None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _train(_Network(rows.shape[1], tasks), rows[learned], torch.from_numpy(targets[learned]))
    weights, biases = {}, {}
    for head in known:
        layer = network.outputs[head]
        assert isinstance(layer, nn.Linear)
        weights[head] = np.float32(WEIGHT) * layer.weight.detach().numpy()
        biases[head] = np.float32(WEIGHT) * layer.bias.detach().numpy()
    return Perceptron(network.embedding.detach().numpy(), network.bias.detach().numpy(), weights, biases)


def _train(network: _Network, rows: csr_matrix, targets: Tensor) -> _Network:
    size = int(np.clip(len(targets) // STEPS, SMALLEST, BATCH))
    n_steps = EPOCHS * -(-len(targets) // size)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / (WARM_UP * n_steps)) * (1 - step / n_steps)
    )
    for _ in range(EPOCHS):
        for batch in torch.split(torch.randperm(len(targets)), size):
            loss = _loss(network(rows[batch.numpy()]), targets[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return network


def _loss(scores: list[Tensor], targets: Tensor) -> Tensor:
    """Sum over the tasks of the mean cross entropy of the letters that carry a label of it."""
    total = torch.zeros(())
    for column, logits in enumerate(scores):
        known = targets[:, column] != MASKED
        if known.any():
            total = total + nn.functional.cross_entropy(
                logits[known], targets[known, column], label_smoothing=SMOOTHING
            )
    return total
