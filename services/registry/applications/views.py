"""What the calls answer about an application: everything a page needs, in one piece. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from services.registry.applications import access
from services.registry.applications.checking import amount_of
from services.registry.applications.content import FIELD_TITLES, Content, form_fields
from services.registry.applications.list_store import Line
from services.registry.applications.problems import Problem
from services.registry.applications.problems import facts as problem_facts
from services.registry.applications.records import Application, ApplicationFile, Consent
from services.registry.applications.rules import stage_name, unit_actions
from services.registry.applications.stages import STAGE_NAMES
from services.registry.applications.store import Call
from services.registry.attachments.records import PURPOSE_NAMES, Purpose
from services.shared.staff import Staff
from services.shared.vocabulary import CATEGORIES, LEAD_KINDS, LEVELS, PARTNER_KINDS, Translate


def whole(
    application: Application,
    files: Iterable[ApplicationFile],
    consents: Iterable[Consent],
    versions: list[dict[str, Any]],
    reopenings: list[dict[str, Any]],
    staff: Staff,
    now: datetime,
) -> dict[str, Any]:
    """The whole application for somebody who sees it, with what they may do next."""
    actions = unit_actions(application, now) if access.may_change(staff, application) else []
    return {
        **msgspec.structs.asdict(application),
        "stage_name": stage_name(application),
        "level_name": LEVELS.get(application.level, ""),
        "category_name": CATEGORIES.get(application.category, ""),
        "lead": {
            "name": application.unit_name,
            "kind": application.unit_kind,
            "kind_name": LEAD_KINDS.get(application.unit_kind, ""),
            "credit_code": application.unit_credit_code,
        },
        "files": [file_facts(each) for each in files],
        "consents": list(consents),
        "versions": versions,
        "version_code": versions[-1]["version_code"] if versions else None,
        "reopenings": reopenings,
        "days_left": days_left(application.application_closes_at, now),
        "actions": actions,
    }


def file_facts(file: ApplicationFile) -> dict[str, Any]:
    return {**msgspec.structs.asdict(file), "purpose_name": PURPOSE_NAMES[Purpose(file.purpose)]}


def days_left(closes_at: datetime | None, now: datetime) -> int | None:
    """Whole days until a window closes, 0 on the last; None where none closes."""
    return None if closes_at is None else max(0, (closes_at - now) // timedelta(days=1))


def line(application: Line) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(application),
        "stage_name": STAGE_NAMES[application.stage],
        "level_name": LEVELS.get(application.level, ""),
        "category_name": CATEGORIES.get(application.category, ""),
    }


def check(problems: list[Problem], translate: Translate) -> dict[str, Any]:
    return {"complete": not problems, "problems": problem_facts(problems, FIELD_TITLES, translate)}


def form(call: Call, proofs: Iterable[Purpose], bytes_max: int, now: datetime, translate: Translate) -> dict[str, Any]:
    """The empty form of a call: fields with limits and hints, choices, proofs, window."""
    return {
        "call": call.call,
        "title": call.title,
        "opens_at": call.application_opens_at,
        "closes_at": call.application_closes_at,
        "days_left": days_left(call.application_closes_at, now),
        "fields": fields(translate),
        "levels": _choices(LEVELS),
        "categories": _choices(CATEGORIES),
        "partner_kinds": _choices(PARTNER_KINDS),
        "lead_kinds": _choices(LEAD_KINDS),
        "proofs": [{"purpose": proof, "name": PURPOSE_NAMES[proof]} for proof in proofs],
        "file_bytes_max": bytes_max,
    }


def fields(translate: Translate) -> list[dict[str, Any]]:
    """Every field of the form, its hint in the reader's language."""
    return [{**each, "hint": translate(each["hint"]) if each["hint"] else ""} for each in form_fields()]


class PartnerLine(msgspec.Struct, frozen=True):
    """A partner with its consent: `given`, `scanned`, `asked`, `declined`, `expired` or `none`."""

    place: int
    name: str
    kind: str
    credit_code: str
    state: str
    consent: Consent | None
    scans: list[ApplicationFile]


def partner_lines(
    application: Application, consents: Iterable[Consent], files: Iterable[ApplicationFile], now: datetime
) -> list[PartnerLine]:
    """Every partner of the form that has a credit code, in the form's order."""
    asked, scans = {each.credit_code: each for each in consents}, [each for each in files if each.purpose == "consent"]
    lines = []
    for place, partner in enumerate(application.content.get("partners", [])):
        code = partner["credit_code"].strip()
        if not code:
            continue
        own = [each for each in scans if each.credit_code == code]
        consent = asked.get(code)
        state = _consent_state(consent, bool(own), now)
        lines.append(PartnerLine(place, partner["name"], partner["kind"], code, state, consent, own))
    return lines


def _consent_state(consent: Consent | None, scanned: bool, now: datetime) -> str:
    if consent is not None and consent.answer == "given":
        return "given"
    if scanned:
        return "scanned"
    if consent is None:
        return "none"
    if consent.answer:
        return "declined"
    return "expired" if now >= consent.expires_at else "asked"


def total(content: Content) -> str | None:
    """What the budget's lines add up to, in yuan; None while one of them is no amount."""
    amounts = [amount_of(line.amount) for line in content.budget]
    known = [each for each in amounts if each is not None]
    return str(sum(known, Decimal(0))) if known and len(known) == len(amounts) else None


def _choices(words: dict[str, str]) -> list[dict[str, str]]:
    return [{"word": word, "name": name} for word, name in words.items()]
