"""Ballots past ASGI: the server's own protocol hands a ballot's head and body straight to the ballot route.

A task, an event and three ASGI messages cost as much as checking the ballot itself (loadtests/results/bench.md).
Whatever is not a plain `POST …/ballots` on an idle connection goes the ordinary way, through the same route.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.voting.admission import Outcome, Refused
from services.voting.api import TOO_LARGE, TOO_SLOW, Answer, Arrival, BallotRoute, round_of

_STATUS_LINES = {each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in HTTPStatus}


class BallotCycle:
    """One ballot on a connection, in the place of uvicorn's RequestResponseCycle, whose attributes it has."""

    def __init__(self, protocol: BallotProtocol, route: BallotRoute, arrival: Arrival, *, keep_alive: bool) -> None:
        self._protocol, self._route, self._arrival = protocol, route, arrival
        self.keep_alive = keep_alive
        self.body, self.more_body = bytearray(), True
        self.response_complete = self.disconnected = False
        self._taken = False
        self.message_event = self

    def set(self) -> None:
        """Called by the protocol whenever a part of the body came, all of it came, or the phone hung up."""
        if self._taken:
            return
        if self.disconnected:
            # Nobody waits, and the ballot never arrived as a whole: what is left is to count it.
            self._taken = True
            self._route.reading.end(self)
            self._route.answer(self._arrival, TOO_SLOW)
        elif len(self.body) > self._route.body_max_bytes:
            self.refuse(TOO_LARGE)
        elif not self.more_body:
            self._taken = True
            self._route.reading.end(self)
            taken = self._route.take(self._arrival, bytes(self.body))
            if isinstance(taken, Refused):
                self._reply(taken)
            else:
                taken.add_done_callback(self._decided)

    def too_slow(self) -> None:
        """The body did not come in time."""
        self.refuse(TOO_SLOW)

    def refuse(self, refused: Refused) -> None:
        """Answer before the body is there."""
        self._taken = True
        self._route.reading.end(self)
        self._reply(refused)

    def _decided(self, future: asyncio.Future[Outcome]) -> None:
        self._reply(future.result())

    def _reply(self, outcome: Outcome) -> None:
        answer = self._route.answer(self._arrival, outcome)
        self.response_complete = True
        transport = self._protocol.transport
        if self.disconnected or transport.is_closing():
            return
        close = answer.close or not self.keep_alive
        transport.write(_written(answer, close=close))
        if close:
            transport.close()
        self._protocol.on_response_complete()


def _written(answer: Answer, *, close: bool) -> bytes:
    parts = [_STATUS_LINES[answer.status]]
    for name, value in answer.headers:
        parts += (name, b": ", value, b"\r\n")
    if close:
        parts.append(b"connection: close\r\n")
    parts += (b"content-length: %d\r\n\r\n" % len(answer.body), answer.body)
    return b"".join(parts)


class BallotProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with a shorter way for ballots; `app.ballots` is the route while the service is up."""

    def on_headers_complete(self) -> None:
        route: BallotRoute | None = getattr(self.app, "ballots", None)
        round_id = self._ballot_round() if route is not None else ""
        if round_id and self.transport.is_closing():
            # The answer before this request ended the connection.
            return
        if route is None or not round_id:
            super().on_headers_complete()
            return
        keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        arrival = route.arrive(round_id, self.headers, self.client[0] if self.client else "")
        cycle: Any = BallotCycle(self, route, arrival, keep_alive=keep_alive)
        self.cycle = cycle
        if arrival.refusal is not None:
            cycle.refuse(arrival.refusal)
        else:
            route.reading.begin(cycle)

    def _ballot_round(self) -> str:
        """The round, where this is a plain ballot that nothing stands before on this connection."""
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy or self.expect_100_continue or self.parser.get_method() != b"POST" or self.parser.should_upgrade():
            return ""
        if b"%" in self.url or b"?" in self.url:
            return ""
        return round_of(self.url.decode("latin-1"))
