"""One thread that writes: what waits while a commit is synced to disk shares the next one.

A ``Future`` that holds a result says that the change is on disk. Nothing is retried here: when the
database does not answer, every waiting future gets ``StoreUnavailable`` and its owner decides.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

MAX_GROUP = 128
Work = Callable[[Connection], Any]


class StoreUnavailable(RuntimeError):  # noqa: N818
    """The database is absent, locked, full or too slow; nothing was written."""


class StoreRejected(StoreUnavailable):
    """The database is there but refuses this very change."""


@dataclass(frozen=True)
class Job:
    """Something to do inside a transaction; ``work`` may run twice, but only one run is committed."""

    work: Work
    future: Future[Any]


class Writer:
    """Runs jobs in groups, one transaction each. A job that raises leaves the others of its group alone."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Work) -> Future[Any]:
        """Queue a job; its future ends once the group is committed or has failed."""
        job = Job(work, Future())
        self._jobs.put(job)
        return job.future

    def close(self, timeout_s: float = 10.0) -> None:
        """Finish what is queued, then stop."""
        self._jobs.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            group, ended = [job], False
            while len(group) < MAX_GROUP and not self._jobs.empty():
                following = self._jobs.get()
                if following is None:
                    ended = True
                    break
                group.append(following)
            self._write(group)
            if ended:
                return

    def _write(self, group: list[Job], *, again: bool = True) -> None:
        outcomes: list[tuple[Any, Exception | None]] = []
        try:
            with self._engine.begin() as connection:
                outcomes = [_attempt(connection, job.work) for job in group]
        except (SQLAlchemyError, OSError) as error:
            outage = _is_outage(error)
            if again and not outage:
                for job in group:
                    self._write([job], again=False)
                return
            refusal = StoreUnavailable if outage else StoreRejected
            outcomes = [(None, refusal(type(error).__name__))] * len(group)
        for job, (value, error_of_job) in zip(group, outcomes, strict=True):
            if not job.future.set_running_or_notify_cancel():
                continue
            if error_of_job is None:
                job.future.set_result(value)
            else:
                job.future.set_exception(error_of_job)


def _attempt(connection: Connection, work: Work) -> tuple[Any, Exception | None]:
    """Run one job in a savepoint; database errors end the group, others belong to the job."""
    savepoint = connection.begin_nested()
    try:
        value = work(connection)
    except (SQLAlchemyError, OSError):
        raise
    except Exception as error:
        savepoint.rollback()
        return None, error
    savepoint.commit()
    return value, None


def _is_outage(error: Exception) -> bool:
    """True when trying the jobs one by one would only wait for the same dead or locked database again."""
    if not isinstance(error, DBAPIError):
        return True
    return error.connection_invalidated or type(error).__name__ in (
        "OperationalError",
        "InterfaceError",
        "TimeoutError",
    )


def ping(engine: Engine) -> None:
    """Ask the database for a sign of life.

    Raises:
        StoreUnavailable: there is none.
    """
    try:
        with engine.connect().execution_options(reading=True) as connection:
            connection.execute(text("SELECT 1 FROM cases LIMIT 1"))
    except (SQLAlchemyError, OSError) as error:
        raise StoreUnavailable(type(error).__name__) from None
