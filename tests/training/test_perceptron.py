"""A task that is not served teaches the hidden layer what a served one has too few letters to learn."""

import numpy as np

from models.classifier import MASKED
from models.features import NgramVocabulary, letter_features
from training.linear import sparse
from training.perceptron import fit_perceptron

HEADS = {"department": ["lamps", "water"], "urgency": ["now", "later"], "aux": ["dark", "wet"]}
DARK, WET = ("路灯", "照明", "灯杆", "夜里"), ("停水", "水管", "漏水", "水压")


def letters() -> tuple[list[str], np.ndarray]:
    """Two matters told by four words each; the department is known only where the first word is told."""
    texts, labels = [], []
    for i in range(1200):
        wet, word = i % 2, i // 2 % 4
        texts.append(f"反映{(DARK, WET)[wet][word]}问题")
        labels.append((wet if word == 0 else MASKED, MASKED, wet))
    return texts, np.array(labels)


def test_a_task_that_is_not_served_teaches_a_head_that_is() -> None:
    texts, labels = letters()
    features = [letter_features("", text) for text in texts]
    vocabulary = NgramVocabulary.fit(features, min_count=2)
    rows = sparse([vocabulary.weigh(letter) for letter in features], len(vocabulary))
    hidden = fit_perceptron(rows, labels, HEADS, seed=1)
    assert hidden is not None
    scores = hidden.logits(rows)
    assert set(scores) == {"department", "aux"}, "urgency stays with the SVMs"
    wanted = labels[:, 2]
    assert (scores["department"].argmax(axis=1) == wanted).mean() > 0.95
    alone = fit_perceptron(rows, labels[:, :2], {k: HEADS[k] for k in ("department", "urgency")}, seed=1)
    assert alone is not None
    gap = {
        name: np.diff(found.logits(rows)["department"], axis=1)[:, 0] * (2 * wanted - 1)
        for name, found in (("taught", hidden), ("alone", alone))
    }
    untold = labels[:, 0] == MASKED
    assert gap["taught"][untold].mean() > gap["alone"][untold].mean()


def test_a_seed_repeats_and_without_a_label_there_is_no_hidden_layer() -> None:
    texts, labels = letters()
    features = [letter_features("", text) for text in texts[:80]]
    vocabulary = NgramVocabulary.fit(features, min_count=2)
    rows = sparse([vocabulary.weigh(letter) for letter in features], len(vocabulary))
    first, second, other = (fit_perceptron(rows, labels[:80], HEADS, seed=seed) for seed in (1, 1, 2))
    assert first is not None and second is not None and other is not None
    np.testing.assert_array_equal(first.embedding, second.embedding)
    assert np.abs(first.embedding - other.embedding).max() > 0
    assert fit_perceptron(rows, labels[:80, 1:2], {"urgency": HEADS["urgency"]}, seed=1) is None
