"""The office as the registry would let it in: administrators and helpers who sign their own tokens."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from services.cli.supervisor import PlatformServers
from services.shared.messages import StaffMessage
from services.shared.postgres import transaction
from services.shared.staff import apply_staff
from services.shared.tokens import StaffSigner
from tests.integration.voting.conftest import Voting

BASE = "/api/voting/v1/rounds/small"


class Office:
    """Administrators who sign their own tokens, as the registry would."""

    def __init__(self, voting: Voting, servers: PlatformServers) -> None:
        self._voting = voting
        self._signer = StaffSigner(Path(servers.environment["STAFF_SIGNING_KEY_FILE"]).read_bytes())

    async def add(self, name: str, role: str = "administrator", unit: str = "", channel: str = "") -> None:
        message = StaffMessage(name, name, name, [role], False, datetime(2020, 1, 1, tzinfo=UTC), 1, unit, channel)
        async with transaction(self._voting.context.pool) as connection:
            await apply_staff(connection, message)
            await connection.execute(
                "INSERT INTO stream_checkpoints (stream, n, complete_at) VALUES ('registry.staff', 0, now())"
                " ON CONFLICT (stream) DO UPDATE SET complete_at = now()"
            )

    def token(self, name: str, made_at: datetime | None = None) -> str:
        """A fresh token, as the registry hands it out; or one made a while ago."""
        return self._signer.sign(name, name, [], made_at or datetime.now(UTC))[0]

    async def call(self, name: str, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token(name)}"}
        return await self._voting.http.request(method, f"{BASE}{path}", json=body, headers=headers)

    async def exclude(self, receipt: str, first: str = "ann", second: str = "bob") -> str:
        """Hold a ballot and exclude it by two signatures; returns the hold."""
        form: dict[str, Any] = {"ballots": [receipt], "reason": "stolen_identity", "evidence": "told at the counter"}
        hold = str((await self.call(first, "POST", "/holds", form)).json()["hold"])
        form = {"decision": "exclude", "reason": "evidence checked"}
        assert (await self.call(first, "POST", f"/holds/{hold}/decisions", form)).status_code == 201
        assert (await self.call(second, "POST", f"/holds/{hold}/confirmations")).status_code == 201
        return hold
