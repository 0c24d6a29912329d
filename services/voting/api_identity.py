"""Other ways to sign in than a code: each proves the round's own identity, none is one.

Each asks for the proof of work that a code asks for, since each makes calls to somebody else. The codes of these ways
arrive in bodies; nothing of them ever stands in an address of ours or is kept.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request, Router, post
from litestar.params import FromPath, JSONBody

from services.shared.errors import Refusal
from services.voting import metrics, store
from services.voting.api_citizens import client_address, find
from services.voting.codes import SignedIn
from services.voting.context import Context, ContextDependency
from services.voting.declaration import Declaration, DeclarationWithId
from services.voting.identity.oidc import FLOW_LIFETIME_S, Oidc, OidcRefusal, Proven
from services.voting.identity.people import Person, Typed
from services.voting.identity.wechat import WechatRefusal
from services.voting.reasons import Reason
from services.voting.rounds import FrozenRound

AnyRequest = Request[Any, Any, Any]


class WechatForm(DeclarationWithId, kw_only=True):
    """`code` of the web authorisation, `phone_code` of the mini program's phone button, `altcha` a solved challenge."""

    code: str
    phone_code: str
    altcha: str = ""


class WorkForm(msgspec.Struct):
    """`altcha` is a solved challenge of the round."""

    altcha: str = ""


class OidcForm(Declaration, kw_only=True):
    """What came back from the issuer, and the flow that this browser kept."""

    flow: str
    state: str
    code: str


@post("/rounds/{round_id:str}/sessions/wechat", status_code=201, summary="Sign in with the phone WeChat verified")
async def post_wechat(
    context: ContextDependency, request: AnyRequest, round_id: FromPath[str], data: JSONBody[WechatForm]
) -> dict[str, Any]:
    frozen = find(context, round_id)
    try:
        signed_in = await _by_wechat(context, frozen, data)
    except Refusal as refusal:
        metrics.sessions_total.labels(refusal.reason.value).inc()
        raise
    return await _answer(context, request, frozen, signed_in)


@post("/rounds/{round_id:str}/oidc", status_code=201, summary="Begin to sign in at the identity provider")
async def post_oidc(context: ContextDependency, round_id: FromPath[str], data: JSONBody[WorkForm]) -> dict[str, str]:
    frozen = find(context, round_id)
    oidc = _oidc(context)
    await context.sign_in.take_work(frozen, data.altcha)
    begun = await oidc.begin(frozen.id)
    if isinstance(begun, OidcRefusal):
        raise _refusal(begun)
    return {"authorize_url": begun[0], "flow": begun[1]}


@post("/rounds/{round_id:str}/sessions/oidc", status_code=201, summary="Come back from the identity provider")
async def post_oidc_session(
    context: ContextDependency, request: AnyRequest, round_id: FromPath[str], data: JSONBody[OidcForm]
) -> dict[str, Any]:
    frozen = find(context, round_id)
    try:
        signed_in = await _by_oidc(context, frozen, data)
    except Refusal as refusal:
        metrics.sessions_total.labels(refusal.reason.value).inc()
        raise
    return await _answer(context, request, frozen, signed_in)


async def _by_wechat(context: Context, frozen: FrozenRound, data: WechatForm) -> SignedIn:
    if context.wechat is None:
        raise Refusal(Reason.ROUTE_UNAVAILABLE, "Signing in with WeChat is not set up here; use a code.")
    data.check_consent(frozen)
    people, now_s = context.sign_in.people, context.clock.timestamp()
    stratum = data.stratum(frozen)
    # What the person typed is checked before WeChat's codes, which are good once, are used.
    person = people.claim(frozen, "", data.typed(), now_s)
    await context.sign_in.take_work(frozen, data.altcha)
    found = await context.wechat.verified_phone(data.code, data.phone_code)
    if isinstance(found, WechatRefusal):
        raise _refusal(found)
    person = msgspec.structs.replace(person, phone=people.phone(found))
    return await context.sign_in.enter_proven(frozen, person, "wechat", stratum, now_s)


async def _by_oidc(context: Context, frozen: FrozenRound, data: OidcForm) -> SignedIn:
    oidc = _oidc(context)
    data.check_consent(frozen)
    people, now_s = context.sign_in.people, context.clock.timestamp()
    stratum = data.stratum(frozen)
    if people.needs_id(frozen):
        people.check_id_consent(frozen, data.consent_id)
    flow = oidc.opened(frozen.id, data.flow, data.state)
    # The work was done for one flow, and a flow is good for one question to the issuer.
    if flow is None or not await store.use_challenge(context.pool, f"oidc {flow.state}", FLOW_LIFETIME_S):
        raise _refusal(OidcRefusal.BAD_FLOW)
    found = await oidc.finish(flow, data.code)
    if isinstance(found, OidcRefusal):
        raise _refusal(found)
    person = _vouched(context, frozen, data, found, now_s)
    return await context.sign_in.enter_proven(frozen, person, "oidc", stratum, now_s)


def _vouched(context: Context, frozen: FrozenRound, data: OidcForm, found: Proven, now_s: float) -> Person:
    """The person the issuer vouches for: its ID counts only where it is trusted to verify IDs."""
    people = context.sign_in.people
    phone = people.phone(found.phone)
    if not people.needs_id(frozen):
        return people.claim(frozen, phone, Typed(adult=data.adult), now_s)
    if not context.oidc_verifies_ids:
        raise Refusal(Reason.IDENTITY_UNAVAILABLE, "This round needs an ID, which this way of signing in cannot prove.")
    known = people.checked_id(frozen, found.national_id, data.consent_id, now_s)
    return Person(phone, known.number, "", data.consent_id, verified_by="oidc")


async def _answer(context: Context, request: AnyRequest, frozen: FrozenRound, signed_in: SignedIn) -> dict[str, Any]:
    await context.note_verified(frozen, client_address(context, request))
    return {"token": signed_in.token, "expires_at": datetime.fromtimestamp(signed_in.expires, UTC)}


def _oidc(context: Context) -> Oidc:
    if context.oidc is None:
        raise Refusal(Reason.ROUTE_UNAVAILABLE, "Signing in at an identity provider is not set up here; use a code.")
    return context.oidc


def _refusal(why: WechatRefusal | OidcRefusal) -> Refusal:
    match why:
        case WechatRefusal.AWAY | OidcRefusal.AWAY:
            return Refusal(
                Reason.ROUTE_UNAVAILABLE, "The other side does not answer; try again or use a code.", retry_after_s=30
            )
        case WechatRefusal.SNAPSHOT_USER:
            told = "WeChat showed a preview without a real user: open the page in full and try again."
        case OidcRefusal.NO_PHONE:
            told = "The identity provider knows no verified phone of yours; use a code."
        case WechatRefusal.BAD_CODE | OidcRefusal.BAD_CODE | OidcRefusal.BAD_FLOW:
            told = "The authorisation was used, too old or of somebody else; begin again."
    return Refusal(Reason.ROUTE_REFUSED, told)


identity_router = Router("/api/voting/v1", route_handlers=[post_wechat, post_oidc, post_oidc_session])
