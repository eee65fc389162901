"""Coordinates: GCJ-02 to WGS-84, and the unit by the nearest known places.

District polygons are not ours to ship, so a point is given to the units of the known places around it.
This falls down near boundaries and where few places are known (outer counties).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

NEIGHBOURS = 9
FAR_KM = 6.0
"""Beyond this distance from every known place a point says nothing."""
_KM_PER_DEGREE = 111.32
_AXIS, _ECCENTRICITY = 6378245.0, 0.00669342162296594323


def gcj_to_wgs(lon: float, lat: float) -> tuple[float, float]:
    """WGS-84 degrees of a GCJ-02 point, within about a metre (fixed-point iteration on the public formula)."""
    wgs_lon, wgs_lat = lon, lat
    for _ in range(3):
        shifted_lon, shifted_lat = wgs_to_gcj(wgs_lon, wgs_lat)
        wgs_lon, wgs_lat = wgs_lon + lon - shifted_lon, wgs_lat + lat - shifted_lat
    return wgs_lon, wgs_lat


def wgs_to_gcj(lon: float, lat: float) -> tuple[float, float]:
    """GCJ-02 degrees of a WGS-84 point (the published reverse-engineered formula)."""
    x, y = lon - 105.0, lat - 35.0
    wave = 20 * math.sin(6 * x * math.pi) + 20 * math.sin(2 * x * math.pi)
    d_lat = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x))
    d_lat += (wave + 20 * math.sin(y * math.pi) + 40 * math.sin(y / 3 * math.pi)) * 2 / 3
    d_lat += (160 * math.sin(y / 12 * math.pi) + 320 * math.sin(y * math.pi / 30)) * 2 / 3
    d_lon = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x))
    d_lon += (wave + 20 * math.sin(x * math.pi) + 40 * math.sin(x / 3 * math.pi)) * 2 / 3
    d_lon += (150 * math.sin(x / 12 * math.pi) + 300 * math.sin(x / 30 * math.pi)) * 2 / 3
    magic = 1 - _ECCENTRICITY * math.sin(lat / 180 * math.pi) ** 2
    d_lat *= 180 / (_AXIS * (1 - _ECCENTRICITY) / (magic * math.sqrt(magic)) * math.pi)
    d_lon *= 180 / (_AXIS / math.sqrt(magic) * math.cos(lat / 180 * math.pi) * math.pi)
    return lon + d_lon, lat + d_lat


@dataclass(frozen=True)
class NearbyUnits:
    """Known points ``(n, 2)`` in kilometres on a local plane, and the unit index of each, ``(n,)``."""

    tree: cKDTree
    units: npt.NDArray[np.int64]
    cosine: float

    @classmethod
    def build(cls, degrees: npt.NDArray[np.float64], units: npt.NDArray[np.int64]) -> NearbyUnits:
        """``degrees`` is ``(n, 2)`` lon, lat in WGS-84."""
        cosine = math.cos(math.radians(float(degrees[:, 1].mean())))
        plane = degrees * np.array([cosine, 1.0]) * _KM_PER_DEGREE
        return cls(cKDTree(plane), units, cosine)

    def shares(self, lon: float, lat: float) -> dict[int, float]:
        """Share of each unit index among the nearest known places, nearer ones counting more; empty if far."""
        point = np.array([lon * self.cosine, lat]) * _KM_PER_DEGREE
        distances, rows = self.tree.query(point, k=min(NEIGHBOURS, len(self.units)))
        distances, rows = np.atleast_1d(distances), np.atleast_1d(rows)
        if distances[0] > FAR_KM:
            return {}
        weights = 1 / (distances + 0.1)
        shares: dict[int, float] = {}
        for unit, weight in zip(self.units[rows], weights / weights.sum(), strict=True):
            shares[int(unit)] = shares.get(int(unit), 0.0) + float(weight)
        return shares
