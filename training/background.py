"""Texts that are no citizen letters, so that the model can tell a shopping review, an English mail or noise.

Sampled from general corpora (news, statutes, short texts) named by the user, and noise made here. Letters come
as short as a title, so every second text is cut that short too. The out-of-domain benchmark's own texts are
never among them.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import numpy as np

from models.case import Case
from training.corpus import Corpus

LENGTHS = (20, 600)
SHORT_LENGTHS = (5, 40)
"""Characters of a text, at least and below; of every second one."""
N_TEXTS = 8000
N_NOISE = 800
_ENGLISH = (  # noqa: SIM905
    "dear sir madam hello team please find attached the invoice for your order we are pleased to inform you that "
    "your account has been updated thank you for contacting support meeting tomorrow at noon let me know if this "
    "works project report deadline shipping free click here unsubscribe offer limited best regards kind sincerely "
    "could check status of my application service request number issue with login password reset weekly newsletter"
).split()


def read_background(paths: Sequence[Path], size: int, seed: int) -> list[Case]:
    """``size`` texts drawn evenly from the files, and ``N_NOISE`` of noise.

    Plain text holds one document a line; JSON lines hold it under ``text``; both may be gzipped.

    Raises:
        ValueError: a file has no document, or a line is not JSON with ``text``; names the file.
    """
    rng = np.random.default_rng(seed)
    texts = [text for path in paths for text in _sample(path, size // len(paths), rng)]
    texts += noise_texts(N_NOISE, rng)
    return [Case(id=f"background-{i}", body=text, source="background") for i, text in enumerate(texts)]


def noise_texts(size: int, rng: np.random.Generator) -> list[str]:
    """English-like words, keyboard noise, random Chinese characters, and repeated ones."""
    return [_noise(rng) for _ in range(size)]


def _sample(path: Path, size: int, rng: np.random.Generator) -> list[str]:
    fields = ("text",) if ".jsonl" in path.suffixes else ()
    documents = list(Corpus(path, 1.0, fields).documents())
    if not documents:
        raise ValueError(f"{path}: no document; give a text file with one document a line, or JSON lines with text")
    picks = rng.choice(len(documents), size=min(size, len(documents)), replace=False)
    limits = cycle((LENGTHS, SHORT_LENGTHS))
    return [documents[i][: int(rng.integers(*limit))] for i, limit in zip(picks, limits, strict=False)]


def _noise(rng: np.random.Generator) -> str:
    length = int(rng.integers(3, 80))
    kind = rng.integers(4)
    if kind == 0:
        return " ".join(rng.choice(_ENGLISH, size=length))
    if kind == 1:
        return "".join(rng.choice(list(string.ascii_lowercase + string.digits + string.punctuation + " "), size=length))
    if kind == 2:
        return "".join(chr(c) for c in rng.integers(0x4E00, 0x9FA5, size=length))
    return str(rng.choice(list("啊哈呵测试一1a。？"))) * length
