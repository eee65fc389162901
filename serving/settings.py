"""Settings of the service, from environment variables with the prefix ``FENBAN_``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

MAX_BATCH = 256
"""Letters in one request of the batch endpoint."""

SHIPPED_BUNDLE = Path(__file__).parents[1] / "models" / "data" / "bundle"


def _data_folder() -> Path:
    """The XDG data folder, so that service and command line agree wherever they are started."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "fenban"


class Settings(BaseSettings):
    """What an operator may set; every field is the variable ``FENBAN_<FIELD>``.

    Attributes:
        bundle: folder of the bundle that is served after a start.
        bundles: folder whose sub-folders ``POST /v1/model/reload`` may load; default: the parent of ``bundle``.
        data: folder of the SQLite database and of the spool.
        database_url: SQLAlchemy URL, such as ``postgresql+psycopg://user:password@host/fenban``; empty: SQLite.
        migrate: bring the database to the newest version at start.
        store_text: letters are kept ``redacted``, ``full``, or not at all (``none``).
        retention_days: cases older than this are deleted; 0 keeps them for ever.
        store_wait_s: how long an answer waits for the database before its record goes to the spool.
        max_body_bytes: largest request body; a batch may have eight times that.
        max_wait_s: requests that would wait longer to be scored get a 503.
        rate_per_second: requests a second for each key; bursts may have twice that.
        key_refresh_s: how often keys are read again, thus how long a revoked key may live on.
        min_free_mb: with less free disk under ``data`` the service is not ready.
    """

    model_config = SettingsConfigDict(env_prefix="FENBAN_", frozen=True)

    bundle: Path = SHIPPED_BUNDLE
    bundles: Path | None = None
    data: Path = Field(default_factory=_data_folder)
    database_url: str = ""
    migrate: bool = True
    store_text: Literal["redacted", "full", "none"] = "redacted"
    retention_days: int = Field(default=365, ge=0)
    store_wait_s: float = Field(default=1.0, gt=0)
    max_body_bytes: int = Field(default=2_000_000, gt=0)
    max_wait_s: float = Field(default=5.0, gt=0)
    rate_per_second: float = Field(default=100.0, gt=0)
    key_refresh_s: float = Field(default=2.0, gt=0)
    min_free_mb: int = Field(default=100, ge=0)

    @property
    def url(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{self.data / 'fenban.db'}"

    @property
    def bundle_root(self) -> Path:
        """Folder of the bundles that may be loaded by name."""
        return self.bundles or self.bundle.parent
