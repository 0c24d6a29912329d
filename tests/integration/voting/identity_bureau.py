"""Somebody else's three-factor API, as `services/voting/identity/verification.py` documents it."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field

from services.voting.identity.verification import sign
from tests.support.local_server import Asked, Reply

KEY_ID, SECRET = "pingxuan-test", b"three-factor-secret-of-a-test"
_AUTHORIZATION = re.compile(
    r'HMAC-SHA256 key="(?P<key>[^"]+)", timestamp="(?P<at>\d+)", nonce="(?P<nonce>[0-9a-f]{32})",'
    r' signature="(?P<signature>[0-9a-f]{64})"'
)


@dataclass
class Bureau:
    """Knows people by name and ID, and which phones are theirs; `mishaps` are answered first, one a request."""

    people: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    mishaps: list[Reply] = field(default_factory=list)
    hanging: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0

    def __post_init__(self) -> None:
        self.hanging.set()

    def know(self, name: str, national_id: str, *phones: str) -> None:
        self.people[name, national_id] = {f"+86{phone}" for phone in phones}

    async def __call__(self, asked: Asked) -> Reply:
        self.asked += 1
        await self.hanging.wait()
        if not _signed(asked):
            return Reply({"error": "signature"}, 401)
        if self.mishaps:
            return self.mishaps.pop(0)
        question = asked.json()
        phones = self.people.get((question["name"], question["id_number"]))
        if phones is None:
            return Reply({"result": "unknown"})
        return Reply({"result": "match" if question["mobile"] in phones else "mismatch"})


def _signed(asked: Asked) -> bool:
    told = _AUTHORIZATION.fullmatch(asked.headers.get("authorization", ""))
    if told is None or told["key"] != KEY_ID or abs(time.time() - int(told["at"])) > 300:
        return False
    return told["signature"] == sign(SECRET, told["at"], told["nonce"], asked.path, asked.body)
