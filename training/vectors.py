"""Word vectors of the letters' own language: what the n-gram branch knows of words it saw in few labelled letters.

    python -m training.vectors work/vectors.npz ../shared/data/unlabelled.jsonl.gz ../shared/data/letters7_train.jsonl

Skip-gram with negative sampling (Mikolov et al. 2013, gensim) on unlabelled letters; a word that has few labels
then stands near words that have many. They enter the linear SVMs as the mean vector of a letter's words, so that
after training only a weight per word and label is left (``training.linear``), and a letter costs nothing more.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from models.features import Table, normalize, segment, word_hashes

SEED = 20261124


@dataclass(frozen=True)
class VectorOptions:
    """Options of skip-gram; the defaults made the shipped vectors."""

    size: int = 200
    window: int = 8
    min_count: int = 4
    negative: int = 8
    epochs: int = 8
    sample: float = 1e-4
    seed: int = SEED


@dataclass(frozen=True)
class WordVectors:
    """``table`` of ``k`` words and their ``vectors`` float32 ``(k, size)``, centred and of unit length."""

    table: Table
    vectors: npt.NDArray[np.float32]

    def save(self, path: Path) -> None:
        """Write an ``.npz``; holds no text, only hashes."""
        np.savez(path, hashes=self.table.hashes, idf=self.table.idf, vectors=self.vectors.astype(np.float16))

    @classmethod
    def load(cls, path: Path) -> WordVectors:
        """Read what ``save`` wrote.

        Raises:
            ValueError: the file is missing or another one.
        """
        try:
            with np.load(path) as held:
                return cls(Table(held["hashes"], held["idf"]), held["vectors"].astype(np.float32))
        except (OSError, KeyError, ValueError) as error:
            raise ValueError(
                f"{path}: no word vectors ({type(error).__name__}); make them with training.vectors"
            ) from None


def fit_vectors(texts: Iterable[str], options: VectorOptions | None = None) -> WordVectors:
    """Train vectors on distinct texts; the same texts and seed give the same vectors.

    Raises:
        ValueError: no word occurs ``min_count`` times.
    """
    from gensim.models import Word2Vec

    options = options or VectorOptions()
    sentences = [segment(text) for text in dict.fromkeys(map(normalize, texts))]
    try:
        model = Word2Vec(
            sentences,
            vector_size=options.size,
            window=options.window,
            min_count=options.min_count,
            sg=1,
            negative=options.negative,
            epochs=options.epochs,
            sample=options.sample,
            seed=options.seed,
            workers=1,
        )
    except RuntimeError as error:
        raise ValueError(f"word vectors: no word occurs {options.min_count} times; give more texts") from error
    vectors = model.wv.get_normed_vectors()
    vectors = vectors - vectors.mean(axis=0)
    hashes = word_hashes(model.wv.index_to_key)
    frequency = _document_frequency(sentences, model.wv.key_to_index)
    idf = np.log(len(sentences) / (1 + frequency)).clip(min=0.0)
    hashes, first = np.unique(hashes, return_index=True)
    return WordVectors(Table(hashes, idf[first].astype(np.float32)), vectors[first].astype(np.float32))


def _document_frequency(sentences: Sequence[Sequence[str]], index: dict[str, int]) -> npt.NDArray[np.int64]:
    counts = np.zeros(len(index), np.int64)
    for words in sentences:
        counts[[index[word] for word in set(words) if word in index]] += 1
    return counts


def read_texts(path: Path) -> list[str]:
    """Title and body (or ``text``) of every row of a JSON-lines file, gzipped or not.

    Raises:
        ValueError: a line is not JSON with these fields; names file and line.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    texts = []
    with opener(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                texts.append(row["text"] if "text" in row else f"{row['title']}\n{row['body']}")
            except (json.JSONDecodeError, KeyError, TypeError):
                raise ValueError(f"{path}, line {number}: needs JSON with title and body, or text") from None
    return texts


def main(
    out: Annotated[Path, typer.Argument(help="the .npz to write, for `fenban train --vectors`")],
    letters: Annotated[list[Path], typer.Argument(help="JSON lines with title and body, or text; .gz or plain")],
) -> None:
    """Train word vectors on LETTERS; about four minutes for 14,000 letters."""
    vectors = fit_vectors(text for path in letters for text in read_texts(path))
    vectors.save(out)
    print(f"{len(vectors.vectors)} words -> {out}")


if __name__ == "__main__":
    typer.run(main)
