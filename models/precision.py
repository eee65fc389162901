"""Which number format this machine multiplies faster: measured, since the instruction set alone does not tell.

AVX512-BF16 without AMX was 0.6 times the speed of fp32 on one Xeon and 2 times on an AMD EPYC of this project.
"""

from __future__ import annotations

import time

import torch

_REPEATS = 5
_MARGIN = 1.2
"""bf16 must win by this factor: it loses digits, so a tie goes to fp32."""


def bf16_is_faster(device: torch.device | None = None) -> bool:
    """Whether bf16 is worth its lost digits on ``device`` (default: the CPU); takes a few milliseconds."""
    if device is not None and device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
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
