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
from services.voting.voter_token import VoterToken, VoterTokens

_PREFIX = "/api/voting/v1/rounds/"
_SUFFIX = "/ballots"
_JSON = [(b"content-type", b"application/json"), (b"cache-control", b"no-store"),
         (b"x-content-type-options", b"nosniff")]  # fmt: skip
_PROBLEM = [(b"content-type", PROBLEM_TYPE.encode()), *_JSON[1:]]


log = logging.getLogger(__name__)

_BROKEN = Refused(CommonReason.INTERNAL, "The ballot was not recorded; the same ballot may be sent again.")
_FULL = Refused(Reason.OVERLOADED, "Many people vote at this moment; send the same ballot again soon.", 2)
_TOO_LARGE = Refused(CommonReason.BODY_TOO_LARGE, "A ballot is short; this body is longer than one can be.")
_TOO_SLOW = Refused(Reason.BAD_BALLOT, "The ballot did not arrive in time; send it again.")
_NO_TOKEN = Refused(Reason.BAD_TOKEN, "Sign in again with a new code; your choices are kept.")
# A genuine token proves that its round exists: another worker, which made it, has heard of the round sooner.
_BEHIND = Refused(Reason.OVERLOADED, "This round has only just begun here; send the same ballot again.", 1)
_NO_ROUND = Refused(Reason.UNKNOWN_ROUND, "There is no such round.")
_OTHER_ROUND = Refused(Reason.BAD_TOKEN, "This sign-in belongs to another round; sign in to this one.")


_Fields = dict[bytes, bytes]


class _Answer(msgspec.Struct):
    status: int
    body: bytes
    headers: list[tuple[bytes, bytes]]
    decision: str


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


