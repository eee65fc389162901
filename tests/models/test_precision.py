"""Rounded weights are served only where they were measured to agree."""

import numpy as np
import pytest
import torch

from models.precision import agreement, agrees, dequantize, pack, quantize, unpack


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


@pytest.mark.parametrize("bits", [8, 4])
def test_integers_keep_each_row_within_half_a_step_of_its_largest_weight(bits: int) -> None:
    rows = torch.randn(50, 8, generator=torch.Generator().manual_seed(0)) * torch.logspace(-4, 2, 50)[:, None]
    rows[3] = 0.0
    integers, scale = quantize(rows, bits)
    assert integers.dtype == torch.int8
    step = rows.abs().amax(dim=1, keepdim=True) / (2 ** (bits - 1) - 1)
    assert ((dequantize(integers, scale) - rows).abs() <= step * 0.5001).all()


def test_two_four_bit_integers_lie_in_a_byte() -> None:
    integers = torch.arange(-7, 9, dtype=torch.int8).clamp(max=7).reshape(2, 8)
    packed = pack(integers)
    assert packed.dtype == torch.uint8
    assert packed.shape == (2, 4)
    assert torch.equal(unpack(packed), integers)
