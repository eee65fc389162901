"""Every error of API v1: one shape, stable codes, a cure, and never a word of the letter."""

from __future__ import annotations

from pydantic import Field

from models.case import Record

CODES: dict[str, tuple[int, str]] = {
    "not_utf8": (400, "the body is not UTF-8; encode it as UTF-8"),
    "not_json": (400, "the body is not valid JSON"),
    "bad_request": (400, "the request is malformed; see /docs.json"),
    "key_missing": (401, "send an API key: Authorization: Bearer fb_…"),
    "key_invalid": (401, "this API key is unknown or revoked; ask the operator for a new one"),
    "scope_missing": (403, "this API key lacks the scope for this path; see /docs.json"),
    "keys_required": (403, "no API key is configured, so only loopback is served; run: fenban key create"),
    "not_found": (404, "no such path; see /docs.json"),
    "unknown_case": (404, "no case with this id; post the letter to /v1/triage first"),
    "method_not_allowed": (405, "this path does not take that method; see /docs.json"),
    "id_conflict": (409, "this id was used for another text; use a new id for a new letter"),
    "outcome_conflict": (409, "this outcome id was used for another report; use a new id"),
    "reload_running": (409, "another reload is running; try again when it has ended"),
    "case_deleted": (410, "the case with this id was deleted"),
    "body_too_large": (413, "the body is too large"),
    "unsupported_media_type": (415, "send application/json"),
    "invalid": (422, "the value is not valid"),
    "too_long": (422, "the text is too long"),
    "unknown_field": (422, "there is no such field"),
    "empty_letter": (422, "title and body are empty; send the letter's text"),
    "unknown_label": (422, "the taxonomy has no such label; see GET /v1/model"),
    "bad_cursor": (422, "the cursor is not one of ours; leave it out to start again"),
    "bundle_rejected": (422, "the bundle was refused; the old one stays"),
    "rate_limited": (429, "too many requests with this key; slow down"),
    "internal": (500, "an error of the service; report it with the trace id"),
    "overloaded": (503, "too many letters are waiting; try again later"),
    "store_unavailable": (503, "the database does not answer; try again later"),
    "keys_unavailable": (503, "the keys could not be read from the database yet; try again later"),
    "not_ready": (503, "the service is not ready"),
    "timeout": (504, "the request took too long; try again later"),
}
_BY_STATUS = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 503: "not_ready", 504: "timeout"}


class ErrorDetail(Record):
    """What was wrong: a stable code, the field (empty if none is to blame), and the cure."""

    code: str = Field(examples=["empty_letter"])
    field: str = Field(examples=["body"])
    message: str = Field(examples=["title and body are empty; send the letter's text"])


class ErrorBody(Record):
    """The one shape of every error."""

    error: ErrorDetail


class ApiError(Exception):
    """An answer with an error: its status follows from its code.

    Args:
        code: a key of ``CODES``.
        field: path of the field to blame, as ``letters.3.body``.
        message: replaces the code's own message; must not hold text of a letter.
        retry_after: seconds until a retry makes sense; set for 429 and 503.
    """

    def __init__(self, code: str, field: str = "", message: str = "", *, retry_after: int | None = None) -> None:
        super().__init__(code)
        self.status, default = CODES[code]
        self.code, self.field, self.message = code, field, message or default
        self.retry_after = retry_after or (1 if self.status in (429, 503) else None)

    @property
    def body(self) -> bytes:
        """The JSON body; a field name with half a surrogate pair is written with ``?``."""
        field = self.field[:200].encode("utf-8", "replace").decode()
        detail = ErrorDetail(code=self.code, field=field, message=self.message)
        return ErrorBody(error=detail).model_dump_json().encode()

    @property
    def headers(self) -> dict[str, str]:
        """Headers that belong to the error."""
        headers = {"retry-after": str(self.retry_after)} if self.retry_after else {}
        if self.status == 401:
            headers["www-authenticate"] = "Bearer"
        return headers

    @classmethod
    def of_status(cls, status: int) -> ApiError:
        """The error for a bare status of a framework below us."""
        return cls(_BY_STATUS.get(status, "internal" if status >= 500 else "bad_request"))