class BallotRoute:
    """ASGI application: ballots here, everything else to the framework."""

    def __init__(
        self, rest: Callable[[Scope, Receive, Send], Any], *, rounds: RoundBook, tokens: VoterTokens,
        admission: Admission, challenges: Challenges, devices: Devices, addresses: Addresses, clock: Clock,
        pulse: Pulse, round_key: Callable[[str], bytes | None], body_max_bytes: int, body_timeout_s: float,
    ) -> None:  # fmt: skip
        self._rest = rest
        self._rounds, self._tokens, self._admission = rounds, tokens, admission
        self._challenges, self._devices, self._addresses, self._clock = challenges, devices, addresses, clock
        self._pulse, self._round_key = pulse, round_key
        self._body_max_bytes, self._body_timeout_s = body_max_bytes, body_timeout_s
        self._in_flight = 0
        metrics.ballots_in_flight.set_function(lambda: self._in_flight)
        self._reading: dict[asyncio.Task[Any], float] = {}
        self._too_slow: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            path = scope["path"]
            if path.endswith(_SUFFIX) and path.startswith(_PREFIX) and scope["method"] == "POST":
                await self._answer(scope, receive, send, path[len(_PREFIX) : -len(_SUFFIX)])
                return
        await self._rest(scope, receive, send)

    async def end_slow_bodies_once(self) -> int:
        """Step of a loop: a trickle of bytes must not hold a connection for ever. One sweep instead of a timer each."""
        now, ended = time.monotonic(), 0
        for task, deadline in list(self._reading.items()):
            if deadline > now:
                break
            del self._reading[task]
            self._too_slow.add(task)
            task.cancel()
            ended += 1
        return ended

    async def _answer(self, scope: Any, receive: Receive, send: Send, round_id: str) -> None:
        started = time.perf_counter()
        fields = _fields(scope["headers"])
        identity = identity_of(fields.get(b"x-request-id", b""))
        self._in_flight += 1
        try:
            answer = await self._decide(scope, fields, receive, round_id, identity)
            headers = [
                *answer.headers,
                (b"x-request-id", identity.encode()),
                (b"content-length", b"%d" % len(answer.body)),
            ]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": answer.body, "more_body": False})
            _decided(answer.decision).inc()
            metrics.ballot_seconds.observe(time.perf_counter() - started)
        finally:
            self._in_flight -= 1

    async def _decide(self, scope: Any, fields: _Fields, receive: Receive, round_id: str, identity: str) -> _Answer:
        try:
            outcome = await self._outcome(scope, fields, receive, round_id)
        except Exception as error:
            log.exception("ballot failed", extra={"failure": type(error).__name__})
            outcome = _BROKEN
        if isinstance(outcome, Accepted):
            return _accepted(outcome)
        return self._refused(outcome, round_id, identity)

    async def _outcome(self, scope: Any, fields: _Fields, receive: Receive, round_id: str) -> Outcome:
        token = self._token(fields)
        if self._admission.full or not self._clock.trustworthy:
            self._pulse.note(token, well=False)
            return _FULL
        if token is None:
            return _NO_TOKEN
        frozen = self._rounds.by_number(token.round_number)
        if frozen is None:
            return _BEHIND
        if frozen.id != round_id:
            return _NO_ROUND if self._rounds.get(round_id) is None else _OTHER_ROUND
        received_at = self._clock.now()
        raw = await self._body(fields, receive)
        if isinstance(raw, Refused):
            return raw
        ballot = self._ballot(scope, fields, frozen, token, raw, received_at)
        if isinstance(ballot, Refused):
            return ballot
        outcome = await self._admission.submit(ballot)
        self._pulse.note(token, well=isinstance(outcome, Accepted) or outcome.reason is not Reason.OVERLOADED)
        return outcome

    def _refused(self, refused: Refused, round_id: str, identity: str) -> _Answer:
        reason = refused.reason
        refusals_total.labels(reason.value).inc()
        extra: dict[str, Any] = {"request_id": identity}
        if reason is Reason.WINDOW_CLOSED and (frozen := self._rounds.get(round_id)) is not None:
            extra |= {"opens_at": frozen.opens, "closes_at": frozen.closes}
        elif reason is Reason.CHALLENGE_REQUIRED:
            extra["challenge"] = self._challenges.make(round_id)
        headers = list(_PROBLEM)
        if refused.retry_after_s is not None:
            headers.append((b"retry-after", str(refused.retry_after_s).encode()))
        if reason is Reason.OVERLOADED or reason is CommonReason.BODY_TOO_LARGE:
            # The body may still be on its way: this connection ends here.
            headers.append((b"connection", b"close"))
        document = problem(reason, refused.detail, retry_after_s=refused.retry_after_s, **extra)
        return _Answer(reason.status, msgspec.json.encode(document), headers, reason.value)

    def _token(self, fields: _Fields) -> VoterToken | None:
        value = fields.get(b"authorization", b"")
        if value[:7].lower() != b"bearer ":
            return None
        return self._tokens.verify(value[7:].strip().decode("latin-1"), self._clock.timestamp())

    async def _body(self, fields: _Fields, receive: Receive) -> bytes | Refused:
        """The whole body; a refusal when it is too long or comes too slowly."""
        told = fields.get(b"content-length")
        if told is not None and (len(told) > 9 or int(told) > self._body_max_bytes):
            return _TOO_LARGE
        task = asyncio.current_task()
        assert task is not None
        self._reading[task] = time.monotonic() + self._body_timeout_s
        try:
            message: Any = await receive()
            body, more = message.get("body", b""), message.get("more_body", False)
            while more and len(body) <= self._body_max_bytes:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
        except asyncio.CancelledError:
            if task not in self._too_slow:
                raise
            self._too_slow.discard(task)
            task.uncancel()
            return _TOO_SLOW
        finally:
            self._reading.pop(task, None)
        return body if len(body) <= self._body_max_bytes else _TOO_LARGE

    def _ballot(
        self, scope: Any, fields: _Fields, frozen: FrozenRound, token: VoterToken, raw: bytes, received_at: datetime
    ) -> Ballot | Refused:
        """The ballot as admission takes it. What breaks a rule still looks up an earlier ballot of the same id."""
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
        client = scope.get("client")
        peer = client[0] if client else ""
        address = bucket(self._addresses.forwarded(peer, fields.get(b"x-forwarded-for", b"")))
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


def _fields(headers: list[tuple[bytes, bytes]]) -> _Fields:
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


def _accepted(outcome: Accepted) -> _Answer:
    recorded_at = outcome.recorded_at.astimezone(UTC).isoformat()
    body = (
        f'{{"receipt":"{receipt_text(outcome.receipt)}","ballot_id":"{outcome.ballot_id}",'
        f'"recorded_at":"{recorded_at}","index":{outcome.index}}}'
    ).encode()
    return _Answer(201, body, _JSON, "recorded") if outcome.fresh else _Answer(200, body, _JSON, "repeated")
