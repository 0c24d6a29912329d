"""Routes of candidates after freezing: pictures, posters, withdrawal. Parse, one domain call, reply."""

import io
import zipfile
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.response import Stream

from services.registry.documents.forms import Poster
from services.registry.documents.pdf import poster_pdf
from services.registry.parts import PREFIX, Parts, parts
from services.registry.printing import PDF, document
from services.registry.reasons import RegistryReason
from services.registry.rounds import pictures, store, withdrawals
from services.registry.rounds.views import Round
from services.registry.rounds.withdrawals import Withdrawal
from services.shared.clock import day_in
from services.shared.errors import Refusal
from services.shared.messages import CandidateCard
from services.shared.pages import AnyRequest
from services.shared.staff import Role, Staff

POSTERS_MAX = 200
ZIP = "application/zip"
# Posters say nothing of when they were printed inside the archive, so that the same round gives the same bytes.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


class Withdraw(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST …/withdraw`; the reason is published."""

    reason: str


@get(f"{PREFIX}/rounds/{{round_id:str}}/pictures/{{candidate:str}}")
async def get_picture(request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str]) -> Stream:
    """A candidate's picture, for everybody; its address names the content, so that it may be cached for long."""
    own = parts(request)
    found = await pictures.find(own.pool, round_id, candidate)
    if found is None:
        raise Refusal(RegistryReason.UNKNOWN_PICTURE, "This candidate has no picture.")
    return Stream(
        await own.files.blocks(found.sha256),
        headers={
            "content-type": found.media_type,
            "content-length": str(found.bytes),
            "content-security-policy": "sandbox; default-src 'none'",
            "x-content-type-options": "nosniff",
            "cache-control": "public, max-age=86400",
        },
    )


@get(f"{PREFIX}/rounds/{{round_id:str}}/candidates/{{candidate:str}}/poster.pdf")
async def get_poster(request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str]) -> Response[bytes]:
    """A candidate's poster, alike for every candidate but for number, title, unit and level."""
    own = parts(request)
    round_ = await store.require_round(own.pool, round_id)
    card = next((each for each in round_.candidates if each.candidate == candidate), None)
    if card is None:
        raise Refusal(RegistryReason.UNKNOWN_CANDIDATE, f"There is no candidate {candidate[:64]!r} in {round_.round}.")
    content = await own.printer.make(poster_pdf, _poster(own, round_, card))
    return document(content, PDF, f"poster-{card.number}.pdf", f"{card.number}号海报.pdf")


@get(f"{PREFIX}/rounds/{{round_id:str}}/posters.zip")
async def get_posters(request: AnyRequest, round_id: FromPath[str], first: FromQuery[int] = 1) -> Response[bytes]:
    """The posters of up to 200 candidates from number `first` on, one PDF each; for the office."""
    own = parts(request)
    await own.door.require(request, Role.ADMINISTRATOR, Role.REVIEWER)
    round_ = await store.require_round(own.pool, round_id)
    cards = [each for each in round_.candidates if each.number >= first and each.withdrawn_at is None][:POSTERS_MAX]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for card in cards:
            content = await own.printer.make(poster_pdf, _poster(own, round_, card))
            archive.writestr(zipfile.ZipInfo(f"poster-{card.number:03d}.pdf", _ZIP_TIME), content)
    return document(packed.getvalue(), ZIP, f"posters-{round_.round}.zip", f"海报-{round_.round}.zip")


@get(f"{PREFIX}/rounds/{{round_id:str}}/withdrawals")
async def list_withdrawals(request: AnyRequest, round_id: FromPath[str]) -> dict[str, Any]:
    """Proposed and confirmed withdrawals, for the office; the public sees them as events of the round."""
    own = parts(request)
    staff = await own.door.require(request, Role.ADMINISTRATOR, Role.REVIEWER, Role.AUDITOR)
    await store.require_round(own.pool, round_id)
    return {"items": [_facts(each, staff) for each in await withdrawals.of_round(own.pool, round_id)]}


@post(f"{PREFIX}/rounds/{{round_id:str}}/candidates/{{candidate:str}}/withdraw", status_code=201)
async def propose_withdrawal(
    request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str], data: JSONBody[Withdraw]
) -> dict[str, Any]:
    """Propose to withdraw a candidate; a second administrator confirms."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR)
    made = await withdrawals.propose(own.pool, round_id, candidate, data.reason, actor, own.clock.now())
    return _facts(made, actor)


@post(f"{PREFIX}/rounds/{{round_id:str}}/candidates/{{candidate:str}}/withdrawals/{{identifier:str}}/confirm")
async def confirm_withdrawal(
    request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str], identifier: FromPath[str]
) -> Response[dict[str, Any]]:
    """The second signature: the withdrawal is public at once."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR)
    made = await withdrawals.confirm(own.pool, round_id, candidate, identifier, actor, own.clock.now())
    return Response(_facts(made, actor), status_code=200)


def _facts(withdrawal: Withdrawal, staff: Staff) -> dict[str, Any]:
    may = staff.has(Role.ADMINISTRATOR) and withdrawal.withdrawn_at is None and withdrawal.proposed_by != staff.staff
    return {**msgspec.structs.asdict(withdrawal), "actions": ["confirm"] if may else []}


def _poster(own: Parts, round_: Round, card: CandidateCard) -> Poster:
    return Poster(
        round_title=round_.title, number=card.number, title=card.title, unit=card.unit, level=card.level,
        voting_window=_span(round_.voting_opens_at, round_.voting_ends_at, round_.timezone),
        round_address=f"{own.settings.public_origin}/rounds/{round_.round}",
        printed_on=day_in(round_.frozen_at, round_.timezone),
    )  # fmt: skip


def _span(opens: datetime | None, closes: datetime | None, timezone: str) -> str:
    """The voting window in the round's own time, for people; empty where nobody votes."""
    if opens is None or closes is None:
        return ""
    zone = ZoneInfo(timezone)
    return " — ".join(f"{at.astimezone(zone):%Y年%m月%d日 %H:%M}" for at in (opens, closes))


ROUTES = [get_picture, get_poster, get_posters, list_withdrawals, propose_withdrawal, confirm_withdrawal]
