"""The service: a front that checks and shapes, and a scorer that forms batches of parallel letters.

    bentoml serve serving.service:Fenban --host 127.0.0.1 --port 3000

BentoML batches only calls that reach a batchable API from outside its process, so the scorer is a
service of its own behind ``bentoml.depends``; the front holds no model.
"""

from __future__ import annotations

import bentoml

from models.case import Letter
from models.suggestion import Suggestion
from serving.guard import Guard
from serving.schema import LetterBatch, SuggestionBatch
from serving.settings import MAX_BATCH, Settings


@bentoml.service(name="fenban_scorer", workers=1, traffic={"timeout": 30})
class Scorer:
    """Holds the one ``Triage`` and scores whatever letters are waiting in one pass."""

    def __init__(self) -> None:
        import torch

        from models.triage import Triage

        torch.set_num_threads(1)
        self.triage = Triage.load(Settings().bundle)
        self.triage([Letter(title="预热", body="预热")])

    @bentoml.api(batchable=True, max_batch_size=MAX_BATCH, max_latency_ms=10_000)
    def score(self, letters: list[Letter]) -> list[Suggestion]:
        return self.triage(letters)


@bentoml.service(name="fenban", workers=1, traffic={"timeout": 30})
class Fenban:
    """API v1. Bodies are checked by ``serving.guard`` before they come here."""

    scorer = bentoml.depends(Scorer)

    @bentoml.api(route="/v1/triage")
    async def triage(self, letter: Letter, /) -> Suggestion:
        """Suggest a routing for one letter."""
        suggestions: list[Suggestion] = await self.scorer.to_async.score([letter])
        return suggestions[0]

    @bentoml.api(route="/v1/triage/batch")
    async def triage_batch(self, batch: LetterBatch, /) -> SuggestionBatch:
        """Suggest a routing for each of up to 256 letters, in order."""
        return SuggestionBatch(suggestions=await self.scorer.to_async.score(batch.letters))


Fenban.add_asgi_middleware(Guard)
