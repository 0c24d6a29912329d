"""Every call of citizens but the ballot: rounds, challenges, codes, sessions, receipts, results."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.datastructures import Cookie
from litestar.params import FromPath, JSONBody, QueryParameter

from services.shared.address import bucket
from services.shared.errors import Refusal
from services.shared.live import live_of
from services.voting import ledger, metrics
from services.voting.codes import SignedIn
from services.voting.context import Context, ContextDependency
from services.voting.declaration import DeclarationWithId
from services.voting.devices import COOKIE
from services.voting.reasons import Reason
from services.voting.receipts import parse_receipt, receipt_text
from services.voting.results import results_document, turnout_document
from services.voting.rounds import FrozenRound
from services.voting.stations.assistance import Assistance

AnyRequest = Request[Any, Any, Any]
_CACHED = "public, max-age=5, stale-while-revalidate=30"


class CodeForm(msgspec.Struct):
    """`route` is `sms` or `voice`."""

    phone: str
    altcha: str = ""
    route: str = "sms"


class SessionForm(DeclarationWithId, kw_only=True):
    """A proven code, and what its owner declares."""

    request: UUID
    phone: str
    code: str


class OutboxForm(msgspec.Struct):
    phone: str


def find(context: Context, round_id: str) -> FrozenRound:
    """The round, or Refusal unknown_round."""
    frozen = context.rounds.get(round_id)
    if frozen is None:
        raise Refusal(Reason.UNKNOWN_ROUND, "There is no such round.")
    return frozen


def client_address(context: Context, request: AnyRequest) -> str:
    peer = request.client.host if request.client else ""
    return bucket(context.addresses.client(peer, request.scope["headers"]))


def _cookies(request: AnyRequest) -> bytes:
    return request.headers.get("cookie", "").encode("latin-1")


def code_source(context: Context, request: AnyRequest) -> str:
    """Whom pauses between codes concern: the device where it shows its cookie, else the address."""
    device = context.devices.identify(_cookies(request))
    return f"device {device.hex()}" if device else f"address {client_address(context, request)}"


def with_device(context: Context, request: AnyRequest) -> list[Cookie]:
    """The device cookie, where the phone has none yet."""
    if context.devices.identify(_cookies(request)) is not None:
        return []
    secure = context.settings.public_origin.startswith("https:")
    value = context.devices.make()
    return [Cookie(key=COOKIE, value=value, path="/", httponly=True, samesite="lax", max_age=31536000, secure=secure)]


def _cached(request: AnyRequest, body: bytes, etag: str, max_age: str = _CACHED) -> Response[bytes]:
    headers = {"etag": etag, "cache-control": max_age}
    if request.headers.get("if-none-match") == etag:
        return Response(b"", status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


@get("/rounds/{round_id:str}", summary="A round: what, until when, how, who")
async def get_round(
    context: ContextDependency,
    request: AnyRequest,
    round_id: FromPath[str],
    order: Annotated[int | None, QueryParameter(ge=0, le=63, description="One of the 64 published orders.")] = None,
) -> Response[bytes]:
    body, etag = find(context, round_id).public_json(order)
    return _cached(request, body, etag)


@get("/rounds/{round_id:str}/challenge", summary="An ALTCHA v2 challenge bound to the round")
async def get_challenge(
    context: ContextDependency, request: AnyRequest, round_id: FromPath[str]
) -> Response[dict[str, Any]]:
    frozen = find(context, round_id)
    return Response(
        context.challenges.make(frozen.id),
        headers={"cache-control": "no-store"},
        cookies=with_device(context, request),
    )


@post("/rounds/{round_id:str}/codes", status_code=202, summary="Send a code to a phone")
async def post_code(
    context: ContextDependency, request: AnyRequest, round_id: FromPath[str], data: JSONBody[CodeForm]
) -> dict[str, Any]:
    frozen = find(context, round_id)
    if data.route not in ("sms", "voice"):
        raise Refusal(Reason.BAD_FORM, "route is sms or voice.")
    try:
        source = code_source(context, request)
        asked = await context.sign_in.ask(frozen, data.phone, data.altcha, data.route, source, context.pulse)
    except Refusal as refusal:
        metrics.codes_total.labels(refusal.reason.value).inc()
        raise
    return msgspec.structs.asdict(asked)


@post("/rounds/{round_id:str}/sessions", status_code=201, summary="Prove a code, get a token")
async def post_session(
    context: ContextDependency, request: AnyRequest, round_id: FromPath[str], data: JSONBody[SessionForm]
) -> dict[str, Any]:
    signed_in = await open_session(context, request, find(context, round_id), data)
    return {"token": signed_in.token, "expires_at": datetime.fromtimestamp(signed_in.expires, UTC)}


async def open_session(
    context: Context, request: AnyRequest, frozen: FrozenRound, data: SessionForm, assistance: Assistance | None = None
) -> SignedIn:
    """A proven code becomes a token; `assistance` where a helper's station asks. Raises the refusals of a session."""
    address = client_address(context, request)
    try:
        data.check_consent(frozen)
        signed_in = await context.sign_in.prove(
            frozen, data.request, data.phone, data.code, data.stratum(frozen), context.clock.timestamp(),
            assistance, data.typed(),
        )  # fmt: skip
    except Refusal as refusal:
        metrics.sessions_total.labels(refusal.reason.value).inc()
        raise
    await context.note_verified(frozen, address)
    return signed_in


