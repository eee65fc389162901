"""Adaptive batching in one process: letters that arrive while a batch is scored form the next one.

A lone letter never waits; under load batches grow by themselves up to ``MAX_PASS``. Requests of many letters are
cut into pieces of ``PIECE``, and each pass takes all single letters but one such piece, so a batch of 256 does not
hold up the letters of others. See docs/decisions/0003-batching-in-process.md for why BentoML's own batchable API is
not used, and 0022 for the two lanes.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from models.case import Letter
from models.suggestion import Suggestion

PIECE = 16
MAX_PASS = 64
_FIRST_GUESS_S = 0.01
Score = Callable[[Sequence[Letter]], list[Suggestion]]
Piece = tuple[Sequence[Letter], asyncio.Future[list[Suggestion]]]
T = TypeVar("T")


class Overloaded(RuntimeError):  # noqa: N818
    """Requests would wait longer than allowed; ``wait_s`` is how long they would."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"letters wait {wait_s:.1f} s")
        self.wait_s = wait_s


class Batcher:
    """Feeds ``score`` from one thread.

    Args:
        score: called with at least one letter; looked up for each pass, so it may change between passes.
        max_wait_s: requests that would wait longer, by the speed of late, raise ``Overloaded``.
        observe: called with the size of every pass.

    Attributes:
        thread: the one that scores; the model must be used from no other.
        n_waiting: letters that wait to be scored or are being scored.
    """

    def __init__(self, score: Score, *, max_wait_s: float, observe: Callable[[float], Any] = lambda _: None) -> None:
        self._score = score
        self._max_wait_s = max_wait_s
        self._observe = observe
        self._single: deque[Piece] = deque()
        self._bulk: deque[Piece] = deque()
        self.n_waiting = 0
        self._letter_s = _FIRST_GUESS_S
        self._task: asyncio.Task[None] | None = None
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="triage")

    async def submit(self, letters: Sequence[Letter]) -> list[Suggestion]:
        """Suggestions for one request's letters, in order.

        Raises:
            Overloaded: the letters that wait already need longer than ``max_wait_s``.
        """
        self._check()
        loop = asyncio.get_running_loop()
        lane = self._single if len(letters) <= PIECE else self._bulk
        futures: list[asyncio.Future[list[Suggestion]]] = []
        for begin in range(0, len(letters), PIECE):
            futures.append(loop.create_future())
            lane.append((letters[begin : begin + PIECE], futures[-1]))
        self.n_waiting += len(letters)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._drain())
        return [suggestion for part in await asyncio.gather(*futures) for suggestion in part]

    async def run(self, work: Callable[[], T]) -> T:
        """Run something short that needs the model in the scoring thread.

        Raises:
            Overloaded: as for ``submit``.
        """
        self._check()
        return await asyncio.get_running_loop().run_in_executor(self.thread, work)

    def _check(self) -> None:
        wait = self.n_waiting * self._letter_s
        if wait > self._max_wait_s:
            raise Overloaded(wait)

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while pieces := self._take():
            letters = [letter for piece, _ in pieces for letter in piece]
            self._observe(len(letters))
            began = time.perf_counter()
            try:
                suggestions = await loop.run_in_executor(self.thread, self._score, letters)
            except Exception as error:
                for _, future in pieces:
                    if not future.done():
                        future.set_exception(error)
                continue
            finally:
                self.n_waiting -= len(letters)
            self._letter_s += 0.1 * ((time.perf_counter() - began) / len(letters) - self._letter_s)
            begin = 0
            for piece, future in pieces:
                if not future.done():
                    future.set_result(suggestions[begin : begin + len(piece)])
                begin += len(piece)

    def _take(self) -> list[Piece]:
        taken: list[Piece] = []
        size = 0
        while self._single and size + len(self._single[0][0]) <= MAX_PASS:
            taken.append(self._single.popleft())
            size += len(taken[-1][0])
        if self._bulk:
            taken.append(self._bulk.popleft())
        return taken


def retry_after(error: Overloaded) -> int:
    """Whole seconds that a client should wait."""
    return max(1, math.ceil(error.wait_s / 2))
