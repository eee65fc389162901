"""Calibration against hand-computed cases."""

import json

import numpy as np
import pytest

from models.confidence import HeadCalibration, expected_calibration_error, fit_head, risk_coverage


def sample(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax is the true distribution of the labels."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 4))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return logits, np.array([rng.choice(4, p=row) for row in p])


def test_overconfident_logits_are_brought_back_to_the_true_distribution() -> None:
    logits, labels = sample(4000, 1)
    truth = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    fitted = fit_head(logits * 3, labels).probabilities(logits * 3)
    assert np.abs(fitted - truth).mean() < 0.02


def test_conformal_sets_cover_fresh_letters_as_often_as_promised() -> None:
    calibration = fit_head(*sample(3000, 2), coverage=0.9)
    logits, labels = sample(3000, 3)
    sets = [calibration.conformal_set(p) for p in calibration.probabilities(logits)]
    assert np.mean([y in s for y, s in zip(labels, sets, strict=True)]) == pytest.approx(0.9, abs=0.02)


def test_class_wise_sets_keep_the_promise_for_a_hard_class_too() -> None:
    rng = np.random.default_rng(5)

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        labels = rng.choice(3, size=n, p=[0.6, 0.32, 0.08])
        logits = rng.normal(0, 1, (n, 3))
        logits[np.arange(n), labels] += np.array([3.0, 2.0, 0.3])[labels]
        return logits, labels

    calibration = fit_head(*draw(4000), coverage=0.9)
    assert sorted(calibration.class_thresholds) == [0, 1, 2]
    logits, labels = draw(8000)
    probabilities = calibration.probabilities(logits)
    sets = [calibration.conformal_set(p) for p in probabilities]
    covered = np.array([y in s for y, s in zip(labels, sets, strict=True)])
    for label in range(3):
        assert covered[labels == label].mean() >= 0.9 - 0.03
    one_threshold = (probabilities[np.arange(len(labels)), labels] >= calibration.threshold)[labels == 2].mean()
    assert one_threshold < 0.8, "the class is not hard: the test shows nothing"
    again = HeadCalibration(**json.loads(json.dumps(calibration.to_json())))
    assert again == calibration


def test_risk_coverage_by_hand() -> None:
    probabilities = np.array([[0.95 - i / 100, 0.05 + i / 100] for i in range(20)])
    labels = np.array([0] * 10 + [1] * 10)
    curve = risk_coverage(probabilities, labels)
    assert [step["risk"] for step in curve[:5]] == [0, 0, 0, 0, 0]
    assert curve[9] == {"coverage": 1.0, "confidence": pytest.approx(0.76), "risk": 0.5}
    assert curve[5]["risk"] == pytest.approx(2 / 12)


def test_a_conformal_set_is_never_empty() -> None:
    calibration = HeadCalibration(1.0, 0.0, 1.0, 0.99, 0.95, 100)
    assert calibration.conformal_set(np.array([0.2, 0.5, 0.3])) == [1]


def test_ece_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    # two letters at 0.9, one right: gap 0.4; two at 0.6, both right: gap 0.4
    assert expected_calibration_error(probabilities, np.array([0, 1, 0, 0])) == pytest.approx(0.4)


def test_too_few_letters_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 20"):
        fit_head(np.zeros((5, 2)), np.zeros(5, dtype=int))
