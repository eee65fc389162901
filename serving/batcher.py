"""Adaptive batching in one process: letters that arrive while a batch is scored form the next one.

A lone letter never waits; under load batches grow by themselves up to ``max_letters``. See
docs/decisions/0003-batching-in-process.md for why BentoML's own batchable API is not used.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from models.case import Letter
from models.suggestion import Suggestion

Score = Callable[[Sequence[Letter]], list[Suggestion]]
Waiting = tuple[list[Letter], asyncio.Future[list[Suggestion]]]


class Overloaded(RuntimeError):  # noqa: N818
    """More letters are waiting than ``max_waiting``; the client should try again later."""


class Batcher:
    """Feeds ``score`` from one thread.

    Args:
        score: called with at least one request's letters.
        max_letters: most letters in one call, unless a single request has more.
        max_waiting: most letters waiting; further requests raise ``Overloaded``.
        observe: called with the size of every batch.
    """

    def __init__(
        self, score: Score, *, max_letters: int, max_waiting: int, observe: Callable[[float], None] | None = None
    ) -> None:
        self._score = score
        self._max_letters = max_letters
        self._max_waiting = max_waiting
        self._observe = observe or (lambda _: None)
        self._waiting: deque[Waiting] = deque()
        self._n_waiting = 0
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="triage")

    async def submit(self, letters: list[Letter]) -> list[Suggestion]:
        """Suggestions for one request's letters, in order.

        Raises:
            Overloaded: too many letters are waiting already.
        """
        if self._n_waiting + len(letters) > self._max_waiting:
            raise Overloaded(f"{self._n_waiting} letters are waiting")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Suggestion]] = loop.create_future()
        self._waiting.append((letters, future))
        self._n_waiting += len(letters)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            requests = self._take()
            letters = [letter for request, _ in requests for letter in request]
            self._observe(len(letters))
            try:
                suggestions = await loop.run_in_executor(self._thread, self._score, letters)
            except Exception as error:
                for _, future in requests:
                    if not future.done():
                        future.set_exception(error)
                continue
            begin = 0
            for request, future in requests:
                if not future.done():
                    future.set_result(suggestions[begin : begin + len(request)])
                begin += len(request)

    def _take(self) -> list[Waiting]:
        taken = [self._waiting.popleft()]
        size = len(taken[0][0])
        while self._waiting and size + len(self._waiting[0][0]) <= self._max_letters:
            taken.append(self._waiting.popleft())
            size += len(taken[-1][0])
        self._n_waiting -= size
        return taken
