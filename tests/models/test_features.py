"""Blocks of n-grams weigh alike however long the letter, and only what a table holds counts."""

from itertools import pairwise

import numpy as np
import pytest

from models.features import BLOCKS, NgramVocabulary, Table, letter_features

LETTERS = [
    ("路灯不亮", "成华区双瑞一路的路灯不亮，已经三天了"),
    ("路灯", "小区外的路灯又坏了"),
    ("", "学校食堂的饭菜不新鲜"),
]


@pytest.fixture
def vocabulary() -> NgramVocabulary:
    return NgramVocabulary.fit([letter_features(*letter) for letter in LETTERS], min_count=1)


def block_lengths(vocabulary: NgramVocabulary, title: str, body: str) -> list[float]:
    """Euclidean length of a letter's weights in each block."""
    ids, weights = vocabulary.weigh(letter_features(title, body))
    ends = np.cumsum([0, *(len(table) for table in vocabulary.blocks)])
    return [float(np.linalg.norm(weights[(ids >= a) & (ids < b)])) for a, b in pairwise(ends)]


def test_every_block_has_unit_length_in_a_short_and_in_a_long_letter(vocabulary: NgramVocabulary) -> None:
    np.testing.assert_allclose(block_lengths(vocabulary, "路灯", "路灯不亮"), np.ones(len(BLOCKS)), rtol=1e-6)
    np.testing.assert_allclose(block_lengths(vocabulary, "路灯", "路灯不亮，学校食堂的饭菜" * 90), 1.0, rtol=1e-6)


def test_a_letter_without_a_title_or_without_a_known_ngram_has_empty_blocks(vocabulary: NgramVocabulary) -> None:
    assert block_lengths(vocabulary, "", "路灯不亮") == pytest.approx([1, 1, 0])
    assert block_lengths(vocabulary, "", "xyz")[0] == 0
    ids, weights = vocabulary.weigh(letter_features("", ""))
    assert len(ids) == len(weights)


def test_rare_ngrams_are_left_out_and_a_kept_part_keeps_its_weights_in_order(vocabulary: NgramVocabulary) -> None:
    features = [letter_features(*letter) for letter in LETTERS]
    assert len(NgramVocabulary.fit(features, min_count=2)) < len(vocabulary)
    rows = np.random.default_rng(1).random(vocabulary.n_ngrams) < 0.5
    part = vocabulary.keep(rows)
    assert part.n_ngrams == rows.sum()
    hashes = np.concatenate([table.hashes for table in vocabulary.blocks])
    np.testing.assert_array_equal(np.concatenate([table.hashes for table in part.blocks]), hashes[rows])


def test_a_long_body_keeps_its_head_and_its_tail(vocabulary: NgramVocabulary) -> None:
    long = "路灯不亮" + "啊" * 5000 + "食堂"
    known = {int(h) for h in letter_features("", long).words}
    assert {int(h) for h in letter_features("", "路灯不亮").words} <= known
    assert {int(h) for h in letter_features("", "食堂").words} <= known


def test_an_empty_table_finds_nothing() -> None:
    ids, known = Table().find(np.array([1, 2], np.uint64))
    assert len(ids) == 0
    assert not known.any()
