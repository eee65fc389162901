"""Rounded weights are served only where they were measured to agree."""

import numpy as np
import torch

from models.precision import agreement, agrees, dequantize, quantize


def test_agreement_is_that_of_the_worst_head() -> None:
    exact = np.array([[0.9, 0.1], [0.4, 0.6]])
    close = np.array([[0.89, 0.11], [0.41, 0.59]])
    flipped = np.array([[0.9, 0.1], [0.6, 0.4]])
    found = agreement([(exact, close), (exact, flipped)])
    assert found["labels"] == 0.5
    assert abs(found["probability"] - 0.1) < 1e-9


def test_rounding_needs_measured_agreement() -> None:
    assert agrees({"labels": 0.999, "probability": 0.001})
    assert not agrees({"labels": 0.99, "probability": 0.001})
    assert not agrees({"labels": 1.0, "probability": 0.02})
    assert not agrees(None)


def test_eight_bits_keep_each_row_within_half_a_step_of_its_largest_weight() -> None:
    rows = torch.randn(50, 7, generator=torch.Generator().manual_seed(0)) * torch.logspace(-4, 2, 50)[:, None]
    rows[3] = 0.0
    integers, scale = quantize(rows)
    assert integers.dtype == torch.int8
    step = rows.abs().amax(dim=1, keepdim=True) / 127
    assert ((dequantize(integers, scale) - rows).abs() <= step * 0.5001).all()
