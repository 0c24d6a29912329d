"""The ballot route: bare ASGI in front of the framework, because a vote must cost little.

`api → admission → ledger` is the whole way of a ballot. Everything here is without I/O: the token and the ballot are
checked against cached rules, then the request awaits its future and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
from litestar.enums import ScopeType
from litestar.types import Receive, Scope, Send
from prometheus_client import Counter

from services.shared.address import Addresses, bucket
from services.shared.clock import Clock
from services.shared.errors import CommonReason, problem
from services.shared.metrics import refusals_total
from services.shared.web import PROBLEM_TYPE, identity_of
from services.voting import metrics
from services.voting.admission import Accepted, Admission, Ballot, Outcome, Refused
from services.voting.challenges import Challenges
from services.voting.devices import Devices
from services.voting.entry import Entry
from services.voting.identity import address_key
from services.voting.pulse import Pulse
from services.voting.reasons import Reason
from services.voting.receipts import receipt_text
from services.voting.rounds import FrozenRound, RoundBook
from services.voting.slow_bodies import SlowBodies
from services.voting.voter_token import VoterToken, VoterTokens

_PREFIX = "/api/voting/v1/rounds/"
_SUFFIX = "/ballots"
_JSON = [(b"content-type", b"application/json"), (b"cache-control", b"no-store"),
         (b"x-content-type-options", b"nosniff")]  # fmt: skip
_PROBLEM = [(b"content-type", PROBLEM_TYPE.encode()), *_JSON[1:]]


log = logging.getLogger(__name__)

_BROKEN = Refused(CommonReason.INTERNAL, "The ballot was not recorded; the same ballot may be sent again.")
_FULL = Refused(Reason.OVERLOADED, "Many people vote at this moment; send the same ballot again soon.", 2)
TOO_LARGE = Refused(CommonReason.BODY_TOO_LARGE, "A ballot is short; this body is longer than one can be.")
TOO_SLOW = Refused(Reason.BAD_BALLOT, "The ballot did not arrive in time; send it again.")
_AWAY = Refused(Reason.OVERLOADED, "This worker is ending; send the same ballot again.", 1)
_NO_TOKEN = Refused(Reason.BAD_TOKEN, "Sign in again with a new code; your choices are kept.")
# A genuine token proves that its round exists: another worker, which made it, has heard of the round sooner.
_BEHIND = Refused(Reason.OVERLOADED, "This round has only just begun here; send the same ballot again.", 1)
_NO_ROUND = Refused(Reason.UNKNOWN_ROUND, "There is no such round.")
_OTHER_ROUND = Refused(Reason.BAD_TOKEN, "This sign-in belongs to another round; sign in to this one.")


Fields = dict[bytes, bytes]


class Answer(msgspec.Struct):
    """An answer as HTTP writes it, but for its length; `close`: the connection must end with it."""

    status: int
    body: bytes
    headers: list[tuple[bytes, bytes]]
    decision: str
    close: bool = False


class BallotForm(msgspec.Struct):
    """The body of `POST ballots`."""

    ballot_id: UUID
    choices: list[str]
    altcha: str = ""


class _Lenient(msgspec.Struct):
    """The ballot id alone: a repeat is recognised even where the rest no longer fits."""

    ballot_id: UUID
    choices: Any = None


_decode = msgspec.json.Decoder(BallotForm).decode
_decode_id = msgspec.json.Decoder(_Lenient).decode


class Arrival(msgspec.Struct):
    """A ballot request whose head has arrived; `refusal` is there where the body need not be read any more."""

    round_id: str
    fields: Fields
    peer: str
    identity: str
    started: float
    token: VoterToken | None = None
    frozen: FrozenRound | None = None
    received_at: datetime | None = None
    refusal: Refused | None = None
    submitted: bool = False


class BallotRoute:
    """ASGI application: ballots here, everything else to the framework.

    `ballot_protocol.py` leads ballots past ASGI altogether; both ways are `arrive`, `take`, `answer`.
    """

    def __init__(
        self, rest: Callable[[Scope, Receive, Send], Any], *, rounds: RoundBook, tokens: VoterTokens,
        admission: Admission, challenges: Challenges, devices: Devices, addresses: Addresses, clock: Clock,
        pulse: Pulse, round_key: Callable[[str], bytes | None], body_max_bytes: int, body_timeout_s: float,
    ) -> None:  # fmt: skip
        self._rest = rest
        self._rounds, self._tokens, self._admission = rounds, tokens, admission
        self._challenges, self._devices, self._addresses, self._clock = challenges, devices, addresses, clock
        self._pulse, self._round_key = pulse, round_key
        self.body_max_bytes, self.body_timeout_s = body_max_bytes, body_timeout_s
        self.reading = SlowBodies(body_timeout_s)
        self._in_flight = 0
        metrics.ballots_in_flight.set_function(lambda: self._in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and scope["method"] == "POST":
            round_id = round_of(scope["path"])
            if round_id:
                await self._serve(scope, receive, send, round_id)
                return
        await self._rest(scope, receive, send)

    async def _serve(self, scope: Any, receive: Receive, send: Send, round_id: str) -> None:
        client = scope.get("client")
        arrival = self.arrive(round_id, scope["headers"], client[0] if client else "")
        outcome: Outcome = _AWAY
        try:
            outcome = arrival.refusal or await self._outcome(arrival, receive)
        finally:
            answer = self.answer(arrival, outcome)
        headers = [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
        if answer.close:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})

    async def _outcome(self, arrival: Arrival, receive: Receive) -> Outcome:
        body, more = b"", True
        try:
            async with asyncio.timeout(self.body_timeout_s):
                while more and len(body) <= self.body_max_bytes:
                    message: Any = await receive()
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
        except TimeoutError:
            return TOO_SLOW
        if len(body) > self.body_max_bytes:
            return TOO_LARGE
        taken = self.take(arrival, body)
        return taken if isinstance(taken, Refused) else await taken

    def arrive(self, round_id: str, headers: list[tuple[bytes, bytes]], peer: str) -> Arrival:
        """Look at a request's head; `answer` must follow, whatever happens in between."""
        self._in_flight += 1
        fields = _fields(headers)
        identity = identity_of(fields.get(b"x-request-id", b""))
        arrival = Arrival(round_id, fields, peer, identity, time.perf_counter())
        try:
            arrival.refusal = self._early_refusal(arrival)
        except Exception as error:
            arrival.refusal = _broken(error, identity)
        return arrival

    def take(self, arrival: Arrival, body: bytes) -> Refused | asyncio.Future[Outcome]:
        """Look at the whole ballot and leave it with admission; the future has the outcome after the commit."""
        try:
            ballot = self._ballot(arrival, body)
            if isinstance(ballot, Refused):
                return ballot
            arrival.submitted = True
            return self._admission.submit(ballot)
        except Exception as error:
            return _broken(error, arrival.identity)

    def answer(self, arrival: Arrival, outcome: Outcome) -> Answer:
        """What to write for an outcome; counts it."""
        # A body that is no ballot, or a bug of ours, says nothing of whether people can vote.
        if arrival.submitted:
            well = isinstance(outcome, Accepted) or outcome.reason is not Reason.OVERLOADED
            self._pulse.note(arrival.token, well=well)
        if isinstance(outcome, Accepted):
            answer = _accepted(outcome, arrival.identity)
        else:
            answer = self._refused(outcome, arrival)
        self._in_flight -= 1
        _decided(answer.decision).inc()
        metrics.ballot_seconds.observe(time.perf_counter() - arrival.started)
        return answer

    def _early_refusal(self, arrival: Arrival) -> Refused | None:
        """What can be told without the body; else the round and the receive time are set."""
        token = arrival.token = self._token(arrival.fields)
        if self._admission.full or not self._clock.trustworthy:
            self._pulse.note(token, well=False)
            return _FULL
        if token is None:
            return _NO_TOKEN
        frozen = self._rounds.by_number(token.round_number)
        if frozen is None:
            return _BEHIND
        if frozen.id != arrival.round_id:
            return _NO_ROUND if self._rounds.get(arrival.round_id) is None else _OTHER_ROUND
        told = arrival.fields.get(b"content-length")
        if told is not None and (len(told) > 9 or int(told) > self.body_max_bytes):
            return TOO_LARGE
        arrival.frozen, arrival.received_at = frozen, self._clock.now()
        return None

    def _refused(self, refused: Refused, arrival: Arrival) -> Answer:
        reason = refused.reason
        refusals_total.labels(reason.value).inc()
        extra: dict[str, Any] = {"request_id": arrival.identity}
        if reason is Reason.WINDOW_CLOSED and (frozen := self._rounds.get(arrival.round_id)) is not None:
            extra |= {"opens_at": frozen.opens, "closes_at": frozen.closes}
        elif reason is Reason.CHALLENGE_REQUIRED:
            extra["challenge"] = self._challenges.make(arrival.round_id)
        headers = [*_PROBLEM, (b"x-request-id", arrival.identity.encode())]
        if refused.retry_after_s is not None:
            headers.append((b"retry-after", str(refused.retry_after_s).encode()))
        document = problem(reason, refused.detail, retry_after_s=refused.retry_after_s, **extra)
        # The body may still be on its way: such a connection ends here.
        close = reason is Reason.OVERLOADED or reason is CommonReason.BODY_TOO_LARGE or refused is TOO_SLOW
        return Answer(reason.status, msgspec.json.encode(document), headers, reason.value, close)

    def _token(self, fields: Fields) -> VoterToken | None:
        value = fields.get(b"authorization", b"")
        if value[:7].lower() != b"bearer ":
            return None
        return self._tokens.verify(value[7:].strip().decode("latin-1"), self._clock.timestamp())

    def _ballot(self, arrival: Arrival, raw: bytes) -> Ballot | Refused:
        """The ballot as admission takes it. What breaks a rule still looks up an earlier ballot of the same id."""
        frozen, token, received_at = arrival.frozen, arrival.token, arrival.received_at
        assert frozen is not None
        assert token is not None
        assert received_at is not None
        refusal: Refused | None = None
        if not frozen.is_open(received_at):
            refusal = Refused(Reason.WINDOW_CLOSED, "Ballots are taken between the opening and the closing moment.")
        altcha = ""
        try:
            form = _decode(raw)
            ballot_id, chosen, altcha = form.ballot_id, form.choices, form.altcha
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            try:
                ballot_id, chosen = _decode_id(raw).ballot_id, []
            except (msgspec.DecodeError, UnicodeDecodeError):
                # Without an id there is nothing to repeat; a closed window is told first all the same.
                return refusal or Refused(Reason.BAD_BALLOT, f"The body is not a ballot: {error}")
            refusal = refusal or Refused(Reason.BAD_BALLOT, f"The body is not a ballot: {error}")
        checked = frozen.ballot_rule.check(chosen)
        if isinstance(checked, str):
            refusal = refusal or Refused(Reason.BAD_BALLOT, checked)
            checked = tuple(sorted({frozen.numbers.get(candidate, 0) for candidate in chosen}))
        fields = arrival.fields
        address = bucket(self._addresses.forwarded(arrival.peer, fields.get(b"x-forwarded-for", b"")))
        key = self._round_key(frozen.id)
        entry = Entry(
            round_number=frozen.number,
            tag=frozen.tag,
            voter_key=token.voter_key,
            period=frozen.period(received_at),
            reissue=token.reissue,
            ballot_id=ballot_id,
            choices=checked,
            stratum=token.stratum,
            route=token.route,
            device=self._devices.identify(fields.get(b"cookie", b"")),
            address=address_key(key, address) if key else None,
            received_at=received_at,
            lookup=refusal is not None,
            station=token.station,
            challenge=(self._challenges.verify(altcha, frozen.id) or "") if altcha else "",
        )
        return Ballot(entry, asyncio.get_running_loop().create_future(), refusal)


