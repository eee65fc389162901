"""Figures against scikit-learn, MAPIE, statsmodels, published examples, and cases computed by hand."""

import numpy as np
import pytest
from mapie.metrics.calibration import expected_calibration_error
from mapie.metrics.classification import classification_coverage_score
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from eval.calibration import ece, ece_by_chance, ece_interval, reliability
from eval.intervals import mcnemar, paired_difference, share
from eval.metrics import class_rows, confusion, macro_f1, macro_f1_interval, top_confusions
from eval.slices import holm

RNG = np.random.default_rng(3)
TRUTH = RNG.integers(0, 6, 800)
SAID = np.where(RNG.random(800) < 0.7, TRUTH, RNG.integers(0, 6, 800))


def test_macro_f1_and_class_figures_equal_scikit_learn() -> None:
    counts = confusion(TRUTH, SAID, 8)
    assert macro_f1(counts[None].astype(float))[0] == pytest.approx(f1_score(TRUTH, SAID, average="macro"))
    assert np.trace(counts) / counts.sum() == pytest.approx(accuracy_score(TRUTH, SAID))
    precision, recall, f1, support = precision_recall_fscore_support(TRUTH, SAID, labels=range(6))
    rows = {row["label"]: row for row in class_rows(counts, [str(i) for i in range(8)])}
    assert set(rows) == set("012345")
    for i in range(6):
        found = [rows[str(i)][key] for key in ("precision", "recall", "f1", "n")]
        assert found == pytest.approx([precision[i], recall[i], f1[i], support[i]])
    listed = [row["sent_elsewhere"] for row in rows.values()]
    assert listed == sorted(listed, reverse=True)


def test_confused_pairs_by_hand() -> None:
    counts = confusion(np.array([0, 0, 0, 1, 2]), np.array([1, 1, 0, 0, 2]), 3)
    assert top_confusions(counts, ["a", "b", "c"], 5) == [
        {"truth": "a", "predicted": "b", "n": 2},
        {"truth": "b", "predicted": "a", "n": 1},
    ]


def test_ece_by_hand_and_against_mapie() -> None:
    confidence, right = np.array([0.9, 0.9, 0.6, 0.6]), np.array([True, True, True, False])
    assert ece(confidence, right, bins=10) == pytest.approx(0.5 * 0.1 + 0.5 * 0.1)
    scores = RNG.uniform(0.3, 1, 3000)
    hits = RNG.random(3000) < scores**2
    theirs = expected_calibration_error(hits.astype(int), scores, num_bins=15, split_strategy="uniform")
    assert ece(scores, hits) == pytest.approx(theirs, abs=1e-9)
    assert sum(b["n"] for b in reliability(scores, hits)) == 3000
    found = ece_interval(scores, hits)
    assert found is not None
    assert found.low <= found.value <= found.high


def test_a_calibrated_model_stays_within_what_chance_explains_and_a_sure_liar_does_not() -> None:
    scores = RNG.uniform(0.5, 1, 400)
    within = [ece(scores, RNG.random(400) < scores) <= ece_by_chance(scores)[1] for _ in range(200)]
    assert np.mean(within) == pytest.approx(0.95, abs=0.05)
    assert ece(np.full(400, 0.99), RNG.random(400) < 0.7) > ece_by_chance(np.full(400, 0.99))[1]


def test_coverage_equals_mapie() -> None:
    sets = RNG.random((500, 6)) < 0.6
    inside = sets[np.arange(500), TRUTH[:500]]
    found = share(inside)
    assert found is not None
    assert found.value == pytest.approx(classification_coverage_score(TRUTH[:500], sets[:, :, None])[0])


@pytest.mark.parametrize("n", [15, 800])
def test_mcnemar_equals_statsmodels(n: int) -> None:
    first, second = RNG.random(n) < 0.7, RNG.random(n) < 0.8
    table = [[(first & second).sum(), (first & ~second).sum()], [(~first & second).sum(), (~first & ~second).sum()]]
    ours = mcnemar(first, second)
    theirs = their_mcnemar(table, exact=ours.exact, correction=True)
    assert ours.exact is (n == 15)
    assert (ours.statistic, ours.p_value) == pytest.approx((theirs.statistic, theirs.pvalue))


def test_mcnemar_of_a_published_table() -> None:
    """Agresti, Categorical Data Analysis, table 10.1: 86 against 150 changed minds; z² = 17.36 without correction."""
    first = np.repeat([True, False], [86, 150])
    found = mcnemar(first, ~first)
    assert found.statistic == pytest.approx((150 - 86 - 1) ** 2 / 236)
    assert found.p_value == pytest.approx(4.11e-5, rel=0.02)


def test_bootstrap_intervals_agree_with_theory() -> None:
    hits = np.arange(1000) < 730
    found = share(hits)
    assert found is not None
    assert (found.low, found.high) == pytest.approx(proportion_confint(730, 1000), abs=0.004)
    none = share(np.zeros(30, bool), scale=1000)
    assert none is not None
    assert none.high / 1000 == pytest.approx(proportion_confint(0, 30, method="beta")[1])
    assert share(np.zeros(0, bool)) is None


def test_a_paired_difference_is_narrower_than_an_unpaired_one_and_centred_right() -> None:
    first = RNG.random(2000) < 0.7
    second = first ^ (RNG.random(2000) < 0.02)
    found = paired_difference(second, first)
    assert found is not None
    assert found.value == pytest.approx(second.mean() - first.mean())
    changed = (second != first).mean()
    spread = 1.96 * np.sqrt((changed - found.value**2) / 2000)
    assert (found.low, found.high) == pytest.approx((found.value - spread, found.value + spread), abs=0.002)


def test_resampling_cells_is_resampling_letters() -> None:
    found = macro_f1_interval(TRUTH, SAID, 6)
    rng = np.random.default_rng(9)
    draws = [f1_score(TRUTH[i], SAID[i], average="macro") for i in (rng.integers(0, 800, 800) for _ in range(300))]
    assert found is not None
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=0.01)


def test_holm_equals_statsmodels() -> None:
    p_values = [0.001, 0.2, 0.012, 0.04, 0.9, 0.013]
    assert sorted(holm(p_values, 0.05)) == list(np.flatnonzero(multipletests(p_values, 0.05, method="holm")[0]))
