"""Asking somebody who knows whether a name, an ID and a phone belong together: a typed ID proves nothing.

`ThreeFactor` is the reference implementation against an HTTP API of three factors:

    POST <url>   {"request_id", "name", "id_number", "mobile"}   →   200 {"result": "match" | "mismatch" | "unknown"}
    Authorization: HMAC-SHA256 key="…", timestamp="<unix s>", nonce="…", signature="<hex>"

The signature is HMAC-SHA-256 over timestamp, nonce, method, path and the body's SHA-256 (hex), joined by newlines.
429 and 5xx are repeated a little later with the same request_id; nothing of the question is stored or logged.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
import time
from enum import StrEnum
from typing import Protocol
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import msgspec

from services.voting import metrics

log = logging.getLogger(__name__)
_REPLY_MAX_BYTES = 65536


class Verdict(StrEnum):
    """What a provider says; `unavailable` when it could not be asked."""

    MATCH = "match"
    MISMATCH = "mismatch"
    UNKNOWN = "unknown"
    UNAVAILABLE = "unavailable"


class Verifier(Protocol):
    """Whoever can tell whether three facts belong to one person."""

    name: str

    async def verify(self, name: str, national_id: str, phone: str) -> Verdict:
        """Never raises for what a provider or a network may do."""
        ...

    async def close(self) -> None: ...


class _Answer(msgspec.Struct):
    result: Verdict


class ThreeFactor:
    """The reference client; at most `parallel_max` questions at once, each over after `timeout_s` with its repeats."""

    name = "three_factor"

    def __init__(
        self, url: str, key_id: str, secret: bytes, *, timeout_s: float, retries: int, parallel_max: int
    ) -> None:
        self._url, self._key_id, self._secret = url, key_id, secret
        self._timeout_s, self._retries = timeout_s, retries
        self._parallel = asyncio.Semaphore(parallel_max)
        self._http = httpx.AsyncClient(timeout=timeout_s, follow_redirects=False, trust_env=False)

    async def verify(self, name: str, national_id: str, phone: str) -> Verdict:
        question = {"request_id": str(uuid4()), "name": name, "id_number": national_id, "mobile": phone}
        verdict = Verdict.UNAVAILABLE
        try:
            async with asyncio.timeout(self._timeout_s), self._parallel:
                verdict = await self._ask(msgspec.json.encode(question))
        except TimeoutError:
            log.warning("identity provider is slow")
        metrics.identity_verifications_total.labels(verdict.value).inc()
        return verdict

    async def _ask(self, body: bytes) -> Verdict:
        pause_s = 0.2
        for _ in range(self._retries + 1):
            try:
                answer = await self._http.post(self._url, content=body, headers=self._headers(body))
            except httpx.HTTPError as error:
                log.warning("identity provider failed", extra={"failure": type(error).__name__})
            else:
                if answer.status_code == 200:
                    return _verdict(answer.content)
                log.warning("identity provider refused", extra={"status": answer.status_code})
                if answer.status_code != 429 and answer.status_code < 500:
                    return Verdict.UNAVAILABLE
                pause_s = _retry_after_s(answer, pause_s)
            await asyncio.sleep(pause_s)
            pause_s *= 2
        return Verdict.UNAVAILABLE

    def _headers(self, body: bytes) -> dict[str, str]:
        timestamp, nonce = str(int(time.time())), secrets.token_hex(16)
        signature = sign(self._secret, timestamp, nonce, urlsplit(self._url).path or "/", body)
        return {
            "content-type": "application/json",
            "authorization": f'HMAC-SHA256 key="{self._key_id}", timestamp="{timestamp}", nonce="{nonce}",'
            f' signature="{signature}"',
        }

    async def close(self) -> None:
        await self._http.aclose()


def sign(secret: bytes, timestamp: str, nonce: str, path: str, body: bytes) -> str:
    """The signature of a question, hex."""
    told = "\n".join([timestamp, nonce, "POST", path, hashlib.sha256(body).hexdigest()])
    return hmac.new(secret, told.encode(), "sha256").hexdigest()


def _verdict(body: bytes) -> Verdict:
    if len(body) > _REPLY_MAX_BYTES:
        return Verdict.UNAVAILABLE
    try:
        return msgspec.json.decode(body, type=_Answer).result
    except msgspec.MsgspecError:
        log.warning("identity provider answered in another form")
        return Verdict.UNAVAILABLE


def _retry_after_s(answer: httpx.Response, otherwise_s: float) -> float:
    told = answer.headers.get("retry-after", "")
    return float(told) if told.isdecimal() else otherwise_s
