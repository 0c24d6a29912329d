"""Requests no browser sends, straight at the voting port: a refusal, never a stalled worker or a 500."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest

from tests.system.town import Town

PATH = "/api/voting/v1/rounds/{}/ballots"
HEAD = "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"


async def send(town: Town, raw: bytes, within_s: float = 15) -> bytes:
    """Write raw bytes to the voting port; the answer's bytes until the connection ends or falls silent."""
    parts = urlsplit(town.platform.urls["voting"])
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    answer = b""
    try:
        async with asyncio.timeout(within_s):
            writer.write(raw)
            await writer.drain()
            while b"\r\n\r\n" not in answer:
                piece = await reader.read(65536)
                if not piece:
                    break
                answer += piece
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.close()
    return answer


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


@pytest.fixture
async def hostile_round(town: Town) -> str:
    if not await town.state("hostile"):
        await town.load_round("hostile")
    return "hostile"


async def head(town: Town, round_id: str, more: str) -> bytes:
    (voter,) = await town.voters(round_id, ["c1"], 1)
    return (HEAD.format(path=PATH.format(round_id), token=voter.token) + more + "\r\n").encode()


@pytest.mark.parametrize(
    ("more", "body", "statuses"),
    [
        ("Content-Length: 10485760\r\n", b"x" * 100_000, {413}),
        ("Transfer-Encoding: chunked\r\n", b"2710\r\n" + b"x" * 10_000 + b"\r\n0\r\n\r\n", {413}),
        ("Content-Length: 5\r\n", b'{"bal', {422}),
        ("Content-Length: 0\r\n", b"", {422}),
        ("Content-Length: -1\r\n", b"", {400}),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", b"abcdef", {400}),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n", {400, 422}),
        ("Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n", {400, 422, 0}),
        ("Content-Length: 2\r\nX-Forwarded-For: " + "9" * 3000 + "\r\n", b"{}", {422}),
    ],
)
async def test_a_malformed_ballot_is_refused(
    town: Town, hostile_round: str, more: str, body: bytes, statuses: set[int]
) -> None:
    request = await head(town, hostile_round, more) + body
    answer = await send(town, request)
    async with asyncio.timeout(20):
        # The other worker may hear of the new round a moment later, and says so.
        while b'"urn:pingxuan:problem:overloaded"' in answer:
            await asyncio.sleep(0.2)
            answer = await send(town, request)
    assert status_of(answer) in statuses, answer[:300]


async def test_slow_bodies_hold_nobody_up(town: Town, hostile_round: str) -> None:
    """Fifty connections that never send their body; a citizen's ballot is taken while they are open."""
    parts = urlsplit(town.platform.urls["voting"])
    slow = await head(town, hostile_round, "Content-Length: 200\r\n")
    connections = [await asyncio.open_connection(parts.hostname, parts.port) for _ in range(50)]
    for _, writer in connections:
        writer.write(slow + b"{")
        await writer.drain()
    (voter,) = await town.voters(hostile_round, ["c1"], 1)
    answer = await voter.send(town.http, hostile_round)
    assert answer is not None
    assert answer.status_code == 201
    assert not any(reader.at_eof() for reader, _ in connections), "the slow ones must still have been waiting"
    for _, writer in connections:
        writer.close()