def _fields(headers: list[tuple[bytes, bytes]]) -> Fields:
    """Request headers by name; what came several times is joined, as HTTP allows for the two that we read."""
    fields = dict(headers)
    if len(fields) < len(headers):
        for name, separator in ((b"x-forwarded-for", b","), (b"cookie", b"; ")):
            fields[name] = separator.join([value for given, value in headers if given == name])
    return fields


@cache
def _decided(decision: str) -> Counter:
    """The counter of one decision: finding it by its label costs as much as counting."""
    return metrics.ballot_decisions_total.labels(decision)


def round_of(path: str) -> str:
    """The round that a path of ballots names, empty for every other path."""
    if path.endswith(_SUFFIX) and path.startswith(_PREFIX):
        return path[len(_PREFIX) : -len(_SUFFIX)]
    return ""


def _broken(error: Exception, identity: str) -> Refused:
    """A bug of ours: the phone is told, the log has where."""
    log.error("ballot failed", exc_info=error, extra={"failure": type(error).__name__, "request_id": identity})
    return _BROKEN


def _accepted(outcome: Accepted, identity: str) -> Answer:
    recorded_at = outcome.recorded_at.astimezone(UTC).isoformat()
    body = (
        f'{{"receipt":"{receipt_text(outcome.receipt)}","ballot_id":"{outcome.ballot_id}",'
        f'"recorded_at":"{recorded_at}","index":{outcome.index}}}'
    ).encode()
    headers = [*_JSON, (b"x-request-id", identity.encode())]
    if outcome.fresh:
        return Answer(201, body, headers, metrics.Well.RECORDED)
    return Answer(200, body, headers, metrics.Well.REPEATED)
