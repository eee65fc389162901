"""The peer of ``bench_service``: a plain BentoML service around a transformers text-classification pipeline.

A BERT of 12 layers, 768 wide, with random weights (speed does not depend on them) and a vocabulary of the characters
of the demo letters. Nothing is tuned against it: torch may use every core, as by default.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import bentoml

LETTERS = Path(__file__).parents[1] / "training" / "data" / "authored.jsonl"
VOCABULARY_SIZE = 21_128


@bentoml.service(name="peer", workers=1, traffic={"timeout": 120})
class Peer:
    """``POST /classify`` with ``{"text": …}``."""

    def __init__(self) -> None:
        from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast, pipeline

        characters = sorted(set(LETTERS.read_text(encoding="utf-8")) - set("\n"))
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters]
        with TemporaryDirectory() as folder:
            file = Path(folder) / "vocab.txt"
            file.write_text("\n".join(words), encoding="utf-8")
            tokenizer = BertTokenizerFast(vocab=str(file))
        config = BertConfig(vocab_size=VOCABULARY_SIZE, num_hidden_layers=12, hidden_size=768, num_labels=42)
        model = BertForSequenceClassification(config).eval()
        self.pipeline = pipeline("text-classification", model=model, tokenizer=tokenizer)

    @bentoml.api  # type: ignore[untyped-decorator]
    def classify(self, text: str) -> dict[str, Any]:
        """The best label of a text."""
        return dict(self.pipeline(text, truncation=True, max_length=512)[0])