@get("/rounds/{round_id:str}/ballots/mine", summary="One's own choices, for thirty minutes")
async def get_own_ballot(
    context: ContextDependency, request: AnyRequest, round_id: FromPath[str]
) -> Response[dict[str, Any]]:
    frozen = find(context, round_id)
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    token = context.tokens.verify(text.strip(), context.clock.timestamp()) if scheme.lower() == "bearer" else None
    if token is None or token.round_number != frozen.number:
        raise Refusal(Reason.BAD_TOKEN, "Sign in to this round first.")
    if token.route == "station":
        # A helper's device may still know this token: what was picked there is shown to nobody.
        raise Refusal(Reason.NO_LONGER_SHOWN, "What was chosen at a station is not shown again.")
    row = await ledger.newest_ballot(context.pool, frozen.number, token.voter_key)
    if row is None:
        raise Refusal(Reason.NO_BALLOT, "No ballot of this person is recorded in this round.")
    if context.clock.now() - row["recorded_at"] > timedelta(seconds=context.settings.choices_shown_s):
        raise Refusal(Reason.NO_LONGER_SHOWN, "Choices are shown for a short while after voting only.")
    choices = [frozen.by_number[number].candidate for number in row["choices"]]
    own = {"ballot_id": row["ballot_id"], "choices": choices, "receipt": receipt_text(row["receipt"])}
    return Response(own, headers={"cache-control": "no-store"})


async def receipt_view(context: Context, text: str) -> dict[str, Any]:
    """State of the ballot behind a receipt, and nothing that leads to its choices; Refusal unknown_receipt."""
    raw = parse_receipt(text)
    row = await ledger.ballot_of_receipt(context.pool, raw) if raw is not None else None
    frozen = context.rounds.by_number(row["round_number"]) if row is not None else None
    if row is None or frozen is None:
        raise Refusal(Reason.UNKNOWN_RECEIPT, "No ballot has this receipt; check the letters.")
    state, reason = row["state"] or "recorded", row["reason"]
    if state == "held":
        shown_from = row["at"] + timedelta(hours=frozen.rules.ballot.held_shown_after_h)
        if context.clock.now() < shown_from:
            state, reason = "recorded", None
    view = {"state": state, "recorded_at": row["recorded_at"], "round": frozen.id}
    return view if reason is None else {**view, "reason": reason}


@get("/receipts/{receipt:str}", summary="What became of a ballot")
async def get_receipt(context: ContextDependency, receipt: FromPath[str]) -> Response[dict[str, Any]]:
    return Response(await receipt_view(context, receipt), headers={"cache-control": "no-store"})


@get("/rounds/{round_id:str}/results", summary="State and turnout; counts once published")
async def get_results(context: ContextDependency, request: AnyRequest, round_id: FromPath[str]) -> Response[bytes]:
    body, etag = await results_document(context, find(context, round_id))
    return _cached(request, body, etag, "public, max-age=2")


@get("/rounds/{round_id:str}/live", summary="State, window and turnout, also as a stream of events: nothing else, ever")
async def get_live(context: ContextDependency, request: AnyRequest, round_id: FromPath[str]) -> Response[Any]:
    frozen = find(context, round_id)

    async def read() -> bytes:
        return await turnout_document(context, find(context, frozen.id))

    return await live_of(request).answer(request, f"live {frozen.id}", read)


@post("/dev/outbox", status_code=200, summary="Codes sent, on the embedded platform only")
async def post_dev_outbox(context: ContextDependency, data: JSONBody[OutboxForm]) -> list[dict[str, Any]]:
    assert context.outbox_provider is not None
    return await context.outbox_provider.sent(context.sign_in.people.phone(data.phone))


ROUTES = [get_round, get_challenge, post_code, post_session, get_own_ballot, get_receipt, get_results, get_live]


def citizens_router(*, with_outbox: bool) -> list[Router]:
    """The routes under the service's prefix; the outbox also at the origin, as CONTRACT has it."""
    routers = [Router("/api/voting/v1", route_handlers=[*ROUTES, *([post_dev_outbox] if with_outbox else [])])]
    if with_outbox:
        routers.append(Router("/", route_handlers=[post_dev_outbox], include_in_schema=False))
    return routers
