"""Traps: a fault at exactly one step, when a process says certain words to PostgreSQL or Valkey.

A proxy's reader tells what a caller says: the texts of statements (also of prepared ones, which later go by a name) or
the commands. A trap springs once: before the words arrive, or after they were carried out and before the answer does.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence

from loadtests.chaos.proxy import Cut, Line, Rule

_PARSE, _BIND, _QUERY = ord("P"), ord("B"), ord("Q")
_HEAD = 5
_READY = b"Z\x00\x00\x00\x05"


class PostgresReader:
    """The frontend's messages of one connection, as far as they name statements."""

    def __init__(self) -> None:
        self._rest = b""
        self._started = False
        self._texts: dict[bytes, str] = {}

    def __call__(self, chunk: bytes) -> list[str]:
        """The texts of the statements that this chunk asks to run."""
        self._rest += chunk
        if not self._started:
            length = int.from_bytes(self._rest[:4], "big")
            if len(self._rest) < max(4, length):
                return []
            self._rest, self._started = self._rest[length:], True
        said = []
        while len(self._rest) >= _HEAD:
            end = 1 + int.from_bytes(self._rest[1:_HEAD], "big")
            if len(self._rest) < end:
                break
            said.append(self._text(self._rest[0], self._rest[_HEAD:end]))
            self._rest = self._rest[end:]
        return [text for text in said if text]

    def _text(self, kind: int, body: bytes) -> str:
        if kind == _QUERY:
            return body[:-1].decode()
        if kind == _PARSE:
            name, text, _ = body.split(b"\0", 2)
            self._texts[name] = text.decode()
        elif kind == _BIND:
            _, name, _ = body.split(b"\0", 2)
            return self._texts.get(name, "")
        return ""


def read_valkey(chunk: bytes) -> list[str]:
    """The chunk as text, a command with its arguments separated by line ends; values are told as they come."""
    return [" ".join(chunk.decode("latin-1").split("\r\n")[:40])]


class Trap(Rule):
    """Springs once when one thing said holds all of `words` and something said before it holds all of `before`."""

    def __init__(
        self, words: Sequence[str], action: Callable[[Line], None], *, answered: bool, before: Sequence[str] = (),
        times: int = 1,
    ) -> None:  # fmt: skip
        self._words, self._before, self._action, self._answered = words, before, action, answered
        self._left = times
        self._waiting: set[Line] = set()
        self.sprung = asyncio.Event()

    async def pass_on(self, line: Line, upward: bool, chunk: bytes) -> bytes:
        if upward and self._left and line not in self._waiting and self._hears(line):
            self._left -= 1
            if not self._answered:
                self._spring(line)
            self._waiting.add(line)
        elif not upward and line in self._waiting:
            if self._is_whole(line, chunk):
                self._waiting.discard(line)
                self._spring(line)
            return b""
        return chunk

    def _hears(self, line: Line) -> bool:
        if not any(all(word in text for word in self._words) for text in line.saying):
            return False
        return not self._before or any(all(word in text for word in self._before) for text in line.said)

    def _is_whole(self, line: Line, chunk: bytes) -> bool:
        """PostgreSQL says when it is ready again; Valkey's answers fit one chunk."""
        return not isinstance(line.reader, PostgresReader) or chunk[-6:-1] == _READY

    def _spring(self, line: Line) -> None:
        self._action(line)
        self.sprung.set()
        raise Cut


def kill_caller(line: Line) -> None:
    """The process that spoke dies at once."""
    os.kill(line.caller_pid, signal.SIGKILL)


def lose_answer(line: Line) -> None:
    """Nobody dies; only the answer is lost with the connection."""
