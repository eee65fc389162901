"""Other ways to classify the same letters, for benchmarks: each is ``predict(train, test) -> labels``.

The label is ``labels.aux`` by default, or any other label field. Nothing is chosen on ``test``: what
is tuned is tuned on a part of ``train``. fastText is an extra: ``pip install fasttext-numpy2-wheel``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jieba
import torch
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.svm import LinearSVC
from torch import Tensor, nn

from models.case import Case
from models.features import normalize
from training.split import split_cases

Predictor = Callable[[list[Case], list[Case]], list[str]]
DEV_SHARE = 0.15
SEED = 20261124
FASTTEXT_THREADS = 10
"""fastText 0.9.2 draws a tenth of its embeddings per thread and leaves the rest at zero (or at whatever the memory
holds) where there are fewer than ten (github.com/facebookresearch/fastText/issues/1061)."""


def labels_of(cases: Sequence[Case], head: str = "aux") -> list[str]:
    """The label of every case.

    Raises:
        ValueError: a case has none; names it.
    """
    for case in cases:
        if getattr(case.labels, head) is None:
            raise ValueError(f"case {case.id}: has no {head}; leave it out of the comparison")
    return [str(getattr(case.labels, head)) for case in cases]


class Svm:
    """TF-IDF of words 1-2, characters 1-4 and the title's characters 1-3 (or words alone), and a linear SVM."""

    def __init__(self, *, words_only: bool = False) -> None:
        def characters(longest: int) -> TfidfVectorizer:
            return TfidfVectorizer(analyzer="char", ngram_range=(1, longest), min_df=2, sublinear_tf=True)

        words = TfidfVectorizer(
            tokenizer=jieba.lcut, token_pattern=None, ngram_range=(1, 2), min_df=2, sublinear_tf=True, lowercase=False
        )
        self.parts = [(words, _text)] + ([] if words_only else [(characters(4), _text), (characters(3), _title)])
        self.machine = LinearSVC(random_state=SEED)

    def fit(self, cases: Sequence[Case], labels: Sequence[str]) -> Svm:
        """Fit vocabulary and SVM."""
        fitted = [vectorizer.fit_transform([view(c) for c in cases]) for vectorizer, view in self.parts]
        self.machine.fit(hstack(fitted).tocsr(), labels)
        return self

    def predict(self, cases: Sequence[Case]) -> list[str]:
        """The label of every case."""
        return [str(label) for label in self.machine.predict(self._matrix(cases))]

    def _matrix(self, cases: Sequence[Case]) -> csr_matrix:
        return hstack([vectorizer.transform([view(c) for c in cases]) for vectorizer, view in self.parts]).tocsr()


def word_svm(train: list[Case], test: list[Case], head: str = "aux") -> list[str]:
    """TF-IDF of jieba words 1-2 and a linear SVM."""
    return Svm(words_only=True).fit(train, labels_of(train, head)).predict(test)


def word_char_title_svm(train: list[Case], test: list[Case], head: str = "aux") -> list[str]:
    """TF-IDF of words, characters and the title's characters, and a linear SVM."""
    return Svm().fit(train, labels_of(train, head)).predict(test)


def fasttext_arguments(train: list[Case], head: str = "aux", *, seconds: int = 300) -> dict[str, Any]:
    """Arguments of fastText (Joulin et al. 2017) that its own autotune finds, on a part of ``train``.

    The metric is the library's micro F1 on ``DEV_SHARE`` of ``train``. The search stops by the clock, so a busier
    machine tries fewer settings: report the arguments beside the figure.

    Raises:
        ImportError: fastText is not installed.
    """
    fitting, dev = split_cases(train, DEV_SHARE, salt="fasttext")
    names = sorted(set(labels_of(train, head)))
    with tempfile.TemporaryDirectory() as folder:
        path = _fasttext_file(dev, head, names, Path(folder) / "dev.txt")
        search = {"autotuneValidationFile": str(path), "autotuneMetric": "f1", "autotuneDuration": seconds}
        found = train_fasttext(fitting, head, names, search).f.getArgs()
    return {name: getattr(found, name) for name in FASTTEXT_TUNED}


def fasttext_with(train: list[Case], test: list[Case], head: str, arguments: dict[str, Any]) -> list[str]:
    """fastText on jieba words with given arguments, fitted on all of ``train``.

    Its threads write without locks, so two runs differ in a few letters.

    Raises:
        ImportError: fastText is not installed.
    """
    names = sorted(set(labels_of(train, head)))
    said, _ = train_fasttext(train, head, names, arguments).predict([_cut(case) for case in test])
    return [names[int(row[0].removeprefix("__label__"))] for row in said]


FASTTEXT_TUNED = ("lr", "epoch", "dim", "wordNgrams", "bucket", "minCount", "minn", "maxn")


def train_fasttext(cases: list[Case], head: str, names: list[str], arguments: dict[str, Any]) -> Any:
    """A fastText model of ``head``, whose label ``i`` is ``names[i]``."""
    import fasttext

    with tempfile.TemporaryDirectory() as folder:
        path = _fasttext_file(cases, head, names, Path(folder) / "train.txt")
        return fasttext.train_supervised(input=str(path), thread=FASTTEXT_THREADS, seed=SEED, verbose=0, **arguments)


