"""The ASGI layer before BentoML: checks every request body and gives every error one shape.

BentoML answers a validation error in a shape of its own and logs the input with it. Here a body is
limited before it is read, decoded, parsed and validated; only good ones go on. No error repeats the
letter. It also serves the page at ``/``.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from models.case import Letter
from serving.schema import ErrorBody, ErrorDetail, LetterBatch
from serving.settings import Settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

BODIES: dict[str, type[BaseModel]] = {"/v1/triage": Letter, "/v1/triage/batch": LetterBatch}
PAGE = (Path(__file__).parent / "page.html").read_bytes()
_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 415: "unsupported_media_type"}
_CURES = {
    404: "no such path; see /docs.json",
    405: "this path does not take that method; see /docs.json",
    415: "send application/json",
    503: "overloaded or starting; try again later",
}


class Refusal(Exception):  # noqa: N818
    """A request that is answered here: status and error body."""

    def __init__(self, status: int, code: str, field: str, message: str) -> None:
        super().__init__(code)
        self.status = status
        self.body = ErrorBody(error=ErrorDetail(code=code, field=field, message=message)).model_dump_json().encode()


class Guard:
    """ASGI middleware around the BentoML application."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.max_bytes = Settings().max_body_bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path, method = scope["path"], scope["method"]
        if path == "/" and method in ("GET", "HEAD"):
            await _answer(send, 200, PAGE, b"text/html; charset=utf-8")
            return
        try:
            if path in BODIES:
                if method != "POST":
                    raise Refusal(405, "method_not_allowed", "", "use POST")
                receive = await self._checked(scope, receive, BODIES[path])
            elif method == "POST":
                raise Refusal(404, "not_found", "", _CURES[404])
        except Refusal as refusal:
            await _answer(send, refusal.status, refusal.body)
            return
        await self.app(scope, receive, _Reshaper(send))

    async def _checked(self, scope: Message, receive: Receive, schema: type[BaseModel]) -> Receive:
        """Read and validate the body; a ``receive`` that replays it, or a ``Refusal``."""
        headers = {name.lower(): value for name, value in scope["headers"]}
        media = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
        if media != b"application/json":
            raise Refusal(415, "unsupported_media_type", "", _CURES[415])
        body = await self._read(receive, headers)
        validate(body, schema)
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        return replay

    async def _read(self, receive: Receive, headers: dict[bytes, bytes]) -> bytes:
        too_large = Refusal(413, "body_too_large", "", f"the body may have {self.max_bytes} bytes at most")
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self.max_bytes:
            raise too_large
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refusal(400, "disconnected", "", "the client closed the connection")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.max_bytes:
                raise too_large
            if not message.get("more_body"):
                return b"".join(parts)


def validate(body: bytes, schema: type[BaseModel]) -> None:
    """Check a request body.

    Raises:
        Refusal: not UTF-8, not JSON, wrong types, over the limits, or an empty letter.
    """
    try:
        value = json.loads(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise Refusal(400, "not_utf8", "", "the body is not UTF-8; encode it as UTF-8") from None
    except (ValueError, RecursionError):  # plain ValueError: a number of more than 4,300 digits
        raise Refusal(400, "not_json", "", "the body is not valid JSON") from None
    try:
        record = schema.model_validate(value, strict=False)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])[:200]
        code = {"string_too_long": "too_long", "extra_forbidden": "unknown_field"}.get(first["type"], "invalid")
        raise Refusal(422, code, field, first["msg"]) from None
    letters = record.letters if isinstance(record, LetterBatch) else [record]
    for index, letter in enumerate(letters):
        if isinstance(letter, Letter) and letter.is_empty:
            field = f"letters.{index}.body" if isinstance(record, LetterBatch) else "body"
            raise Refusal(422, "empty_letter", field, "title and body are empty; send the letter's text")


class _Reshaper:
    """Passes answers on, but replaces the body of an error by ours."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.replaced = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 400:
            self.replaced = True
            status = message["status"]
            code = _CODES.get(
                status, "unavailable" if status == 503 else "internal" if status >= 500 else "bad_request"
            )
            refusal = Refusal(status, code, "", _CURES.get(status, "see /docs.json"))
            await _answer(self.send, status, refusal.body)
        elif not self.replaced:
            await self.send(message)


async def _answer(send: Send, status: int, body: bytes, media: bytes = b"application/json") -> None:
    headers = [(b"content-type", media), (b"content-length", str(len(body)).encode())]
    if status in (429, 503):
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
