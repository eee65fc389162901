"""Settings of the service, from environment variables with the prefix ``FENBAN_``."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from models.triage import SHIPPED_BUNDLE

MAX_BATCH = 256
"""Letters in one request of the batch endpoint, and in one forward pass."""


MAX_WAITING = 2048
"""Letters waiting to be scored before further requests get a 503."""


class Settings(BaseSettings):
    """``FENBAN_BUNDLE``: folder of the served bundle. ``FENBAN_MAX_BODY_BYTES``: largest request body."""

    model_config = SettingsConfigDict(env_prefix="FENBAN_", frozen=True)

    bundle: Path = SHIPPED_BUNDLE
    max_body_bytes: int = 2_000_000
