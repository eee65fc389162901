"""``/v1/model``: what is served, and how to exchange it."""

from __future__ import annotations

from fastapi import APIRouter

from serving.routes_triage import Running
from serving.schema import ModelInfo, ReloadRequest

router = APIRouter(tags=["model"])


@router.get("/model")
async def model(runtime: Running) -> ModelInfo:
    """The served bundle: versions, labels, metrics and the model card."""
    return runtime.engine.info()


@router.post("/model/reload", openapi_extra={"x-codes": ["not_json", "reload_running", "bundle_rejected"]})
async def reload_model(wanted: ReloadRequest, runtime: Running) -> ModelInfo:
    """Verify, load and warm another bundle, then switch to it without dropping a request.

    If anything is wrong with it, the old one stays. Holds for this process until it restarts; a service of several
    replicas is told one by one.
    """
    await runtime.engine.reload(wanted.bundle)
    return runtime.engine.info()