def _fasttext_file(cases: list[Case], head: str, names: list[str], path: Path) -> Path:
    labels = labels_of(cases, head)
    lines = [f"__label__{names.index(label)} {_cut(case)}" for case, label in zip(cases, labels, strict=True)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@dataclass(frozen=True)
class TextCnnOptions:
    """Kim (2014) with his widths; characters, which for Chinese need no segmenter."""

    dim: int = 128
    filters: int = 100
    widths: tuple[int, ...] = (2, 3, 4, 5)
    dropout: float = 0.5
    length: int = 400
    batch_size: int = 64
    learning_rate: float = 1e-3
    max_epochs: int = 12
    min_count: int = 2


class TextCnn(nn.Module):
    """Convolutions over character embeddings, max over time, one linear layer."""

    def __init__(self, n_characters: int, n_labels: int, options: TextCnnOptions) -> None:
        super().__init__()
        self.embed = nn.Embedding(n_characters, options.dim, padding_idx=0)
        self.convolve = nn.ModuleList(nn.Conv1d(options.dim, options.filters, width) for width in options.widths)
        self.dropout = nn.Dropout(options.dropout)
        self.output = nn.Linear(options.filters * len(options.widths), n_labels)

    def forward(self, characters: Tensor) -> Tensor:
        """Logits ``(batch, n_labels)`` from character ids ``(batch, length)``."""
        embedded = self.embed(characters).transpose(1, 2)
        pooled = [torch.relu(layer(embedded)).amax(dim=2) for layer in self.convolve]
        logits: Tensor = self.output(self.dropout(torch.cat(pooled, dim=1)))
        return logits


def text_cnn(
    train: list[Case], test: list[Case], head: str = "aux", *, options: TextCnnOptions | None = None
) -> list[str]:
    """TextCNN; the number of epochs is the best on a part of ``train``, then it is trained on all of it."""
    options = options or TextCnnOptions()
    fitting, dev = split_cases(train, DEV_SHARE, salt="textcnn")
    epochs, best = 1, -1.0
    for epoch, said in enumerate(_train_cnn(fitting, dev, head, options, options.max_epochs), 1):
        score = f1_score(labels_of(dev, head), said, average="macro", zero_division=0)
        epochs, best = (epoch, score) if score > best else (epochs, best)
    return _train_cnn(train, test, head, options, epochs)[-1]


def _train_cnn(train: list[Case], test: list[Case], head: str, options: TextCnnOptions, epochs: int) -> list[list[str]]:
    """Predictions on ``test`` after every epoch."""
    torch.manual_seed(SEED)
    names = sorted(set(labels_of(train, head)))
    counts: dict[str, int] = {}
    for case in train:
        for character in _flat(case):
            counts[character] = counts.get(character, 0) + 1
    known = sorted(c for c, n in counts.items() if n >= options.min_count)
    index = {character: i + 2 for i, character in enumerate(known)}
    rows, judged = (_character_ids(cases, index, options.length) for cases in (train, test))
    targets = torch.tensor([names.index(label) for label in labels_of(train, head)])
    model = TextCnn(len(index) + 2, len(names), options)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, weight_decay=0.01)
    history = []
    for _ in range(epochs):
        model.train()
        order = torch.randperm(len(rows))
        for start in range(0, len(rows), options.batch_size):
            batch = order[start : start + options.batch_size]
            loss = nn.functional.cross_entropy(model(rows[batch]), targets[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        model.eval()
        with torch.inference_mode():
            best = torch.cat([model(judged[i : i + 256]).argmax(1) for i in range(0, len(judged), 256)])
        history.append([names[i] for i in best.tolist()])
    return history


def _character_ids(cases: Sequence[Case], index: dict[str, int], length: int) -> Tensor:
    ids = torch.zeros((len(cases), length), dtype=torch.long)
    for row, case in enumerate(cases):
        found = [index.get(c, 1) for c in _flat(case)[:length]]
        ids[row, : len(found)] = torch.tensor(found, dtype=torch.long)
    return ids


def encoder_alone(
    encoder: Path | str, *, pretrained: bool, epochs: float, max_tokens: int, head: str = "aux", seed: int = SEED
) -> Predictor:
    """The encoder in ``encoder`` with one linear head and no n-grams, by the trainer of ``fenban train``.

    Without ``pretrained`` it is a transformer of the same size and tokenizer whose weights are drawn anew.
    """

    def predict(train: list[Case], test: list[Case]) -> list[str]:
        from training.finetune import TrainArguments, finetune

        names = {head: sorted(set(labels_of(train, head)))}
        with tempfile.TemporaryDirectory() as folder:
            start = str(encoder) if pretrained else _without_weights(encoder, Path(folder), seed)
            args = TrainArguments(encoder=start, ngrams=False, epochs=epochs, max_tokens=max_tokens, seed=seed)
            scores = finetune(train, names, args).logits(test)[head]
        return [names[head][i] for i in scores.argmax(axis=1)]

    return predict


def _without_weights(encoder: Path | str, folder: Path, seed: int) -> str:
    from transformers import AutoConfig, AutoModel, AutoTokenizer, set_seed

    set_seed(seed)
    AutoModel.from_config(AutoConfig.from_pretrained(encoder)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(encoder).save_pretrained(folder)
    return str(folder)


def _text(case: Case) -> str:
    return f"{case.title}\n{case.body}"


def _title(case: Case) -> str:
    return case.title


def _flat(case: Case) -> str:
    return f"{normalize(case.title)}\n{normalize(case.body)}"


def _cut(case: Case) -> str:
    return " ".join(word for word in jieba.lcut(_flat(case)) if word.strip())
