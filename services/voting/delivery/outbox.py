"""The embedded platform's provider: codes are left in a table that a demo or a test can read. Refused elsewhere."""

from __future__ import annotations

from uuid import uuid4

from services.shared.keys import derive
from services.shared.postgres import Pool
from services.voting.delivery.provider import Failure, Report, Taken
from services.voting.identity import keyed


class OutboxProvider:
    """Shows codes to everybody who knows the phone."""

    name = "outbox"
    routes = frozenset({"sms", "voice"})

    def __init__(self, pool: Pool, secret: bytes) -> None:
        self._pool, self._key = pool, derive(secret, "dev-outbox")

    async def send(self, phone: str, code: str, route: str) -> Taken | Failure:
        await self._pool.execute(
            "INSERT INTO dev_outbox (phone_key, code) VALUES ($1, $2)", keyed(self._key, "phone", phone), code
        )
        return Taken(str(uuid4()), delivered=True)

    async def sent(self, phone: str) -> list[dict[str, object]]:
        """[{code, sent_at}], newest last."""
        rows = await self._pool.fetch(
            "SELECT code, sent_at FROM dev_outbox WHERE phone_key = $1 ORDER BY id DESC LIMIT 50",
            keyed(self._key, "phone", phone),
        )
        return [{"code": row["code"], "sent_at": row["sent_at"]} for row in reversed(rows)]

    def read_reports(self, body: bytes) -> list[Report]:
        raise ValueError("the outbox sends no reports")

    @property
    def report_answer(self) -> dict[str, object]:
        return {}

    async def close(self) -> None:
        """Nothing is held open."""
