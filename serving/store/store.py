"""The store as the service uses it: durable or spooled, never in the way of a suggestion.

When the database fails or is slower than ``wait_s`` the circuit opens: records go to the spool at once, and a
thread asks the database every ``PROBE_S`` seconds; when it answers, the spool is replayed. Storing a case twice
is harmless, so a record may be in the spool and in the database.
"""

from __future__ import annotations

import asyncio
import functools
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from serving.errors import ApiError
from serving.logs import log
from serving.store import changes, database
from serving.store.records import Row
from serving.store.spool import Spool
from serving.store.writer import StoreRejected, StoreUnavailable, Work, Writer, ping

PROBE_S = 1.0
PURGE_EVERY_S = 3600.0
READ_S = 5.0
REPLAY_CHUNK = 50
T = TypeVar("T")


class Store:
    """Cases, events and keys in one database, with a spool beside it.

    Args:
        url: SQLAlchemy URL.
        folder: of the spool.
        wait_s: how long an answer may wait for a commit.
        migrate: bring the schema up when the database is first reached.
        retention_days: cases older than this are deleted every hour; 0 keeps them.
    """

    def __init__(self, url: str, folder: Path, *, wait_s: float, migrate: bool, retention_days: int = 0) -> None:
        self.engine = database.open_engine(url)
        self.spool = Spool(folder)
        self.up = False
        self._wait_s = wait_s
        self._migrate = migrate
        self._retention_days = retention_days
        self._next_purge = 0.0
        self._folder = folder
        self._stop = threading.Event()
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="store")
        self._writer = Writer(self.engine)
        self._probe()
        self._keeper = threading.Thread(target=self._keep, name="store-keeper", daemon=True)
        self._keeper.start()

    async def save(self, rows: Sequence[Row]) -> tuple[list[str], bool]:
        """Store the cases of one request; the suggestions on record, and whether they are in the database.

        Raises:
            ApiError: ``id_conflict``, ``case_deleted``; ``store_unavailable`` when the spool is full as well.
        """
        waiting = [self.spool.get(row["id"]) for row in rows]
        if any(waiting) or not self.up:
            return await self._spooled(rows), False
        try:
            return await self.write(functools.partial(changes.save_cases, rows=rows)), True
        except ApiError as error:
            if error.code != "store_unavailable":
                raise
        return await self._spooled(rows), False

    async def write(self, work: Work) -> Any:
        """Run a change; when this returns, it is on disk.

        Raises:
            ApiError: of the change itself, or ``store_unavailable``.
        """
        if not self.up:
            raise ApiError("store_unavailable")
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self._writer.submit(work)), self._wait_s)
        except (TimeoutError, StoreUnavailable) as error:
            if not isinstance(error, StoreRejected):
                self._down(error)
            raise ApiError("store_unavailable") from None

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run a query in a thread.

        Raises:
            ApiError: of the query itself, or ``store_unavailable``.
        """
        if not self.up:
            raise ApiError("store_unavailable")
        loop = asyncio.get_running_loop()
        try:
            return await asyncio.wait_for(loop.run_in_executor(self._threads, self._read, query), READ_S)
        except (TimeoutError, SQLAlchemyError, OSError) as error:
            self._down(error)
            raise ApiError("store_unavailable") from None

    async def delete(self, case_id: str, *, by: str) -> None:
        """Delete a case so that its text is gone from the files too; a trace without text stays.

        Raises:
            ApiError: ``unknown_case``, ``case_deleted`` or ``store_unavailable``.
        """
        if self.spool.get(case_id):
            raise ApiError("store_unavailable", message="the case waits for the database; try again later")
        now = datetime.now(UTC)
        await self.write(functools.partial(changes.delete_case, case_id=case_id, by=by, now=now))
        await asyncio.get_running_loop().run_in_executor(self._threads, database.forget, self.engine)

    def free_bytes(self) -> int:
        """Free disk space where the spool lies (and SQLite, unless its URL points elsewhere)."""
        return shutil.disk_usage(self._folder).free

    def close(self) -> None:
        """Finish what is queued and let go of the database."""
        self._stop.set()
        self._writer.close()
        self._keeper.join(2 * PROBE_S)
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.engine.dispose()

    def _read(self, query: Callable[[Connection], T]) -> T:
        with self.engine.connect().execution_options(reading=True) as connection:
            return query(connection)

    async def _spooled(self, rows: Sequence[Row]) -> list[str]:
        known: list[str] = []
        new: list[Row] = []
        for index, row in enumerate(rows):
            old = self.spool.get(row["id"])
            if old is not None and old["digest"] != row["digest"]:
                raise ApiError("id_conflict", "id" if len(rows) == 1 else f"letters.{index}.id")
            if old is None:
                new.append(row)
            known.append((old or row)["suggestion"])
        if new:
            try:
                await asyncio.get_running_loop().run_in_executor(self._threads, self.spool.append, new)
            except OSError as error:
                log("spool_failed", level="error", error=type(error).__name__)
                raise ApiError("store_unavailable", message="neither database nor disk takes records") from None
        return known

    def _down(self, error: Exception) -> None:
        if self.up:
            log("store_down", level="error", error=type(error).__name__)
        self.up = False

    def _keep(self) -> None:
        """Probe, replay and purge until closed."""
        while not self._stop.wait(PROBE_S):
            try:
                if not self.up:
                    self._probe()
                if self.up:
                    self.spool.adopt()
                    self._replay()
                    self._purge()
            except Exception as error:
                log("store_keeper_failed", level="error", error=type(error).__name__)

    def _probe(self) -> None:
        try:
            if self._migrate:
                database.upgrade(self.engine)
                self._migrate = False
            ping(self.engine)
        except (SQLAlchemyError, OSError, StoreUnavailable) as error:
            log("store_absent", level="warning", error=type(error).__name__)
        else:
            self.up = True
            log("store_up", spooled=len(self.spool))

    def _replay(self) -> None:
        while self.up and not self._stop.is_set() and (rows := self.spool.waiting(REPLAY_CHUNK)):
            futures = [self._writer.submit(functools.partial(changes.save_cases, rows=[row])) for row in rows]
            for row, future in zip(rows, futures, strict=True):
                try:
                    _wait(future)
                    self.spool.done([row])
                except (ApiError, StoreRejected) as error:
                    code = error.code if isinstance(error, ApiError) else "rejected"
                    log("replay_rejected", level="error", case=row["id"], code=code)
                    self.spool.done([row]) if code == "case_deleted" else self.spool.reject(row)
                except (StoreUnavailable, TimeoutError) as error:
                    self._down(error)
                    return

    def _purge(self) -> None:
        if not self._retention_days or time.monotonic() < self._next_purge:
            return
        self._next_purge = time.monotonic() + PURGE_EVERY_S
        now = datetime.now(UTC)
        before = now - timedelta(days=self._retention_days)
        purge = functools.partial(changes.purge_before, moment=before, now=now)
        total = 0
        while count := _wait(self._writer.submit(purge)):
            total += count
        if total:
            log("purged", cases=total)


def _wait(future: Future[Any]) -> Any:
    return future.result(database.STATEMENT_MS / 1000)
