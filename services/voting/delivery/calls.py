"""One HTTP call to a provider's API: a signed request out, a JSON object or a failure back; neither is logged."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

from services.voting.delivery.provider import Failure

_REPLY_MAX_BYTES = 1 << 20


def open_client(timeout_s: float) -> httpx.AsyncClient:
    """A client that follows nobody and takes no proxy from the environment."""
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=16)
    return httpx.AsyncClient(timeout=timeout_s, follow_redirects=False, trust_env=False, limits=limits)


async def call(
    http: httpx.AsyncClient, url: str, headers: dict[str, str], body: bytes = b""
) -> dict[str, Any] | Failure:
    """The JSON object of the answer, whatever its status (both clouds explain errors in it), or why there is none."""
    try:
        answer = await http.post(url, headers=headers, content=body)
    except httpx.HTTPError:
        return Failure.PROVIDER_AWAY
    if answer.status_code == 429:
        return Failure.PROVIDER_THROTTLED
    if answer.status_code >= 500 or len(answer.content) > _REPLY_MAX_BYTES:
        return Failure.PROVIDER_AWAY
    try:
        found: dict[str, Any] = msgspec.json.decode(answer.content, type=dict[str, Any])
    except msgspec.MsgspecError:
        return Failure.PROVIDER_AWAY
    return found
