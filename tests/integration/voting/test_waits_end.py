"""Nobody waits for ever: a body that does not come and a ledger that does not answer have an end."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.integration.voting.conftest import Voting
from tests.support.rounds import round_message, rules_text


@pytest.fixture
def settings_changes() -> dict[str, object]:
    return {"body_timeout_s": 0.3, "ballot_timeout_s": 0.3, "ledger_timeout_s": 30.0}


@pytest.fixture
async def open_round(voting: Voting) -> Voting:
    await voting.add_round(round_message(rules_text()))
    return voting


async def test_a_body_that_trickles_is_ended_with_a_refusal(open_round: Voting) -> None:
    citizen = open_round.citizen()
    await citizen.sign_in()
    scope: dict[str, Any] = {
        "type": "http", "method": "POST", "path": "/api/voting/v1/rounds/small/ballots", "client": ("127.0.0.1", 1),
        "headers": [(b"authorization", f"Bearer {citizen.token}".encode()), (b"content-length", b"100")],
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> Any:
        # One byte, and then nothing any more.
        if not sent:
            sent.append(None)
            return {"type": "http.request", "body": b"{", "more_body": True}
        await asyncio.Event().wait()
        return None

    async def send(message: Any) -> None:
        sent.append(message)

    started = time.monotonic()
    await open_round.application(scope, receive, send)  # type: ignore[arg-type]
    assert time.monotonic() - started < 10
    assert sent[1]["status"] == 422
    assert b"did not arrive in time" in sent[2]["body"]
    assert (await citizen.vote(["c1"])).status_code == 201


async def test_a_ledger_that_hangs_is_told_and_the_same_ballot_gets_its_receipt_later(open_round: Voting) -> None:
    citizen = open_round.citizen()
    await citizen.sign_in()
    pool = open_round.context.pool
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        # As sealing does: every batch of the round waits.
        await connection.execute("SELECT pg_advisory_xact_lock(28792, 1)")
        ballot_id = "6d0b0b0e-0000-4000-8000-000000000001"
        late = await citizen.vote(["c1"], ballot_id)
        await transaction.rollback()
    assert (late.status_code, late.json()["reason"]) == (503, "overloaded")
    assert late.headers["retry-after"] == "3"
    again = await citizen.vote(["c1"], ballot_id)
    assert again.status_code in (200, 201)
