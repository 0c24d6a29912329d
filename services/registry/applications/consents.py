"""Asking partners for their consent by link, and their answers.

The token stands in the link's fragment, which no browser sends to a server, and only its hash is stored. Whoever holds
the link answers for the partner, with name and position; the answer and who asked are in the log.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

import msgspec

from services.registry.applications import consent_store, store
from services.registry.applications.content import read, trimmed
from services.registry.applications.drafting import held, require_writable
from services.registry.applications.records import Application
from services.registry.applications.stages import Stage
from services.registry.log.record import record
from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal
from services.shared.postgres import Connection, Pool, transaction
from services.shared.staff import Staff

PATH = "/apply/consent"
NAME_MAX = 100
_TOKEN_MAX = 100


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /consents/answers`: who answers for the partner, and what."""

    token: str
    agree: bool
    name: str
    position: str = ""


class Link(msgspec.Struct, frozen=True):
    """What the lead sends to its partner; told once."""

    credit_code: str
    partner_name: str
    link: str
    expires_at: datetime


def hashed(token: str) -> bytes:
    """A plain hash will do for 256 random bits."""
    return hashlib.sha256(token[:_TOKEN_MAX].encode(errors="replace")).digest()


async def ask(
    pool: Pool, identifier: str, credit_code: str, staff: Staff, origin: str, lifetime: timedelta, now: datetime
) -> Link:
    """A new link for one partner of the form; earlier open ones of the same partner are void."""
    token = secrets.token_urlsafe(32)
    async with transaction(pool) as connection:
        found = await held(connection, identifier, staff)
        await require_writable(connection, found, now)
        name = partner_name(found, credit_code)
        await consent_store.ask(
            connection, identifier, credit_code, name, hashed(token),
            actor=staff.staff, now=now, expires_at=now + lifetime,
        )  # fmt: skip
        await record(
            connection, now, staff.staff, "application.consent_asked", "application", identifier,
            round_id=found.call, after={"credit_code": credit_code},
        )  # fmt: skip
    return Link(credit_code, name, f"{origin.rstrip('/')}{PATH}#{token}", now + lifetime)


def partner_name(application: Application, credit_code: str) -> str:
    """The name of a partner of the form; raises Refusal `unknown_partner`."""
    for partner in read(application.content).partners:
        if trimmed(partner.credit_code) == credit_code and credit_code:
            return trimmed(partner.name)
    raise Refusal(
        RegistryReason.UNKNOWN_PARTNER, f"No partner of this application has the credit code {credit_code[:32]!r}."
    )


async def look(pool: Pool, token: str, now: datetime) -> dict[str, Any]:
    """What the holder of a link is asked; raises Refusal `unknown_consent` or `consent_expired`."""
    asked = await consent_store.find(pool, hashed(token))
    application = await _asked_for(pool, asked, now)
    assert asked is not None
    return {
        "call": application.call_title,
        "title": application.title,
        "summary": application.content.get("summary", ""),
        "lead": application.unit_name,
        "partner": asked["partner_name"],
        "credit_code": asked["credit_code"],
        "expires_at": asked["expires_at"],
        "answer": asked["answer"],
        "answered_at": asked["answered_at"],
        "actions": [] if asked["answer"] else ["answer"],
    }


async def give(pool: Pool, body: Answer, now: datetime) -> dict[str, Any]:
    """Take the partner's answer, once."""
    name, position = trimmed(body.name), trimmed(body.position)
    if not name or max(len(name), len(position)) > NAME_MAX or any(ord(each) < 32 for each in name + position):
        raise Refusal(
            RegistryReason.BAD_APPLICATION, f"name says who answers for the partner, in at most {NAME_MAX} characters."
        )
    async with transaction(pool) as connection:
        asked = await consent_store.find(connection, hashed(body.token), lock=True)
        application = await _asked_for(connection, asked, now)
        assert asked is not None
        if asked["answer"]:
            raise Refusal(RegistryReason.CONSENT_ANSWERED, f"It was answered already: {asked['answer']}.")
        word = "given" if body.agree else "declined"
        await consent_store.answer(connection, asked["id"], word, name, position, now)
        await record(
            connection, now, f"partner:{asked['credit_code']}", f"application.consent_{word}", "application",
            application.application, round_id=application.call, after={"name": name, "position": position},
            personal=True,
        )  # fmt: skip
    return {"answer": word, "answered_at": now, "partner": asked["partner_name"], "title": application.title}


async def _asked_for(connection: Connection | Pool, asked: dict[str, Any] | None, now: datetime) -> Application:
    """The application behind a link that is still good."""
    application = await store.load(connection, asked["application"]) if asked else None
    if asked is None or application is None:
        raise Refusal(RegistryReason.UNKNOWN_CONSENT, "This link asks for nothing; check that it was copied whole.")
    gone = asked["replaced_at"] is not None or application.stage is Stage.WITHDRAWN
    if not asked["answer"] and (gone or now >= asked["expires_at"]):
        raise Refusal(RegistryReason.CONSENT_EXPIRED, "The link is no longer good; ask the lead unit for a new one.")
    return application
