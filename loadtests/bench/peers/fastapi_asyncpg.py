"""Peer: FastAPI and asyncpg, one transaction per vote, acknowledged after its commit.

What a competent user writes: a pool, a pydantic form, a dependency for the token, one INSERT under a unique constraint.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import Depends, FastAPI, Header, HTTPException, Response
from pydantic import BaseModel

from loadtests.bench.peers.checks import Checks, new_receipt
from services.voting.voter_token import VoterToken

_INSERT = """
INSERT INTO ballots (round_number, voter_key, ballot_id, choices, receipt) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (round_number, voter_key) DO NOTHING RETURNING index, recorded_at
"""
_FIND = "SELECT index, ballot_id, choices, receipt, recorded_at FROM ballots WHERE round_number = $1 AND voter_key = $2"
POOL_MAX = 32

checks = Checks()


class BallotIn(BaseModel):
    ballot_id: UUID
    choices: list[str]


class BallotOut(BaseModel):
    receipt: str
    ballot_id: UUID
    recorded_at: datetime
    index: int


@asynccontextmanager
async def _lifespan(application: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["BENCH_DATABASE_URL"], min_size=POOL_MAX, max_size=POOL_MAX) as pool:
        application.state.pool = pool
        yield


app = FastAPI(lifespan=_lifespan)


async def signed_in(round_id: str, authorization: Annotated[str, Header()]) -> VoterToken:
    token = checks.voter(authorization, round_id)
    if token is None:
        raise HTTPException(401, "bad_token")
    return token


@app.get("/ready")
async def ready() -> dict[str, bool]:
    return {"ready": True}


@app.post("/api/voting/v1/rounds/{round_id}/ballots", status_code=201)
async def vote(ballot: BallotIn, voter: Annotated[VoterToken, Depends(signed_in)], response: Response) -> BallotOut:
    if (wrong := checks.problem(ballot.choices)) is not None:
        raise HTTPException(422, wrong)
    numbers = sorted(checks.numbers[candidate] for candidate in ballot.choices)
    key, receipt = (voter.round_number, voter.voter_key), new_receipt()
    pool: asyncpg.Pool[Any] = app.state.pool
    # One statement is one transaction: PostgreSQL commits before it answers.
    row = await pool.fetchrow(_INSERT, *key, ballot.ballot_id, numbers, receipt)
    if row is None:
        row = await pool.fetchrow(_FIND, *key)
        if row is None or row["ballot_id"] != ballot.ballot_id or row["choices"] != numbers:
            raise HTTPException(409, "already_voted")
        receipt, response.status_code = row["receipt"], 200
    return BallotOut(receipt=receipt, ballot_id=ballot.ballot_id, recorded_at=row["recorded_at"], index=row["index"])
