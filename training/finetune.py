"""Fine-tune the classifier on cases with the Hugging Face Trainer.

    fenban train --data work/cases.parquet --out work/bundle

The n-gram branch starts from SVMs (``training.linear``) and stays as it is; the Trainer fits the
encoder and its part of the heads. A missing label is masked in the loss, never guessed.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from datasets import Dataset
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel, AutoTokenizer, Trainer, TrainingArguments, set_seed

from models.batching import Batch, Ngrams, collate_ngrams, collate_tokens, encode_tokens, make_batch, special_id
from models.case import Case
from models.classifier import MASKED, FenbanClassifier, FenbanConfig
from models.features import NgramVocabulary, letter_hashes
from models.taxonomy import HEADS, Taxonomy
from training.linear import fit_heads, fold_in

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class TrainArguments:
    """Options of a fine-tuning run.

    Attributes:
        encoder: name or folder of a Hugging Face encoder; ``tiny`` builds a small BERT from scratch;
            empty leaves the encoder out.
        ngrams: whether the n-gram branch is used.
        max_ngrams, min_count: size of the n-gram vocabulary, and letters an n-gram must occur in.
        ngram_dim: rank of the n-gram branch.
        epochs, batch_size, learning_rate: of the Trainer; not used without an encoder.
        max_tokens: tokens of a letter that the encoder reads.
        seed: of initialisation, SVMs, data order and dropout.
    """

    encoder: str = ""
    ngrams: bool = True
    max_ngrams: int = 100_000
    min_count: int = 3
    ngram_dim: int = 72
    epochs: float = 3.0
    batch_size: int = 32
    learning_rate: float = 3e-4
    max_tokens: int = 128
    seed: int = 20261124

    def __post_init__(self) -> None:
        if not self.encoder and not self.ngrams:
            raise ValueError("give --encoder, or leave the n-gram branch on: a model needs at least one branch")
        for name in ("max_ngrams", "min_count", "ngram_dim", "epochs", "batch_size", "learning_rate", "max_tokens"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")


@dataclass(frozen=True)
class Classifier:
    """A trained model with what turns letters into its inputs."""

    model: FenbanClassifier
    vocabulary: NgramVocabulary | None
    tokenizer: Tokenizer | None

    def logits(self, cases: Sequence[Case], *, batch_size: int = 64) -> dict[str, npt.NDArray[np.float32]]:
        """Logits per head, ``(n_cases, n_labels)``."""
        parts: dict[str, list[npt.NDArray[np.float32]]] = {head: [] for head in self.model.config.heads}
        self.model.eval()
        with torch.inference_mode():
            for start in range(0, len(cases), batch_size):
                letters = [(c.title, c.body) for c in cases[start : start + batch_size]]
                batch = make_batch(letters, self.vocabulary, self.tokenizer, self.model.config.max_tokens)
                for head, scores in self.model(**batch).logits.items():
                    parts[head].append(scores.float().numpy())
        return {head: np.concatenate(rows) for head, rows in parts.items()}


def label_matrix(cases: Sequence[Case], heads: dict[str, list[str]]) -> npt.NDArray[np.int64]:
    """Class index per case and head, ``(n_cases, n_heads)``, ``-100`` where the label is missing.

    Raises:
        ValueError: a label that the head does not have; names the case and the head.
    """
    index = {head: {label: i for i, label in enumerate(ids)} for head, ids in heads.items()}
    matrix = np.full((len(cases), len(heads)), MASKED, np.int64)
    for row, case in enumerate(cases):
        for column, head in enumerate(heads):
            label = getattr(case.labels, head)
            if label is None:
                continue
            if label not in index[head]:
                raise ValueError(f"case {case.id}: {head} {label!r} is not in the taxonomy; import the file again")
            matrix[row, column] = index[head][label]
    return matrix


def make_heads(cases: Sequence[Case], taxonomy: Taxonomy) -> dict[str, list[str]]:
    """Heads of the taxonomy, and ``aux`` with the labels found where the data has an auxiliary task."""
    heads = {head: taxonomy.ids(head) for head in HEADS}
    auxiliary = sorted({c.labels.aux for c in cases if c.labels.aux})
    return {**heads, "aux": auxiliary} if auxiliary else heads


def finetune(cases: Sequence[Case], heads: dict[str, list[str]], args: TrainArguments) -> Classifier:
    """Train one classifier on ``cases``.

    Raises:
        ValueError: no cases, or a label outside ``heads``.
    """
    if not cases:
        raise ValueError("no cases to train on")
    set_seed(args.seed)
    labels = label_matrix(cases, heads)
    vocabulary, rows = _vocabulary(cases, args) if args.ngrams else (None, [])
    deep, tokenizer = load_encoder(args.encoder, args.seed) if args.encoder else (None, None)
    config = FenbanConfig(
        heads=heads,
        vocabulary_size=len(vocabulary.hashes) if vocabulary else 0,
        ngram_dim=args.ngram_dim,
        encoder=deep.config.to_dict() if deep is not None else None,
        max_tokens=args.max_tokens,
    )
    model = FenbanClassifier(config)
    if vocabulary:
        weights, biases = fit_heads(rows, labels, heads, len(vocabulary.hashes), seed=args.seed)
        fold_in(model, weights, biases)
    if deep is not None and tokenizer is not None and model.deep is not None:
        model.deep.load_state_dict(deep.state_dict())
        _run_trainer(model, cases, rows, labels, tokenizer, args)
    return Classifier(model.eval(), vocabulary, tokenizer)


def load_encoder(name: str, seed: int) -> tuple[Any, Tokenizer]:
    """Any Hugging Face encoder with its fast tokenizer, by name or folder; ``tiny`` is made here.

    Raises:
        ValueError: the tokenizer has no ``tokenizer.json`` (only fast tokenizers are served).
    """
    if name == "tiny":
        folder = DATA / "tiny_encoder"
        set_seed(seed)
        return AutoModel.from_config(AutoConfig.from_pretrained(folder)), Tokenizer.from_file(
            str(folder / "tokenizer.json")
        )
    model = AutoModel.from_pretrained(name)
    tokenizer = AutoTokenizer.from_pretrained(name)
    if not tokenizer.is_fast:
        raise ValueError(f"--encoder {name}: has no fast tokenizer (tokenizer.json); choose one that has")
    return model, tokenizer.backend_tokenizer


def _vocabulary(cases: Sequence[Case], args: TrainArguments) -> tuple[NgramVocabulary, list[Ngrams]]:
    hashed = [letter_hashes(c.title, c.body) for c in cases]
    vocabulary = NgramVocabulary.fit((h for h, _ in hashed), min_count=args.min_count, max_size=args.max_ngrams)
    return vocabulary, [vocabulary.weigh(*pair) for pair in hashed]


def _run_trainer(
    model: FenbanClassifier,
    cases: Sequence[Case],
    rows: list[Ngrams],
    labels: npt.NDArray[np.int64],
    tokenizer: Tokenizer,
    args: TrainArguments,
) -> None:
    tokens = [encode_tokens(tokenizer, c.title, c.body, args.max_tokens) for c in cases]
    dataset = Dataset.from_dict({"row": list(range(len(cases))), "length": [len(t) for t in tokens]})
    pad = special_id(tokenizer, "[PAD]")

    def collate(examples: list[dict[str, int]]) -> Batch:
        index = [example["row"] for example in examples]
        batch = collate_tokens([tokens[i] for i in index], pad)
        if rows:
            batch.update(collate_ngrams([rows[i] for i in index]))
        batch["labels"] = torch.from_numpy(labels[index])
        return batch

    if model.wide is not None:
        model.wide.weight.requires_grad_(False)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=folder,
                num_train_epochs=args.epochs,
                per_device_train_batch_size=args.batch_size,
                learning_rate=args.learning_rate,
                warmup_steps=0.1,
                weight_decay=0.01,
                lr_scheduler_type="linear",
                train_sampling_strategy="group_by_length",
                length_column_name="length",
                remove_unused_columns=False,
                save_strategy="no",
                logging_steps=50,
                report_to=[],
                seed=args.seed,
                use_cpu=not torch.cuda.is_available(),
            ),
            train_dataset=dataset,
            data_collator=collate,
        )
        trainer.train()


def describe(args: TrainArguments) -> str:
    """The options as one line of JSON, for the model card."""
    return json.dumps(args.__dict__, ensure_ascii=False)
