"""Agreement of two readers against a case by hand, and against a file that holds none of the letters."""

import pytest

from eval.bench_agreement import agreement


def test_agreement_and_kappa_by_hand() -> None:
    # 7 of 10 equal; by chance 0.6 * 0.5 + 0.4 * 0.5 = 0.5, so kappa is (0.7 - 0.5) / 0.5
    first, second = ["a"] * 6 + ["b"] * 4, ["a"] * 4 + ["b"] * 2 + ["b"] * 3 + ["a"]
    pairs = [({"topic": x}, {"topic": y}) for x, y in zip(first, second, strict=True)]
    n, share, kappa = agreement(pairs, "topic")
    assert (n, share) == (10, pytest.approx(0.7))
    assert kappa == pytest.approx(0.4)


def test_letters_that_nobody_labelled_twice_are_an_error() -> None:
    with pytest.raises(ValueError, match="labelled twice"):
        agreement([], "topic")
