"""The model that is served: scores, explains, checks, and is exchanged without a dropped request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from models.bundle import CARD, METRICS, BundleError
from models.case import Labels, Letter
from models.explain import Explanation, explain
from models.returns import DispatchCheck, DispatchError, check_dispatch
from models.suggestion import OUTSIDE_UNIT, UNKNOWN_UNIT, Suggestion
from models.taxonomy import HEADS
from models.triage import Triage
from serving.batcher import Batcher, Overloaded
from serving.errors import ApiError
from serving.logs import log
from serving.metrics import Metrics
from serving.schema import ModelInfo

EXPLAIN_PASS = 8
"""Letters of an explanation that are scored before the letters of others get their turn."""
MAX_EXPLAINING = 8
_WARMING = (Letter(title="预热", body="双瑞一路路灯不亮"), Letter(title="预热", body="咨询社保卡怎么办理"))


class Engine:
    """Holds the current ``Triage``; every pass of the batcher looks it up anew.

    Args:
        bundle: folder of the first bundle.
        bundles: folder whose sub-folders may be loaded later.
        max_wait_s: see ``Batcher``.
    """

    def __init__(self, bundle: Path, bundles: Path, metrics: Metrics, *, max_wait_s: float) -> None:
        torch.set_num_threads(1)
        self._bundles = bundles
        self._metrics = metrics
        self._reloading = asyncio.Lock()
        self.triage = _load(bundle)
        self.loaded_at = datetime.now(UTC)
        self.batcher = Batcher(self._score, max_wait_s=max_wait_s, observe=metrics.batch_size.observe)
        self._explainer = ThreadPoolExecutor(1, thread_name_prefix="explain")
        self._n_explaining = 0
        metrics.serve(self.triage.versions)

    async def reload(self, name: str) -> None:
        """Verify, load and warm another bundle, then switch; requests under way end with the old one.

        Raises:
            ApiError: ``reload_running``, or ``bundle_rejected`` with the reason; then nothing changes.
        """
        if self._reloading.locked():
            raise ApiError("reload_running")
        async with self._reloading:
            folder = (self._bundles / name).resolve()
            if folder.parent != self._bundles.resolve() or not folder.is_dir():
                raise ApiError("bundle_rejected", "bundle", "there is no such folder under FENBAN_BUNDLES")
            try:
                triage = await asyncio.to_thread(_load, folder)
            except Exception as error:
                log("reload_failed", level="error", error=type(error).__name__, bundle=name)
                reason = (
                    str(error).replace(f"{folder}/", "") if isinstance(error, BundleError) else type(error).__name__
                )
                raise ApiError("bundle_rejected", "bundle", f"refused, the old one stays: {reason[:300]}") from None
            old, self.triage, self.loaded_at = self.triage, triage, datetime.now(UTC)
            self._metrics.serve(triage.versions, old.versions)
            log("reloaded", model=triage.versions.model, was=old.versions.model)

    async def check(self, letter: Letter, unit: str, department: str, duplicate_of: str | None) -> DispatchCheck:
        """Would this dispatch be returned?

        Raises:
            ApiError: ``unknown_label`` names the field.
            Overloaded: too many letters wait.
        """
        triage = self.triage
        try:
            return await self.batcher.run(
                lambda: check_dispatch(triage, letter, unit, department, duplicate_of=duplicate_of)
            )
        except DispatchError as error:
            raise ApiError("unknown_label", error.field, str(error)) from None

    async def explain(self, letter: Letter) -> Explanation:
        """Which words moved each head; runs beside the letters of others, not before them.

        Raises:
            Overloaded: too many explanations wait.
        """
        if self._n_explaining >= MAX_EXPLAINING:
            raise Overloaded(float(self._n_explaining))
        self._n_explaining += 1
        shared = _SharedTriage(self.triage, self.batcher.thread)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._explainer, explain, shared, letter)
        finally:
            self._n_explaining -= 1

    def info(self) -> ModelInfo:
        """What is served."""
        triage, bundle = self.triage, self.triage.bundle
        labels = {head: {label.id: label.name for label in bundle.taxonomy.heads[head]} for head in HEADS}
        labels["unit"] = {unit.id: unit.name for unit in bundle.taxonomy.units}
        return ModelInfo(
            **triage.versions.model_dump(),
            bundle=bundle.folder.name,
            loaded_at=self.loaded_at,
            labels=labels,
            metrics=json.loads(_text(bundle.folder / METRICS) or "{}"),
            card=_text(bundle.folder / CARD),
        )

    def check_labels(self, labels: Labels | None, *, unit: str | None = None, department: str | None = None) -> None:
        """See that labels of a report are the taxonomy's, departments of the past included.

        Raises:
            ApiError: ``unknown_label`` names the field.
        """
        taxonomy = self.triage.bundle.taxonomy
        units = {label.id for label in taxonomy.units} | {UNKNOWN_UNIT, OUTSIDE_UNIT}
        departments = set(taxonomy.ids("department")) | set(taxonomy.retired)
        given = labels or Labels()
        values = [("labels.unit", given.unit, units), ("unit", unit, units), ("department", department, departments)]
        values += [(f"labels.{head}", getattr(given, head), set(taxonomy.ids(head))) for head in HEADS]
        values.append(("labels.co_department", given.co_department, departments))
        for field, value, allowed in values:
            if (
                value is not None
                and value not in allowed
                and not (field == "labels.department" and value in departments)
            ):
                raise ApiError("unknown_label", field)
        if labels is not None and (labels.aux is not None or labels == Labels()):
            raise ApiError("invalid", "labels", "give at least one label, and not aux")

    def _score(self, letters: Sequence[Letter]) -> list[Suggestion]:
        return self.triage(letters)


class _SharedTriage(Triage):
    """A ``Triage`` for long work of another thread: each small pass queues up in the scoring thread."""

    def __init__(self, triage: Triage, thread: ThreadPoolExecutor) -> None:
        vars(self).update(vars(triage))
        self._triage = triage
        self._thread = thread

    def probabilities(self, cases: Sequence[Letter]) -> dict[str, npt.NDArray[Any]]:
        """As ``Triage.probabilities``, in passes of ``EXPLAIN_PASS``."""
        pieces = [cases[begin : begin + EXPLAIN_PASS] for begin in range(0, len(cases), EXPLAIN_PASS)]
        parts = [self._thread.submit(self._triage.probabilities, piece).result() for piece in pieces]
        return {head: np.concatenate([part[head] for part in parts]) for head in parts[0]}

    def suggest(self, letter: Letter, probabilities: dict[str, npt.NDArray[Any]]) -> Suggestion:
        """As ``Triage.suggest``."""
        return self._thread.submit(self._triage.suggest, letter, probabilities).result()


def _load(folder: Path) -> Triage:
    triage = Triage.load(folder)
    for _ in range(2):
        triage(_WARMING)
    return triage


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
