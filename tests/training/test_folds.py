"""Folds are fitted apart: the same seed gives the same margins, to the last digit."""

import numpy as np

from models.case import Case
from models.features import letter_features
from models.taxonomy import Taxonomy
from training.crossfit import crossfit
from training.finetune import TrainArguments, make_heads
from training.folds import Packed

Demo = tuple[list[Case], list[Case]]


def test_the_same_seed_gives_the_same_margins_out_of_fold_and_in_the_model(demo: Demo) -> None:
    heads = make_heads(demo[0], Taxonomy.load())
    first, second = (crossfit(demo[0], [], heads, TrainArguments(min_count=2)) for _ in range(2))
    for head, margins in first.wide.items():
        np.testing.assert_array_equal(margins, second.wide[head])
    unseen = (fitted.classifier.logits(demo[1]) for fitted in (first, second))
    np.testing.assert_equal(*unseen)


def test_packed_features_are_the_letters_features() -> None:
    letters = [letter_features("路灯不亮", "双瑞一路路灯不亮"), letter_features("", ""), letter_features("", "停水")]
    packed = Packed.of(letters)
    for row, letter in enumerate(letters):
        np.testing.assert_equal(packed[row], letter)
