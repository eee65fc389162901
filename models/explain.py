"""Which words moved each head, and which places spoke for the unit.

A word is hidden in every place where it stands and the letter is judged again; what its best label loses in
probability is the word's effect (occlusion, Zeiler & Fergus 2014). Hidden characters become ``□``, which no
model knows, so offsets stay and nothing new is said. Any classifier behind ``Triage.probabilities`` can be
explained so. The cost is bounded: at most ``MAX_WORDS`` words and ``MAX_CHARACTERS`` judged characters. In a
longer letter whole stretches are hidden first, and then the words of those that matter most.

This falls down where two words say the same: hiding one changes nothing, since the other still stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import jieba
import numpy as np
import numpy.typing as npt

from models.case import Letter, Record
from models.suggestion import Span, UnitSuggestion, Versions
from models.taxonomy import HEADS

if TYPE_CHECKING:
    from models.triage import Triage

MAX_WORDS = 256
MAX_CHARACTERS = 160_000
LONGEST_READ = 4_000
"""Characters of a letter that cost time: the n-gram branch reads no more (``models.features``)."""
N_STRETCHES = 16
BATCH = 32
HIDDEN = "□"

Field = Literal["title", "body"]
Place = tuple[Field, int, int]


class WordEffect(Record):
    """One word: ``effect`` is what the head's best label gains in probability from it (negative: loses)."""

    text: str
    effect: float
    spans: list[Span]


class HeadExplanation(Record):
    """The best label of a head and the words that moved it most, by size of their effect."""

    label: str
    name: str
    confidence: float
    words: list[WordEffect]


class Explanation(Record):
    """Why a letter was judged as it was.

    Attributes:
        heads: per head of the taxonomy.
        unit: the unit with its place evidence.
        n_words, n_judged: distinct words of the letter, and how many of them were tried.
    """

    id: str
    heads: dict[str, HeadExplanation]
    unit: UnitSuggestion
    n_words: int
    n_judged: int
    versions: Versions


def explain(triage: Triage, letter: Letter, *, top: int = 10) -> Explanation:
    """Explain the suggestion for one letter.

    Args:
        triage: the loaded bundle; its rules do not show here, since they are no words of the letter.
        letter: the letter.
        top: most words per head.

    Raises:
        ValueError: ``top`` is below 1.
    """
    if top < 1:
        raise ValueError(f"top must be at least 1, not {top}")
    row = {head: p[0] for head, p in triage.probabilities([letter]).items()}
    words = _words(letter)
    tried = _affordable(triage, letter, words, row)
    effects = _effects(triage, letter, [words[word] for word in tried], row)
    heads = {}
    for head in HEADS:
        best = triage.bundle.taxonomy.heads[head][int(np.argmax(row[head]))]
        strongest = np.argsort(-np.abs(effects[head]), kind="stable")[:top]
        heads[head] = HeadExplanation(
            label=best.id,
            name=best.name,
            confidence=round(float(row[head].max()), 4),
            words=[
                WordEffect(text=tried[i], effect=effect, spans=[_span(letter, place) for place in words[tried[i]]])
                for i in strongest
                if (effect := round(float(effects[head][i]), 4))
            ],
        )
    suggestion = triage.suggest(letter, row)
    return Explanation(
        id=letter.id,
        heads=heads,
        unit=suggestion.unit,
        n_words=len(words),
        n_judged=len(tried),
        versions=suggestion.versions,
    )


def _words(letter: Letter) -> dict[str, list[Place]]:
    """Distinct jieba words in the order of the letter, each with every place where it stands."""
    words: dict[str, list[Place]] = {}
    fields: tuple[Field, ...] = ("title", "body")
    for field in fields:
        for word, start, end in jieba.tokenize(getattr(letter, field), HMM=False):
            if any(character.isalnum() for character in word):
                words.setdefault(word, []).append((field, start, end))
    return words


def _affordable(
    triage: Triage, letter: Letter, words: dict[str, list[Place]], row: dict[str, npt.NDArray[Any]]
) -> list[str]:
    """The words to try: all of a letter of usual length, else those in the stretches that matter most."""
    length = len(letter.title) + len(letter.body)
    n_trials = min(MAX_WORDS, MAX_CHARACTERS // max(1, min(length, LONGEST_READ)))
    if len(words) <= n_trials:
        return list(words)
    first = {word: places[0] for word, places in words.items()}
    ordered = sorted(words, key=lambda word: (first[word][0] == "body", first[word][1]))
    bounds = np.linspace(0, len(ordered), N_STRETCHES + 1).astype(int)
    stretches = [ordered[begin:end] for begin, end in pairwise(bounds)]
    effects = _effects(triage, letter, [[first[word] for word in stretch] for stretch in stretches], row)
    weight = sum(np.abs(effects[head]) for head in HEADS)
    ranked = [word for i in np.argsort(-weight, kind="stable") for word in stretches[i]]
    return ranked[: n_trials - N_STRETCHES]


def _effects(
    triage: Triage, letter: Letter, hidden: Sequence[Sequence[Place]], row: dict[str, npt.NDArray[Any]]
) -> dict[str, npt.NDArray[Any]]:
    """Per head, ``(len(hidden),)``: probability of the best label minus that with those places hidden."""
    effects = {head: np.zeros(len(hidden)) for head in HEADS}
    for start in range(0, len(hidden), BATCH):
        variants = [_hide(letter, places) for places in hidden[start : start + BATCH]]
        for head, probabilities in triage.probabilities(variants).items():
            if head in effects:
                best = int(np.argmax(row[head]))
                effects[head][start : start + BATCH] = row[head][best] - probabilities[:, best]
    return effects


def _hide(letter: Letter, places: Sequence[Place]) -> Letter:
    texts = {"title": list(letter.title), "body": list(letter.body)}
    for field, start, end in places:
        texts[field][start:end] = HIDDEN * (end - start)
    return letter.model_copy(update={field: "".join(text) for field, text in texts.items()})


def _span(letter: Letter, place: Place) -> Span:
    field, start, end = place
    return Span(field=field, start=start, end=end, text=getattr(letter, field)[start:end])
