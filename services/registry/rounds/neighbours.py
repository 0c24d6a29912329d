"""What voting and scoring tell the office of a round, asked over HTTP with the token of the person who asks us.

No service reads another's tables: what this person may not see there is not seen here either. A service that does not
answer in time is None, and whoever asked says so instead of failing.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from services.registry.settings import RegistrySettings

log = logging.getLogger(__name__)

WITHIN_S = 3.0
BYTES_MAX = 4 << 20


@dataclass(frozen=True, slots=True)
class RoundElsewhere:
    """The answers of the other services about a round; None where one was not to be had."""

    voting: dict[str, Any] | None
    holds: list[dict[str, Any]] | None
    scoring: dict[str, Any] | None


async def ask(settings: RegistrySettings, round_id: str, token: str) -> RoundElsewhere:
    """State of voting, holds and state of scoring, asked at once and within WITHIN_S seconds."""
    voting = f"{settings.voting_url or settings.public_origin}/api/voting/v1/rounds/{round_id}"
    scoring = f"{settings.scoring_url or settings.public_origin}/api/scoring/v1/rounds/{round_id}"
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(timeout=WITHIN_S, trust_env=False, headers=headers) as http:
        state, holds, panel = await asyncio.gather(
            _json(http, f"{voting}/state"), _json(http, f"{voting}/holds"), _json(http, f"{scoring}/state")
        )
    return RoundElsewhere(
        state if isinstance(state, dict) else None,
        holds if isinstance(holds, list) else None,
        panel if isinstance(panel, dict) else None,
    )


async def _json(http: httpx.AsyncClient, address: str) -> Any:
    try:
        answer = await http.get(address)
        if answer.status_code != 200 or len(answer.content) > BYTES_MAX:
            return None
        return msgspec.json.decode(answer.content)
    except (httpx.HTTPError, msgspec.DecodeError, OSError) as error:
        log.warning("a neighbour did not answer", extra={"failure": type(error).__name__})
        return None
