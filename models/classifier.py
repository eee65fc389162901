"""The wide-and-deep, multi-head letter classifier as a Hugging Face ``PreTrainedModel``.

Wide: TF-IDF weighted n-grams in an ``EmbeddingBag``, one column a label, and beside it a hidden layer over the same
n-grams. Deep: any ``AutoModel`` encoder over title and body. Their features meet before one linear head per task.
Either branch can be left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

MASKED = -100


class FenbanConfig(PreTrainedConfig):
    """Configuration of ``FenbanClassifier``.

    Args:
        heads: head name to its label ids, in the order of the logits; made from the taxonomy.
        vocabulary_size: n-grams and words known; 0 leaves the wide branch out.
        hidden_size: width of the hidden layer over the n-grams; 0 leaves it out.
        encoder: configuration of the encoder as a dict with ``model_type``; ``None`` leaves it out.
        max_tokens: tokens of title and body that the encoder reads.
    """

    model_type = "fenban"

    def __init__(
        self,
        heads: dict[str, list[str]] | None = None,
        vocabulary_size: int = 0,
        hidden_size: int = 0,
        encoder: dict[str, Any] | None = None,
        max_tokens: int = 128,
        **kwargs: Any,
    ) -> None:
        self.heads = heads or {}
        self.vocabulary_size = vocabulary_size
        self.hidden_size = hidden_size
        self.encoder = encoder
        self.max_tokens = max_tokens
        super().__init__(**kwargs)

    @property
    def ngram_width(self) -> int:
        """Width of the n-gram embedding: a column for each label of all heads; 0 without the wide branch."""
        return sum(len(ids) for ids in self.heads.values()) if self.vocabulary_size else 0

    @property
    def wide_width(self) -> int:
        """Features of the n-grams that the heads see: the labels' columns, then the hidden layer."""
        return self.ngram_width + self.hidden_size


@dataclass
class ClassifierOutput(ModelOutput):
    """``loss`` is a scalar where labels were given; ``logits`` maps a head to ``(batch, n_labels)``."""

    loss: Tensor | None = None
    logits: dict[str, Tensor] | None = None


class FenbanClassifier(PreTrainedModel):
    """Topic, department, urgency, request type (and an auxiliary task) of a letter.

    Raises:
        ValueError: both branches are left out, or there is no head.
    """

    config_class = FenbanConfig
    base_model_prefix = "fenban"

    def __init__(self, config: FenbanConfig) -> None:
        super().__init__(config)
        if not config.heads:
            raise ValueError("FenbanConfig.heads is empty: give the label ids of at least one head")
        if not config.vocabulary_size and config.encoder is None:
            raise ValueError("FenbanConfig: set vocabulary_size or encoder; a model needs at least one branch")
        has_hidden = self.has_wide and config.hidden_size > 0
        self.wide = nn.EmbeddingBag(config.vocabulary_size, config.ngram_width, mode="sum") if self.has_wide else None
        self.hidden = nn.EmbeddingBag(config.vocabulary_size, config.hidden_size, mode="sum") if has_hidden else None
        self.hidden_bias = nn.Parameter(torch.zeros(config.hidden_size)) if has_hidden else None
        self.deep = AutoModel.from_config(_encoder_config(config.encoder)) if config.encoder else None
        width = config.wide_width + (self.deep.config.hidden_size if self.deep else 0)
        self.dropout = nn.Dropout(0.1)
        self.outputs = nn.ModuleDict({head: nn.Linear(width, len(ids)) for head, ids in config.heads.items()})
        self.post_init()

    @property
    def has_wide(self) -> bool:
        return bool(self.config.vocabulary_size)

    def forward(
        self,
        ngram_ids: Tensor | None = None,
        ngram_offsets: Tensor | None = None,
        ngram_weights: Tensor | None = None,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        **_: Any,
    ) -> ClassifierOutput:
        """Score a batch.

        Args:
            ngram_ids, ngram_weights: n-grams of all letters end to end, ``(n,)``.
            ngram_offsets: where each letter begins in them, ``(batch,)``.
            input_ids, attention_mask: tokens ``(batch, length)``.
            labels: class indices ``(batch, n_heads)`` in the order of ``config.heads``; ``-100`` is unknown.
        """
        features = []
        if self.wide is not None:
            if ngram_weights is None:
                raise ValueError("ngram_weights is missing: the model has an n-gram branch; see models.batching")
            weights = ngram_weights.to(self.wide.weight.dtype)
            features.append(self.wide(ngram_ids, ngram_offsets, per_sample_weights=weights).float())
            if self.hidden is not None:
                hidden = self.hidden(ngram_ids, ngram_offsets, per_sample_weights=weights).float()
                features.append(torch.relu(hidden + self.hidden_bias))
        if self.deep is not None:
            if attention_mask is None:
                raise ValueError("attention_mask is missing: the model has an encoder; see models.batching")
            states = self.deep(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(states.dtype)
            features.append(self.dropout(((states * mask).sum(1) / mask.sum(1)).float()))
        joined = torch.cat(features, dim=-1)
        logits = {head: layer(joined) for head, layer in self.outputs.items()}
        return ClassifierOutput(loss=None if labels is None else masked_loss(logits, labels), logits=logits)


def masked_loss(logits: dict[str, Tensor], labels: Tensor) -> Tensor:
    """Mean over heads of the cross entropy over the letters that carry a label of that head."""
    losses = []
    for column, scores in enumerate(logits.values()):
        known = labels[:, column] != MASKED
        if known.any():
            losses.append(nn.functional.cross_entropy(scores[known].float(), labels[known, column]))
    if not losses:
        return sum(scores.sum() * 0.0 for scores in logits.values())  # type: ignore[return-value]
    return torch.stack(losses).mean()


def _encoder_config(raw: dict[str, Any]) -> PreTrainedConfig:
    values = dict(raw)
    return AutoConfig.for_model(values.pop("model_type"), **values)
