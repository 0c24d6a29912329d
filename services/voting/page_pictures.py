"""The addresses of the pictures of `pictures.py`: a receipt's, for half an hour, and a round's card.

A receipt's picture stands under an encrypted ticket: neither the receipt nor anything that leads to it is in the
address; a saver that fetches the address once more, without cookies, gets the same picture. More than a few at once are
refused: the phone then shows the one it draws itself.
"""

from __future__ import annotations

import asyncio
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from services.shared.errors import CommonReason, Refusal
from services.shared.keys import SealBroken, seal, unseal
from services.shared.pages import Pages, language, when
from services.voting import ledger, page_views, pictures
from services.voting.api_citizens import find
from services.voting.context import Context, ContextDependency
from services.voting.ledger import RECEIPT_BYTES
from services.voting.reasons import Reason
from services.voting.receipts import parse_receipt, receipt_text
from services.voting.rounds import FrozenRound

AnyRequest = Request[Any, Any, Any]
PagesDependency = NamedDependency[Pages]
_PURPOSE = b"receipt-picture"
# Receipt, number of the round, microseconds of the record, second until which the ticket is good, language.
_TICKET = struct.Struct(f">{RECEIPT_BYTES}sIQI2s")
_TICKET_GOOD_S = 1800


class ReceiptForm(msgspec.Struct):
    receipt: str


@post("/receipts/pictures", status_code=201, summary="An address of a receipt's picture, good for half an hour")
async def post_receipt_picture(
    context: ContextDependency, request: AnyRequest, data: JSONBody[ReceiptForm]
) -> Response[dict[str, str]]:
    raw = parse_receipt(data.receipt)
    row = await ledger.ballot_of_receipt(context.pool, raw) if raw is not None else None
    if raw is None or row is None:
        raise Refusal(Reason.UNKNOWN_RECEIPT, "No ballot has this receipt; check the letters.")
    address = picture_address(context, raw, row["round_number"], row["recorded_at"], language(request))
    return Response({"picture": address}, headers={"cache-control": "no-store"})


def picture_address(context: Context, receipt: bytes, round_number: int, recorded_at: datetime, lang: str) -> str:
    """Where the picture of a recorded ballot's receipt can be fetched from now on for half an hour."""
    until = int(context.clock.timestamp()) + _TICKET_GOOD_S
    micros = int(recorded_at.timestamp() * 1_000_000)
    plain = _TICKET.pack(receipt, round_number, micros, until, lang.encode())
    ticket = urlsafe_b64encode(seal(context.picture_key, plain, _PURPOSE)).decode().rstrip("=")
    return f"/receipts/pictures/{ticket}"


@get("/receipts/pictures/{ticket:str}", include_in_schema=False)
async def show_receipt_picture(
    context: ContextDependency, pages: PagesDependency, ticket: FromPath[str]
) -> Response[bytes]:
    try:
        sealed = urlsafe_b64decode(ticket + "=" * (-len(ticket) % 4))
        raw, number, micros, until, lang = _TICKET.unpack(unseal(context.picture_key, sealed, _PURPOSE))
    except (SealBroken, ValueError, struct.error):
        raise Refusal(CommonReason.NOT_FOUND, "There is no such picture.") from None
    frozen = context.rounds.by_number(number)
    if frozen is None or until < context.clock.timestamp():
        raise Refusal(CommonReason.NOT_FOUND, "This picture is no longer here; open the receipt's page again.")
    moment = when(datetime.fromtimestamp(micros / 1_000_000, UTC), str(frozen.zone), "%Y-%m-%d %H:%M:%S")
    groups = page_views.grouped_receipt(receipt_text(raw)).split("-")
    code = ("-".join(groups[:3]), "-".join(groups[3:]))
    texts = _receipt_texts(context, pages, frozen, lang.decode())
    return await _drawn(context, "private, max-age=1800", pictures.receipt_picture, texts, code, moment)


def _receipt_texts(context: Context, pages: Pages, frozen: FrozenRound, lang: str) -> pictures.ReceiptTexts:
    say = pages.texts(lang)
    return pictures.ReceiptTexts(
        heading=say("投票回执"),
        title=frozen.title,
        time=say("记录时间"),
        right=say("任何人都无权要求您出示回执"),
        secret=say("回执不含、也查不出投给了谁"),
        address=f"{say('查询')} {context.settings.public_origin}/receipts",
    )


@get("/rounds/{round_id:str}/card", include_in_schema=False)
async def show_card(
    context: ContextDependency, pages: PagesDependency, request: AnyRequest, round_id: FromPath[str]
) -> Response[bytes]:
    """The picture that chats show beside the round's link: one for all of its pages, with no candidate on it."""
    frozen, say = find(context, round_id), pages.translate(request)
    window = ""
    if frozen.opens is not None:
        window = f"{when(frozen.opens, str(frozen.zone))} {say('至')} {when(frozen.closes, str(frozen.zone))}"
    name = context.settings.organiser or say("评选")
    texts = pictures.CardTexts(name, frozen.title, page_views.how_to_vote(frozen, say), window)
    return await _drawn(context, "public, max-age=300", pictures.card_picture, texts)


async def _drawn(context: Context, cached: str, draw: Any, *about: Any) -> Response[bytes]:
    """What `draw` makes of `about`, drawn in a thread; Refusal overloaded when too many are being drawn."""
    if context.pictures_under_way >= context.settings.pictures_under_way_max:
        raise Refusal(Reason.OVERLOADED, "Too many pictures are being drawn; try again.", retry_after_s=5)
    context.pictures_under_way += 1
    try:
        image = await asyncio.to_thread(draw, *about)
    finally:
        context.pictures_under_way -= 1
    return Response(image, media_type="image/png", headers={"cache-control": cached})


picture_routers = [
    Router("/api/voting/v1", route_handlers=[post_receipt_picture]),
    Router("/", route_handlers=[show_receipt_picture, show_card]),
]
