"""Letters a second of one or several bundles' classifiers, beside a 12-layer 768-wide fp32 BERT, in one run.

    python -m eval.bench_speed --letters ../shared/data/letters7_test.jsonl --bundle models/data/bundle

The BERT has random weights and reads up to 512 tokens of our character tokenizer. The classifiers
include segmentation and calibration, not places. One thread each.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Annotated

import torch
import typer
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from models.batching import collate_tokens, encode_tokens, special_id
from models.case import MAX_BODY, MAX_TITLE, Letter
from models.triage import SHIPPED_BUNDLE, Triage
from training.finetune import DATA

BATCH = 32


def bert_base() -> Callable[[list[Letter]], None]:
    """Scores letters with a BERT of the base size."""
    tokenizer = Tokenizer.from_file(str(DATA / "tiny_encoder" / "tokenizer.json"))
    model = BertModel(BertConfig(vocab_size=tokenizer.get_vocab_size())).eval()
    pad = special_id(tokenizer, "[PAD]")

    def score(letters: list[Letter]) -> None:
        rows = [encode_tokens(tokenizer, letter.title, letter.body, 512) for letter in letters]
        with torch.inference_mode():
            model(**collate_tokens(rows, pad))

    return score


def speed(score: Callable[[list[Letter]], object], letters: list[Letter]) -> float:
    """Letters a second, after one batch of warm-up."""
    score(letters[:BATCH])
    began = time.perf_counter()
    for start in range(0, len(letters), BATCH):
        score(letters[start : start + BATCH])
    return len(letters) / (time.perf_counter() - began)


def main(
    letters: Annotated[Path, typer.Option(help="JSON lines with title and body")],
    bundle: Annotated[list[Path] | None, typer.Option(help="bundle folder; default: the shipped one")] = None,
    size: Annotated[int, typer.Option(help="letters for the bundles; an eighth of them for the BERT")] = 512,
) -> None:
    """Print letters a second and the ratio to BERT."""
    torch.set_num_threads(1)
    rows = [json.loads(line) for line in islice(letters.open(encoding="utf-8"), size)]
    texts = [Letter(title=r["title"][:MAX_TITLE], body=r["body"][:MAX_BODY]) for r in rows]
    base = speed(bert_base(), texts[: size // 8])
    print(f"{'BERT 12 x 768, fp32':<40} {base:8.1f} letters/s")
    for folder in bundle or [SHIPPED_BUNDLE]:
        found = speed(Triage.load(folder).probabilities, texts)
        print(f"{folder!s:<40} {found:8.1f} letters/s, {found / base:.0f} times")


if __name__ == "__main__":
    typer.run(main)
