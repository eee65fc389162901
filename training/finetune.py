"""Fine-tune the deep branch, an encoder with one linear head per task, with the Hugging Face Trainer.

Called by ``training.crossfit``. A missing label is masked in the loss, never guessed; the seven letters7
labels are an auxiliary head of the encoder beside the taxonomy's topics, and are not served.
"""

from __future__ import annotations

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

from models.batching import Batch, collate_tokens, encode_tokens, special_id
from models.case import Case
from models.classifier import MASKED, FenbanClassifier, FenbanConfig
from models.precision import bf16_is_faster
from models.taxonomy import HEADS, Taxonomy

DATA = Path(__file__).parent / "data"
DOMAIN = ["letter", "other"]


@dataclass(frozen=True)
class TrainArguments:
    """Options of a training run.

    Attributes:
        encoder: name or folder of a Hugging Face encoder; ``tiny`` builds a small BERT from scratch;
            empty leaves the encoder out.
        ngrams: whether the n-gram branch is used.
        max_ngrams: n-grams to keep, those that move the margins most.
        min_count: letters an n-gram must occur in.
        vectors: file of word vectors (``training.vectors``) for the n-gram branch; empty leaves them out.
        titles: whether the n-gram branch also learns each title as a short letter of its own.
        epochs, batch_size, learning_rate: of the Trainer; not used without an encoder.
        max_tokens: tokens of a letter that the encoder reads.
        seed: of initialisation, SVMs, data order and dropout.
    """

    encoder: str = ""
    ngrams: bool = True
    max_ngrams: int = 100_000
    min_count: int = 2
    vectors: str = ""
    titles: bool = True
    epochs: float = 4.0
    batch_size: int = 32
    learning_rate: float = 5e-4
    max_tokens: int = 256
    seed: int = 20261124

    def __post_init__(self) -> None:
        if not self.encoder and not self.ngrams:
            raise ValueError("give --encoder, or leave the n-gram branch on: a model needs at least one branch")
        for name in ("max_ngrams", "min_count", "epochs", "batch_size", "learning_rate", "max_tokens"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")


@dataclass(frozen=True)
class Deep:
    """A fine-tuned encoder with its heads and tokenizer."""

    model: FenbanClassifier
    tokenizer: Tokenizer

    def logits(self, cases: Sequence[Case], *, batch_size: int = 64) -> dict[str, npt.NDArray[np.float32]]:
        """Logits per head, ``(n_cases, n_labels)``; letters of like length are scored together."""
        self.model.eval()
        pad = special_id(self.tokenizer, "[PAD]")
        tokens = [encode_tokens(self.tokenizer, c.title, c.body, self.model.config.max_tokens) for c in cases]
        order = np.argsort([len(row) for row in tokens], kind="stable")
        heads = self.model.config.heads
        found = {head: np.zeros((len(cases), len(ids)), np.float32) for head, ids in heads.items()}
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            with torch.inference_mode():
                logits = self.model(**collate_tokens([tokens[i] for i in rows], pad)).logits
            for head, scores in logits.items():
                found[head][rows] = scores.float().numpy()
        return found


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


def finetune(cases: Sequence[Case], heads: dict[str, list[str]], args: TrainArguments) -> Deep:
    """Train the deep branch alone on ``cases``.

    Raises:
        ValueError: no cases, or a label outside ``heads``.
    """
    if not cases:
        raise ValueError("no cases to train on")
    set_seed(args.seed)
    encoder, tokenizer = load_encoder(args.encoder, args.seed)
    config = FenbanConfig(heads=heads, encoder=encoder.config.to_dict(), max_tokens=args.max_tokens)
    model = FenbanClassifier(config)
    assert model.deep is not None
    model.deep.load_state_dict(encoder.state_dict())
    _run_trainer(model, cases, label_matrix(cases, heads), tokenizer, args)
    return Deep(model.eval(), tokenizer)


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


def _run_trainer(
    model: FenbanClassifier,
    cases: Sequence[Case],
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
        batch["labels"] = torch.from_numpy(labels[index])
        return batch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
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
                bf16=bf16_is_faster(device),
                use_cpu=device.type == "cpu",
            ),
            train_dataset=dataset,
            data_collator=collate,
        )
        trainer.train()
