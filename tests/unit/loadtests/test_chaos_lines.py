"""The fault proxy, its traps and the recording, each against a server that answers what it is told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from loadtests.chaos.proxy import BlackHole, CutAfter, Delay, HalfOpen, Proxy, Reader, Rule, Writer
from loadtests.chaos.recorder import Attempt, Moment, Outcome, Recorder, read
from loadtests.chaos.traps import PostgresReader, Trap, lose_answer, read_valkey

WAIT_S = 0.15


@asynccontextmanager
async def echoed(folder: Path) -> AsyncIterator[tuple[Proxy, list[bytes]]]:
    """A proxy before a server that says everything back; what reached the server."""
    heard: list[bytes] = []

    async def answer(reader: Reader, writer: Writer) -> None:
        while chunk := await reader.read(1000):
            heard.append(chunk)
            writer.write(chunk)
        writer.close()

    server = await asyncio.start_unix_server(answer, folder / "server")
    proxy = Proxy(lambda: asyncio.open_unix_connection(folder / "server"), lambda: read_valkey)
    await proxy.listen_at(folder / "proxy")
    try:
        yield proxy, heard
    finally:
        await proxy.close()
        server.close()


async def call(folder: Path) -> tuple[Reader, Writer]:
    return await asyncio.open_unix_connection(folder / "proxy")


async def said(reader: Reader) -> bytes | None:
    """What comes next; None where nothing does, b"" at the end."""
    try:
        return await asyncio.wait_for(reader.read(1000), WAIT_S)
    except TimeoutError:
        return None
    except ConnectionError:
        return b""


async def test_without_a_rule_everything_passes(tmp_path: Path) -> None:
    async with echoed(tmp_path):
        reader, writer = await call(tmp_path)
        writer.write(b"hello")
        assert await said(reader) == b"hello"
        writer.close()


async def test_a_delay_keeps_the_order(tmp_path: Path) -> None:
    async with echoed(tmp_path) as (proxy, _), proxy.under(Delay(random.Random(1), 0.01, 0.02)):
        reader, writer = await call(tmp_path)
        for word in (b"one", b"two"):
            writer.write(word)
            assert await said(reader) == word
        writer.close()


@pytest.mark.parametrize("upward", [True, False])
async def test_a_connection_is_cut_after_so_many_bytes(tmp_path: Path, upward: bool) -> None:
    async with echoed(tmp_path) as (proxy, heard), proxy.under(CutAfter(upward, lambda: 3)):
        reader, writer = await call(tmp_path)
        writer.write(b"hello")
        found = b""
        while chunk := await said(reader):
            found += chunk
        assert (b"".join(heard), found) == ((b"hel", found) if upward else (b"hello", b"hel"))
        writer.close()


@pytest.mark.parametrize("upward", [True, False])
async def test_a_black_hole_delivers_late(tmp_path: Path, upward: bool) -> None:
    async with echoed(tmp_path) as (proxy, heard):
        reader, writer = await call(tmp_path)
        async with proxy.under(BlackHole(upward)):
            writer.write(b"hello")
            assert await said(reader) is None
            assert heard == ([] if upward else [b"hello"])
        assert await said(reader) == b"hello"
        writer.close()


async def test_a_half_open_line_stays_silent_and_a_new_one_speaks(tmp_path: Path) -> None:
    async with echoed(tmp_path) as (proxy, heard):
        reader, writer = await call(tmp_path)
        writer.write(b"before")
        assert await said(reader) == b"before"
        async with proxy.under(HalfOpen()):
            writer.write(b"during")
            assert await said(reader) is None
        writer.write(b"after")
        assert await said(reader) is None
        other_reader, other = await call(tmp_path)
        other.write(b"new")
        assert await said(other_reader) == b"new"
        assert heard == [b"before", b"new"]
        writer.close()
        other.close()


async def test_a_trap_springs_once_before_the_words_or_after_the_answer(tmp_path: Path) -> None:
    async with echoed(tmp_path) as (proxy, heard):
        for answered in (False, True):
            heard.clear()
            trap = Trap(("XADD", "stream"), lose_answer, answered=answered)
            async with proxy.under(trap):
                for expected in (b"", b"XADD stream"):
                    reader, writer = await call(tmp_path)
                    writer.write(b"other")
                    assert await said(reader) == b"other"
                    writer.write(b"XADD stream")
                    assert await said(reader) == expected
                    writer.close()
            assert trap.sprung.is_set()
            assert heard.count(b"XADD stream") == (2 if answered else 1)


def test_statements_are_known_by_their_text_also_when_they_go_by_a_name() -> None:
    def message(kind: bytes, body: bytes) -> bytes:
        return kind + (len(body) + 4).to_bytes(4, "big") + body

    start = (8).to_bytes(4, "big") + (196608).to_bytes(4, "big")
    parse = message(b"P", b"s1\0SELECT record_ballots()\0\0\0")
    bind, sync = message(b"B", b"\0s1\0rest"), message(b"S", b"")
    reader = PostgresReader()
    assert reader(start + parse) == []
    assert reader(bind[:4]) == []
    assert reader(bind[4:] + sync) == ["SELECT record_ballots()"]
    assert reader(message(b"Q", b"COMMIT;\0")) == ["COMMIT;"]


async def test_a_recording_is_whole_but_for_what_a_crash_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    async with Recorder(path) as recorder:
        first, second = await asyncio.gather(*(recorder.attempt("v", "own", "b", ["c1"]) for _ in range(2)))
        await recorder.outcome(Outcome(first, 201, 1.0, receipt="R"))
        await recorder.moment("the fault begins")
        # What was awaited is on disk already, whatever happens to this process.
        assert len(read(path)) == 4
    assert {first, second} == {1, 2}
    path.write_bytes(path.read_bytes() + b'{"type":"att')
    assert [type(record) for record in read(path)] == [Attempt, Attempt, Outcome, Moment]


def test_a_plain_rule_is_no_rule() -> None:
    assert asyncio.run(Rule().pass_on(None, True, b"x")) == b"x"  # type: ignore[arg-type]
