"""API keys: ``fb_<id>_<secret>``. Only a SHA-256 of the secret is stored; the secret has 256 random bits, so it needs
no slow hash. Also the ring of keys that the guard asks, and the rate limit of each key.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select, update

from serving.access import SCOPES, Scope
from serving.errors import ApiError
from serving.store.tables import api_keys

_NO_HASH = hashlib.sha256(b"no key").hexdigest()


@dataclass(frozen=True)
class ApiKey:
    """What is known of a key; ``hash`` is the SHA-256 of its secret, 64 hex digits."""

    id: str
    name: str
    scopes: frozenset[str]
    hash: str
    created_at: datetime
    revoked_at: datetime | None


def create_key(connection: Connection, name: str, scopes: Sequence[str]) -> str:
    """Make a key and return it; it cannot be shown again.

    Raises:
        ValueError: no or unknown scopes, or a name that is empty or too long.
    """
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise ValueError(f"scope {unknown[0] if unknown else ''!r} is unknown; give some of: {', '.join(SCOPES)}")
    if not 0 < len(name) <= 128:
        raise ValueError("the name must have 1 to 128 characters; name the system that uses the key")
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    row = {"id": key_id, "name": name, "scopes": " ".join(sorted(set(scopes))), "hash": _hash(secret)}
    connection.execute(insert(api_keys), {**row, "created_at": datetime.now(UTC)})
    return f"fb_{key_id}_{secret}"


def revoke_key(connection: Connection, key_id: str) -> None:
    """End a key; running services notice within ``FENBAN_KEY_REFRESH_S``.

    Raises:
        ValueError: there is no such key in force.
    """
    in_force = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
    if not connection.execute(update(api_keys).where(in_force).values(revoked_at=datetime.now(UTC))).rowcount:
        raise ValueError(f"no key {key_id!r} is in force; see: fenban key list")


def list_keys(connection: Connection) -> list[ApiKey]:
    """Every key, revoked ones too, oldest first."""
    rows = connection.execute(select(api_keys).order_by(api_keys.c.created_at)).mappings()
    return [ApiKey(**{**row, "scopes": frozenset(row["scopes"].split())}) for row in rows]


class KeyRing:
    """The keys in force, as last read. Before the first reading nobody is let in."""

    def __init__(self, *, rate_per_second: float) -> None:
        self.known = False
        self._rate = rate_per_second
        self._keys: dict[str, ApiKey] = {}
        self._any_key_ever = False
        self._buckets: dict[str, _Bucket] = {}

    def replace(self, keys: Sequence[ApiKey]) -> None:
        """Take over a fresh reading."""
        self._any_key_ever = bool(keys)
        self._keys = {key.id: key for key in keys if key.revoked_at is None}
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if key in self._keys}
        self.known = True

    @property
    def is_open(self) -> bool:
        """True while no key was ever made: then loopback is served without one. Revoking all keys locks."""
        return self.known and not self._any_key_ever

    def admit(self, authorization: str | None, scopes: Sequence[Scope]) -> ApiKey:
        """The key of an ``Authorization`` header, if it has one of ``scopes`` and is within its rate.

        Raises:
            ApiError: ``keys_unavailable``, ``key_missing``, ``key_invalid``, ``scope_missing``, ``rate_limited``.
        """
        if not self.known:
            raise ApiError("keys_unavailable")
        if not authorization:
            raise ApiError("key_missing")
        scheme, _, token = authorization.partition(" ")
        parts = token.strip().split("_", 2)
        if scheme.lower() != "bearer" or len(parts) != 3 or parts[0] != "fb":
            raise ApiError("key_invalid")
        key = self._keys.get(parts[1])
        same = hmac.compare_digest(_hash(parts[2]), key.hash if key else _NO_HASH)
        if key is None or not same:
            raise ApiError("key_invalid")
        if not key.scopes & set(scopes):
            raise ApiError("scope_missing", message=f"this API key lacks the scope {' or '.join(scopes)}")
        wait = self._buckets.setdefault(key.id, _Bucket(self._rate)).take()
        if wait:
            raise ApiError("rate_limited", retry_after=int(wait) + 1)
        return key


class _Bucket:
    """Token bucket: ``rate`` a second, bursts of twice that."""

    def __init__(self, rate: float) -> None:
        self._rate, self._tokens, self._at = rate, max(1.0, 2 * rate), time.monotonic()

    def take(self) -> float:
        """Take one token; 0, or the seconds until there is one."""
        now = time.monotonic()
        self._tokens = min(max(1.0, 2 * self._rate), self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return (1 - self._tokens) / self._rate
        self._tokens -= 1
        return 0.0


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
