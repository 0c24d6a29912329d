"""Ballots on real connections, as phones and proxies really send them: in pieces, several at once, hanging up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.support.waiting import wait_until
from tests.system.town import Town

PATH = "/api/voting/v1/rounds/connections/ballots"


@pytest.fixture
async def ballots(town: Town) -> Town:
    if not await town.state("connections"):
        await town.load_round("connections")
    return town


async def ballot(town: Town, *more: str, version: str = "1.1", path: str = PATH, length: int = 0) -> bytes:
    """The bytes of a new voter's ballot; `length` where the head tells another one than the body has."""
    (voter,) = await town.voters("connections", ["c1"], 1)
    body = f'{{"ballot_id":"{uuid4()}","choices":["c1"]}}'
    lines = [
        f"POST {path} HTTP/{version}", "Host: x", f"Authorization: Bearer {voter.token}",
        f"Content-Length: {length or len(body)}", *more,
    ]  # fmt: skip
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@asynccontextmanager
async def connected(town: Town) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    parts = urlsplit(town.platform.urls["voting"])
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        async with asyncio.timeout(20):
            yield reader, writer
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes, bytes]:
    """(status, head, body) of the next answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return status, head, await reader.readexactly(int(lengths[0].partition(b":")[2]) if lengths else 0)


async def test_a_ballot_may_come_in_pieces(ballots: Town) -> None:
    raw = await ballot(ballots)
    async with connected(ballots) as (reader, writer):
        for start in range(0, len(raw), 37):
            writer.write(raw[start : start + 37])
            await writer.drain()
            await asyncio.sleep(0.001)
        status, head, body = await answer(reader)
    assert status == 201
    assert b'"receipt"' in body
    for line in (b"content-type: application/json", b"cache-control: no-store", b"x-request-id: "):
        assert line in head


async def test_ballots_behind_each_other_are_answered_in_order(ballots: Town) -> None:
    """The first goes the short way, what was sent before its answer the ordinary one; a refusal keeps its place."""
    other = await ballot(ballots, path=PATH.replace("connections", "nowhere"))
    async with connected(ballots) as (reader, writer):
        writer.write(await ballot(ballots) + other + await ballot(ballots))
        statuses = [(await answer(reader))[0] for _ in range(3)]
        writer.write(await ballot(ballots))
        statuses.append((await answer(reader))[0])
    assert statuses == [201, 404, 201, 201]


async def test_a_phone_may_ask_before_it_sends_the_body(ballots: Town) -> None:
    head, _, body = (await ballot(ballots, "Expect: 100-continue")).partition(b"\r\n\r\n")
    async with connected(ballots) as (reader, writer):
        writer.write(head + b"\r\n\r\n")
        assert (await answer(reader))[0] == 100
        writer.write(body)
        assert (await answer(reader))[0] == 201


@pytest.mark.parametrize(("more", "version"), [((), "1.0"), (("Connection: close",), "1.1")])
async def test_a_connection_ends_when_the_phone_wants_it(ballots: Town, more: tuple[str, ...], version: str) -> None:
    async with connected(ballots) as (reader, writer):
        writer.write(await ballot(ballots, *more, version=version))
        status, head, _ = await answer(reader)
        assert await reader.read() == b""
    assert status == 201
    assert b"connection: close" in head.lower()


async def test_who_hangs_up_inside_the_body_leaves_nothing_behind(ballots: Town) -> None:
    async with connected(ballots) as (_, writer):
        writer.write(await ballot(ballots, length=500))
        await writer.drain()
        await wait_until(lambda: _is(ballots, 1), 10, "the ballot is in flight")
    await wait_until(lambda: _is(ballots, 0), 10, "nothing is in flight")


async def _is(town: Town, count: int) -> bool:
    return bool((await town.metrics("voting"))["ballots_in_flight"] == count)


async def test_a_body_that_does_not_come_is_ended(ballots: Town) -> None:
    async with connected(ballots) as (reader, writer):
        writer.write(await ballot(ballots, length=500))
        status, _, body = await answer(reader)
        assert status == 422
        assert b"did not arrive in time" in body
        assert await reader.read() == b""
