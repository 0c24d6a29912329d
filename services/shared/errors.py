"""One error tree for every service; HTTP is put on only at the edge (`web.py`).

A *reason* is a word from a closed list. Each service declares its own list as a `ReasonWord` enum, so
that the same word stands in code, JSON, metric label and page.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self


class ReasonWord(StrEnum):
    """Base of the closed lists: `NAME = "word", status, "Title"`."""

    status: int
    headline: str

    def __new__(cls, word: str, status: int, headline: str) -> Self:
        member = str.__new__(cls, word)
        member._value_ = word
        member.status = status
        member.headline = headline
        return member


class CommonReason(ReasonWord):
    """Refusals that any service may answer."""

    NOT_FOUND = "not_found", 404, "No such thing"
    METHOD_NOT_ALLOWED = "method_not_allowed", 405, "Method not allowed"
    BAD_REQUEST = "bad_request", 400, "The request cannot be read"
    BODY_TOO_LARGE = "body_too_large", 413, "The request is too large"
    BAD_TOKEN = "bad_token", 401, "Sign in first"
    FORBIDDEN = "forbidden", 403, "Not allowed"
    STAFF_STALE = "staff_stale", 503, "Staff records are not up to date"
    UNAVAILABLE = "unavailable", 503, "Not available at the moment"
    INTERNAL = "internal", 500, "Something went wrong on our side"


class PingxuanError(Exception):
    """Base of every error this project raises on purpose."""


class Refusal(PingxuanError):
    """An expected outcome that ends the request: a reason from a closed list, and what to do.

    `extra` goes into the problem document beside the standard members.
    """

    def __init__(self, reason: ReasonWord, detail: str = "", *, retry_after_s: int | None = None, **extra: Any) -> None:
        super().__init__(f"{reason.value}: {detail or reason.headline}")
        self.reason = reason
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.extra = extra


class SignInFirst(PingxuanError):
    """Nobody is signed in at a page of staff, or the token ran out: the edge renews it and comes back.

    `back` is the page to come back to; empty: the address that was asked for, with its query.
    """

    def __init__(self, back: str = "") -> None:
        super().__init__("sign in first")
        self.back = back


class ConfigurationError(PingxuanError):
    """A setting is missing or wrong; the message says which and what to do."""


class MigrationError(PingxuanError):
    """The database's schema and this software do not belong together."""


def problem(reason: ReasonWord, detail: str = "", *, retry_after_s: int | None = None, **extra: Any) -> dict[str, Any]:
    """RFC 9457 problem document as a plain dictionary; None values are left out."""
    document: dict[str, Any] = {
        "type": f"urn:pingxuan:problem:{reason.value}",
        "title": reason.headline,
        "status": reason.status,
        "reason": reason.value,
    }
    if detail:
        document["detail"] = detail
    if retry_after_s is not None:
        document["retry_after_s"] = retry_after_s
    document.update({name: value for name, value in extra.items() if value is not None})
    return document
