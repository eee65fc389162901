"""The peers of the benchmarks learn from the training letters and answer in order, with labels they have seen."""

import numpy as np
import pytest

from eval.peers import Predictor, text_cnn, word_char_title_svm, word_svm
from models.case import Case, Labels

WORDS = {"停水": "自来水管没有水了", "噪音": "工地施工夜里太吵", "学校": "孩子入学报名材料"}


def letters(n: int, seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        label = list(WORDS)[int(rng.integers(0, 3))]
        body = f"第{rng.integers(0, 9999)}号{WORDS[label]}"
        found.append(Case(id=str(i), title="来信", body=body, labels=Labels(aux=label)))
    return found


@pytest.mark.parametrize("peer", [word_svm, word_char_title_svm, text_cnn])
def test_a_peer_learns_what_is_plain_to_see(peer: Predictor) -> None:
    test = letters(40, 2)
    said = peer(letters(150, 1), test)
    assert np.mean([a == b.labels.aux for a, b in zip(said, test, strict=True)]) > 0.95


def test_a_letter_without_a_label_is_named() -> None:
    with pytest.raises(ValueError, match="case 7: has no aux"):
        word_svm([*letters(10, 1), Case(id="7", body="停水")], letters(5, 2))
