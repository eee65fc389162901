"""Which number format this machine multiplies faster: measured, since the instruction set alone does not tell.

AVX512-BF16 without AMX was 0.6 times the speed of fp32 on one Xeon and 2 times on an AMD EPYC of this project.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Floats = npt.NDArray[np.floating[Any]]

MIN_LABELS = 0.995
MAX_PROBABILITY_GAP = 0.01
_REPEATS = 5
_MARGIN = 1.2
"""bf16 must win by this factor: it loses digits, so a tie goes to fp32."""


@cache
def bf16_is_faster(device: torch.device | None = None) -> bool:
    """Whether bf16 is worth its lost digits on ``device`` (default: the CPU); takes a few milliseconds.

    Measured once in a process: on a busy machine a second measurement may differ, and a seed would not repeat.
    """
    if device is not None and device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return _seconds(torch.bfloat16) * _MARGIN < _seconds(torch.float32)


def _seconds(dtype: torch.dtype) -> float:
    """Best time of a product of the shape of an encoder's feed-forward layer."""
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(1024, 256, generator=generator).to(dtype)
    right = torch.nn.Linear(256, 1024, dtype=dtype)
    best = float("inf")
    with torch.inference_mode():
        for _ in range(_REPEATS):
            began = time.perf_counter()
            right(left)
            best = min(best, time.perf_counter() - began)
    return best


def quantize(rows: torch.Tensor, bits: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """Integers of ``bits`` ``(n, d)`` and a scale for each row ``(n, 1)`` whose product is nearest to ``rows``."""
    scale = rows.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny) / (2 ** (bits - 1) - 1)
    return torch.round(rows / scale).to(torch.int8), scale


def pack(integers: torch.Tensor) -> torch.Tensor:
    """4-bit integers ``(n, d)``, ``d`` even, two in a byte: uint8 ``(n, d / 2)``."""
    halves = (integers + 8).to(torch.uint8)
    return halves[:, 0::2] | (halves[:, 1::2] << 4)


def unpack(packed: torch.Tensor) -> torch.Tensor:
    """What ``pack`` was given, int8 ``(n, d)``."""
    return torch.stack([packed & 15, packed >> 4], dim=2).flatten(1).to(torch.int8) - 8


def dequantize(integers: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """What ``quantize`` was given, but for rounding, ``(n, d)`` float."""
    return integers.to(scale.dtype) * scale


def agreement(pairs: list[tuple[Floats, Floats]]) -> dict[str, float]:
    """How far rounded probabilities differ from exact ones, the worst head of ``pairs`` (each ``(n, n_labels)``).

    Returns:
        ``labels``, the share of letters with the same best label, and ``probability``, the mean absolute
        difference of the best label's probability.
    """
    same = [float((exact.argmax(1) == rough.argmax(1)).mean()) for exact, rough in pairs]
    gaps = [
        float(np.abs(exact.max(1) - rough[np.arange(len(rough)), exact.argmax(1)]).mean()) for exact, rough in pairs
    ]
    return {"labels": min(same), "probability": max(gaps)}


def agrees(facts: dict[str, float] | None) -> bool:
    """Whether recorded ``agreement`` facts allow rounding; ``None`` (never measured) does not."""
    return facts is not None and facts["labels"] >= MIN_LABELS and facts["probability"] <= MAX_PROBABILITY_GAP
