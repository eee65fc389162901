"""The paths of the service: who may call them, how much they may send. One table for guard, OpenAPI and docs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Scope = Literal["intake", "reviewer", "engineer", "metrics"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
CASE_PREFIX = "/v1/cases/"


@dataclass(frozen=True)
class Access:
    """One route: ``path`` as in OpenAPI; no ``scopes`` means open to all; ``body_factor`` times the body limit."""

    method: str
    path: str
    scopes: tuple[Scope, ...] = ()
    body_factor: int = 0


ROUTES = (
    Access("POST", "/v1/triage", ("intake", "reviewer"), 1),
    Access("POST", "/v1/triage/batch", ("intake", "reviewer"), 8),
    Access("POST", "/v1/check", ("intake", "reviewer"), 1),
    Access("POST", "/v1/explain", ("intake", "reviewer", "engineer"), 1),
    Access("POST", "/v1/outcomes", ("intake", "reviewer"), 1),
    Access("GET", "/v1/cases", ("reviewer",)),
    Access("GET", "/v1/cases/{id}", ("intake", "reviewer")),
    Access("DELETE", "/v1/cases/{id}", ("engineer",)),
    Access("GET", "/v1/model", ("intake", "reviewer", "engineer")),
    Access("POST", "/v1/model/reload", ("engineer",), 1),
    Access("GET", "/metrics", ("metrics",)),
    Access("GET", "/"),
    Access("GET", "/docs.json"),
    Access("GET", "/healthz"),
    Access("GET", "/livez"),
    Access("GET", "/readyz"),
)
_TABLE = {(route.method, route.path): route for route in ROUTES}
_PATHS = {route.path for route in ROUTES}


def find_route(method: str, path: str) -> Access | Literal["not_found", "method_not_allowed"]:
    """The route of a request, or the code of the error that it gets."""
    if path.startswith(CASE_PREFIX) and len(path) > len(CASE_PREFIX):
        path = "/v1/cases/{id}"
    if path not in _PATHS:
        return "not_found"
    return _TABLE.get(("GET" if method == "HEAD" else method, path), "method_not_allowed")
