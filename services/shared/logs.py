"""Structured logs: one JSON object a line on standard output, without personal data.

Callers log words and numbers of their own, never request bodies, phones, codes, tokens or addresses; a request
is found again by its request id.
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
from contextvars import ContextVar
from typing import Any

import msgspec

request_id: ContextVar[str] = ContextVar("request_id", default="")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JsonFormatter(logging.Formatter):
    """Formats a record as JSON; what was passed as `extra` becomes members."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service
        self._encode = msgspec.json.Encoder(enc_hook=str).encode

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "event": record.getMessage(),
        }
        if identity := request_id.get():
            entry["request_id"] = identity
        entry.update({name: value for name, value in vars(record).items() if name not in _STANDARD})
        if record.exc_info and record.exc_info[1] is not None:
            entry["error"] = without_words(record.exc_info[1])
        return self._encode(entry).decode()


def without_words(error: BaseException) -> str:
    """Types and stack frames of an error and of what brought it about, never their texts.

    The text of an error can quote a row or a request; where it happened is enough to find it.
    """
    parts: list[str] = []
    current: BaseException | None = error
    while current is not None:
        state = getattr(current, "sqlstate", None)
        name = type(current).__qualname__ + (f" (SQLSTATE {state})" if state else "")
        parts.append(name + "\n" + "".join(traceback.format_tb(current.__traceback__)))
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "brought about by ".join(parts)


def configure(service: str, level: str) -> None:
    """Send every logger of this process to standard output as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("httpx").setLevel(logging.WARNING)
