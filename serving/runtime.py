"""What one worker process holds: settings, store, keys, metrics, and the engine. Started and closed by BentoML."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from serving.errors import ApiError
from serving.keys import KeyRing, list_keys
from serving.logs import log
from serving.settings import Settings

if TYPE_CHECKING:
    from serving.engine import Engine
    from serving.metrics import Metrics
    from serving.store.store import Store


class Runtime:
    """The parts of a running service; empty until ``start``, so that importing the service costs no model."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.ring = KeyRing(rate_per_second=self.settings.rate_per_second)
        self.engine: Engine
        self.metrics: Metrics
        self.store: Store
        self._closed = threading.Event()

    def start(self) -> None:
        """Open the store, read the keys, load and warm the model.

        Raises:
            BundleError: the bundle cannot be served.
            ValueError: a setting is wrong.
        """
        from serving.engine import Engine
        from serving.metrics import Metrics
        from serving.store.store import Store

        settings = self.settings
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.metrics = Metrics()
        self.store = Store(
            settings.url,
            settings.data / "spool",
            wait_s=settings.store_wait_s,
            migrate=settings.migrate,
            retention_days=settings.retention_days,
        )
        self._read_keys()
        self.engine = Engine(settings.bundle, settings.bundle_root, self.metrics, max_wait_s=settings.max_wait_s)
        threading.Thread(target=self._refresh, name="keys", daemon=True).start()
        log("started", model=self.engine.triage.versions.model, store_up=self.store.up, loopback_only=self.ring.is_open)

    def close(self) -> None:
        """Write what is queued and close the database; called once no request is under way."""
        self._closed.set()
        if hasattr(self, "store"):
            self.store.close()
        log("stopped")

    def unready(self) -> list[str]:
        """Codes of what stands in the way of work: ``disk_full``, ``keys_unavailable``."""
        reasons = [] if self.ring.known else ["keys_unavailable"]
        if self.store.free_bytes() < self.settings.min_free_mb * 1_000_000:
            reasons.append("disk_full")
        return reasons

    async def probe_disk(self) -> list[str]:
        """``unready`` without holding up the event loop."""
        return await asyncio.to_thread(self.unready)

    def observe(self) -> None:
        """Bring the gauges up to date."""
        self.metrics.store_up.set(self.store.up)
        self.metrics.spooled.set(len(self.store.spool))
        self.metrics.waiting.set(self.engine.batcher.n_waiting)

    def _read_keys(self) -> None:
        was_open = self.ring.is_open
        with contextlib.suppress(SQLAlchemyError, OSError, ApiError):
            with self.store.engine.connect().execution_options(reading=True) as connection:
                self.ring.replace(list_keys(connection))
            if self.ring.is_open and not was_open:
                log("no_keys_loopback_only", level="warning", cure="fenban key create")

    def _refresh(self) -> None:
        while not self._closed.wait(self.settings.key_refresh_s):
            self._read_keys()
