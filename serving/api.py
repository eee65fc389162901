"""API v1 as a FastAPI application: bodies, answers, errors and the OpenAPI description at ``/docs.json``.

The guard has authenticated the request and limited its body before it comes here.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from serving import routes_cases, routes_model, routes_triage
from serving.access import ROUTES
from serving.errors import CODES, ApiError, ErrorBody
from serving.runtime import Runtime

PAGE = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
_COMMON = ("bad_request", "key_missing", "scope_missing", "rate_limited", "internal", "overloaded", "timeout")
_WITH_BODY = ("body_too_large", "unsupported_media_type", "invalid")
_DESCRIPTION = """Fenban 分办 suggests where a citizen's letter goes. Suggestions only: a person decides.

Every error is `{"error": {"code", "field", "message"}}`; codes are stable. Every answer carries `X-Trace-Id`.
A request with `traceparent` (W3C) keeps its trace id. 429 and 503 carry `Retry-After` in seconds."""


def create_api(runtime: Runtime) -> FastAPI:
    """The application; ``runtime`` is started before the first request."""
    api = FastAPI(
        title="Fenban 分办",
        version="1.0.0",
        description=_DESCRIPTION,
        openapi_url="/docs.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    api.state.runtime = runtime
    for module in (routes_triage, routes_cases, routes_model):
        api.include_router(module.router, prefix="/v1")
    api.add_exception_handler(ApiError, _on_api_error)
    api.add_exception_handler(RequestValidationError, _on_validation_error)
    api.add_exception_handler(HTTPException, _on_http_error)
    api.add_api_route("/", _page, include_in_schema=False, methods=["GET", "HEAD"])
    api.openapi = lambda: _describe(api)  # type: ignore[method-assign]
    return api


def answer_error(error: ApiError) -> Response:
    """An error as an answer that the guard leaves as it is."""
    headers = {**error.headers, "x-fenban-error": "1"}
    return Response(error.body, error.status, headers, media_type="application/json")


async def _on_api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return answer_error(error)


async def _on_validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return answer_error(ApiError("not_json"))
    code = {"string_too_long": "too_long", "extra_forbidden": "unknown_field"}.get(first["type"], "invalid")
    tags = ("accepted", "returned", "corrected")
    where = [str(part) for index, part in enumerate(first["loc"]) if index and not (index == 1 and part in tags)]
    message = "kind must be accepted, returned or corrected" if first["type"].startswith("union_tag") else first["msg"]
    return answer_error(ApiError(code, ".".join(where), message))


async def _on_http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, UnicodeDecodeError):
        return answer_error(ApiError("not_utf8"))
    if isinstance(error.__cause__, ValueError | RecursionError):
        return answer_error(ApiError("not_json"))
    return answer_error(ApiError.of_status(error.status_code))


async def _page() -> HTMLResponse:
    """The page at ``/``; its own script and style are allowed by their hashes."""
    return HTMLResponse(PAGE, headers={"content-security-policy": _page_policy()})


def _page_policy() -> str:
    def allow(tag: str) -> str:
        bodies = re.findall(rf"<{tag}>(.*?)</{tag}>", PAGE, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for body in bodies]
        return " ".join(f"'sha256-{digest}'" for digest in digests)

    return (
        f"default-src 'none'; script-src {allow('script')}; style-src {allow('style')}; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


def _describe(api: FastAPI) -> dict[str, Any]:
    """OpenAPI with our errors, keys and scopes in place of FastAPI's own validation errors."""
    if api.openapi_schema:
        return api.openapi_schema
    described = get_openapi(
        title=api.title,
        version=api.version,
        description=api.description,
        routes=api.routes,
        separate_input_output_schemas=False,
    )
    schemas = described["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas.update(_error_schemas())
    described["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "fb_…"}}
    for route in ROUTES:
        operation = described["paths"].get(route.path, {}).get(route.method.lower())
        if operation is None:
            continue
        operation["security"] = [{"key": []}]
        operation["description"] = f"{operation.get('description', '')}\n\nScope: {' or '.join(route.scopes)}.".strip()
        codes = {*_COMMON, *(_WITH_BODY if route.body_factor else ("invalid",)), *operation.pop("x-codes", ())}
        responses = operation["responses"]
        for status in {CODES[code][0] for code in codes}:
            responses[str(status)] = _error_response(status)
    api.openapi_schema = described
    return described


def _error_schemas() -> dict[str, Any]:
    schema = ErrorBody.model_json_schema(ref_template="#/components/schemas/{model}")
    detail = schema.pop("$defs")["ErrorDetail"]
    detail["properties"]["code"]["enum"] = sorted(CODES)
    return {"ErrorBody": schema, "ErrorDetail": detail}


def _error_response(status: int) -> dict[str, Any]:
    codes = [code for code, (of_status, _) in CODES.items() if of_status == status]
    examples = {code: {"value": {"error": {"code": code, "field": "", "message": CODES[code][1]}}} for code in codes}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}, "examples": examples}}
    answer: dict[str, Any] = {"description": ", ".join(codes), "content": content}
    if status in (429, 503):
        answer["headers"] = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}
    return answer
