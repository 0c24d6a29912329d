"""Peer: Litestar and redis-py, one EVALSHA per vote, acknowledged after Valkey has synced it (`appendfsync always`)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.params import FromPath, JSONBody
from redis.asyncio import Redis

from loadtests.bench.peers.checks import Checks, new_receipt

LEDGER = "ledger"
_SCRIPT = (Path(__file__).with_name("ballot.lua")).read_text("utf-8")
_ALREADY, _REPEATED = 0, 2

checks = Checks()


class BallotIn(msgspec.Struct):
    ballot_id: UUID
    choices: list[str]


class BallotOut(msgspec.Struct):
    receipt: str
    ballot_id: UUID
    recorded_at: str
    index: int


@asynccontextmanager
async def _lifespan(application: Litestar) -> AsyncIterator[None]:
    async with Redis.from_url(os.environ["BENCH_REDIS_URL"]) as redis:
        application.state.record = redis.register_script(_SCRIPT)
        yield


@get("/ready")
async def ready() -> dict[str, bool]:
    return {"ready": True}


@post("/api/voting/v1/rounds/{round_id:str}/ballots")
async def vote(
    request: Request[Any, Any, State], round_id: FromPath[str], data: JSONBody[BallotIn], state: State
) -> Response[BallotOut]:
    voter = checks.voter(request.headers.get("authorization", ""), round_id)
    if voter is None:
        raise HTTPException("bad_token", status_code=401)
    if (wrong := checks.problem(data.choices)) is not None:
        raise HTTPException(wrong, status_code=422)
    numbers = ",".join(str(number) for number in sorted(checks.numbers[candidate] for candidate in data.choices))
    receipt, at = new_receipt(), datetime.now(UTC).isoformat()
    keys = [f"voter:{voter.round_number}:{voter.voter_key.hex()}", "counter", LEDGER]
    decided, *more = await state.record(keys=keys, args=[str(data.ballot_id), numbers, receipt, at])
    if decided == _ALREADY:
        raise HTTPException("already_voted", status_code=409)
    if decided == _REPEATED:
        receipt, at = more[1].decode(), more[2].decode()
    body = BallotOut(receipt, data.ballot_id, at, more[0])
    return Response(body, status_code=200 if decided == _REPEATED else 201)


app = Litestar([ready, vote], lifespan=[_lifespan], openapi_config=None)
