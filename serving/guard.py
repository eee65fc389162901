"""The ASGI layer around everything: trace id, keys, limits, security headers, one error shape, logs and metrics.

A request is refused before its body is read where that is possible. Nothing of a body, of a query or of a path
that is not ours is logged.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any

from serving.access import Access, find_route
from serving.errors import ApiError
from serving.logs import log
from serving.runtime import Runtime

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

TIMEOUT_S = 60.0
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


class Guard:
    """ASGI middleware around the BentoML application."""

    def __init__(self, app: App, *, runtime: Runtime) -> None:
        self.app = app
        self.runtime = runtime

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer, or refuse, one request."""
        if scope["type"] != "http":
            if scope["type"] != "websocket":
                await self.app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        answer = _Answer(send, _trace_id(headers.get(b"traceparent", b"")))
        began = perf_counter()
        route = find_route(scope["method"], scope["path"])
        state = scope.setdefault("state", {})
        state["trace"] = answer.trace
        try:
            if isinstance(route, str):
                raise ApiError(route)
            state["key"] = self._admit(scope, headers, route)
            if route.path == "/metrics":
                self.runtime.observe()
            if route.path == "/readyz":
                await self._readyz(answer)
            else:
                async with asyncio.timeout(TIMEOUT_S):
                    await self.app(scope, await self._checked(receive, headers, route), answer)
        except ApiError as error:
            await answer.fail(error)
        except TimeoutError:
            await answer.fail(ApiError("timeout"))
        except Exception as error:
            log("unhandled", level="error", trace=answer.trace, error=type(error).__name__, at=_place(error))
            if answer.started:
                raise
            await answer.fail(ApiError("internal"))
        self._record(scope["method"], route, answer, state, perf_counter() - began)

    def _admit(self, scope: Message, headers: dict[bytes, bytes], route: Access) -> str | None:
        """Id of the key that a request came with; ``None`` where none is asked for."""
        if not route.scopes:
            return None
        ring = self.runtime.ring
        if ring.is_open:
            if not _is_loopback(scope.get("client")):
                raise ApiError("keys_required")
            return None
        key = ring.admit(headers.get(b"authorization", b"").decode("latin-1"), route.scopes)
        scope["state"]["scopes"] = key.scopes
        return key.id

    async def _checked(self, receive: Receive, headers: dict[bytes, bytes], route: Access) -> Receive:
        """The body, limited and of the right media type, as a ``receive`` that replays it."""
        if not route.body_factor:
            return receive
        if headers.get(b"content-type", b"").split(b";")[0].strip().lower() != b"application/json":
            raise ApiError("unsupported_media_type")
        limit = self.runtime.settings.max_body_bytes * route.body_factor
        too_large = ApiError("body_too_large", "", f"the body may have {limit} bytes at most")
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > limit:
            raise too_large
        parts: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ApiError("bad_request", "", "the client closed the connection")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise too_large
            more = message.get("more_body", False)
        body: bytes | None = b"".join(parts)

        async def replay() -> Message:
            nonlocal body
            if body is None:
                return await receive()
            whole, body = body, None
            return {"type": "http.request", "body": whole, "more_body": False}

        return replay

    async def _readyz(self, answer: _Answer) -> None:
        reasons = await self.runtime.probe_disk()
        if reasons:
            raise ApiError("not_ready", "", f"not ready: {', '.join(reasons)}")
        await answer.send_json(200, b'{"status":"ready"}')

    def _record(self, method: str, route: Access | str, answer: _Answer, state: dict[str, Any], seconds: float) -> None:
        path = route.path if isinstance(route, Access) else "other"
        method = method if isinstance(route, Access) else "other"
        self.runtime.metrics.requests.labels(method, path, answer.status).inc()
        self.runtime.metrics.request_seconds.labels(path).observe(seconds)
        if path in ("/healthz", "/livez", "/readyz", "/metrics") and answer.status == 200:
            return
        ids = {name: state[name] for name in ("key", "case") if state.get(name)}
        log(
            "request",
            trace=answer.trace,
            method=method,
            path=path,
            status=answer.status,
            ms=round(seconds * 1000, 1),
            **ids,
        )


class _Answer:
    """Passes answers on with our headers; replaces the body of an error that is not ours."""

    def __init__(self, send: Send, trace: str) -> None:
        self.trace = trace
        self.status = 0
        self.started = False
        self._send = send
        self._replaced = False

    async def __call__(self, message: Message) -> None:
        if message["type"] != "http.response.start":
            if not self._replaced:
                await self._send(message)
            return
        status, headers = message["status"], list(message.get("headers", []))
        if status >= 400 and (b"x-fenban-error", b"1") not in headers:
            self._replaced = True
            await self.fail(ApiError.of_status(status))
            return
        kept = [(name, value) for name, value in headers if name != b"x-fenban-error"]
        await self._start(status, kept)

    async def fail(self, error: ApiError) -> None:
        """Answer with an error."""
        await self.send_json(error.status, error.body, error.headers)

    async def send_json(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Answer with JSON."""
        fields = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        fields += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self._start(status, fields)
        await self._send({"type": "http.response.body", "body": body})

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.status, self.started = status, True
        given = {name for name, _ in headers}
        ours = [field for field in _SECURITY if field[0] not in given]
        trace = (b"x-trace-id", self.trace.encode())
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, *ours, trace]})


def _trace_id(parent: bytes) -> str:
    """The trace id of a W3C ``traceparent`` header, or a new one."""
    match = _TRACE_PARENT.fullmatch(parent.decode("latin-1"))
    return match[1] if match else secrets.token_hex(16)


def _is_loopback(client: tuple[str, int] | None) -> bool:
    try:
        return client is not None and ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False


def _place(error: Exception) -> str:
    """File and line where an error arose; its text might hold a letter, so it is not logged."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return f"{frame.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.tb_lineno}" if frame else ""
