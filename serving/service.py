"""The BentoML service.

bentoml serve serving.service:Fenban --host 127.0.0.1 --port 3000
"""

from __future__ import annotations

import bentoml
import torch
from bentoml.exceptions import ServiceUnavailable
from bentoml.metrics import Histogram

from models.case import Letter
from models.suggestion import Suggestion
from models.triage import Triage
from serving.batcher import Batcher, Overloaded
from serving.guard import Guard
from serving.schema import LetterBatch, SuggestionBatch
from serving.settings import MAX_BATCH, MAX_WAITING, Settings

BATCH_SIZE = Histogram(
    name="fenban_batch_size",
    documentation="Letters scored in one pass",
    buckets=[1, 2, 4, 8, 16, 32, 64, 128, 256],
)


@bentoml.service(name="fenban", workers=1, traffic={"timeout": 30})
class Fenban:
    """API v1. Bodies are checked by ``serving.guard`` before they come here."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        triage = Triage.load(Settings().bundle)
        triage([Letter(title="预热", body="预热")])
        self.batcher = Batcher(triage, max_letters=MAX_BATCH, max_waiting=MAX_WAITING, observe=BATCH_SIZE.observe)

    @bentoml.api(route="/v1/triage")  # type: ignore[untyped-decorator]
    async def triage(self, letter: Letter, /) -> Suggestion:
        """Suggest a routing for one letter."""
        return (await self._submit([letter]))[0]

    @bentoml.api(route="/v1/triage/batch")  # type: ignore[untyped-decorator]
    async def triage_batch(self, batch: LetterBatch, /) -> SuggestionBatch:
        """Suggest a routing for each of up to 256 letters, in order."""
        return SuggestionBatch(suggestions=await self._submit(batch.letters))

    async def _submit(self, letters: list[Letter]) -> list[Suggestion]:
        try:
            return await self.batcher.submit(letters)
        except Overloaded:
            raise ServiceUnavailable("too many letters are waiting") from None


Fenban.add_asgi_middleware(Guard)  # type: ignore[attr-defined]
