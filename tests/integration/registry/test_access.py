"""Who may call what: every route of the registry, every role and nobody, with somebody else's object.

A new route is a new line of WHO: the letters of the roles that may call it whatever the object, and behind `|` of those
that may with an object of their own only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import httpx

from services.shared.staff import Role
from tests.integration.registry.access_walk import body_of, routes
from tests.integration.registry.application_steps import announce, attach, begin
from tests.integration.registry.conftest import PREFIX, Registry, simple_files
from tests.support import sample_files
from tests.support.project_rounds import open_office

NOBODY = ""
ROUND, CALL = "small", "autumn"
# Where the smallest body would be refused before the object is looked at.
BODIES: dict[str, Any] = {"/applications/{application:str}/reopen-requests": {"reason": "x"}}


LETTERS = {
    "A": Role.ADMINISTRATOR, "R": Role.REVIEWER, "U": Role.AUDITOR, "C": Role.CHANNEL_OFFICER, "L": Role.APPLICANT,
    "E": Role.EXPERT, "H": Role.HELPER, "O": Role.OPERATOR, "X": Role.SECURITY_ADMINISTRATOR,
}  # fmt: skip
STAFF = "".join(LETTERS)
# `everybody`, `staff` (whoever is signed in), `form` (a page's form: refused to all without the page's own token).
WHO = {
    "GET /admin": "AUO",
    "GET /admin/rounds/{round_id:str}": "AUO",
    "GET /admin/rounds/{round_id:str}/candidates": "ARU",
    "GET /admin/rounds/{round_id:str}/lists": "ARU",
    "GET /admin/calendar": "ARUO",
    "GET /admin/calls/new": "A",
    "GET /admin/calls/{call_id:str}": "ARUO",
    "GET /admin/calls/{call_id:str}/edit": "A",
    "GET /admin/calls/{call_id:str}/versions/{version:int}": "ARUO",
    "GET /admin/log": "AU",
    "GET /applications/{application:str}": "ARU|CL",
    "PUT /applications/{application:str}": "|CL",
    "POST /applications/{application:str}/appeal": "|CL",
    "POST /applications/{application:str}/appeal/decision": "AR",
    "POST /applications/{application:str}/attachments": "|CL",
    "DELETE /applications/{application:str}/attachments/{attachment:str}": "|CL",
    "GET /applications/{application:str}/check": "ARU|CL",
    "POST /applications/{application:str}/completion": "AR",
    "POST /applications/{application:str}/consents": "|CL",
    "GET /applications/{application:str}/form.docx": "ARU|CL",
    "GET /applications/{application:str}/form.pdf": "ARU|CL",
    "GET /applications/{application:str}/recommendation.pdf": "ARU|C",
    "POST /applications/{application:str}/reopen-requests": "|CL",
    "GET /applications/{application:str}/review": "ARU|CL",
    "POST /applications/{application:str}/review/checklists": "R",
    "POST /applications/{application:str}/review/decision": "AR",
    "POST /applications/{application:str}/review/joint-checks": "AR",
    "PUT /applications/{application:str}/review/joint-checks/{department:str}": "AR",
    "POST /applications/{application:str}/submit": "|CL",
    "POST /applications/{application:str}/withdraw": "|CL",
    "GET /attachments/{attachment:str}": "ARU|CL",
    "GET /calendar/{year:int}": "everybody",
    "PUT /calendar/{year:int}": "A",
    "GET /calls": "everybody",
    "POST /calls": "A",
    "POST /calls/check": "AR",
    "GET /calls/{call:str}/applications": "ARUCL",
    "POST /calls/{call:str}/applications": "L",
    "POST /calls/{call:str}/applications/import": "ARC",
    "GET /calls/{call:str}/applications/template.xlsx": "ARC",
    "GET /calls/{call:str}/form": "everybody",
    "GET /calls/{call_id:str}": "everybody",
    "POST /calls/{call_id:str}/announce": "A",
    "POST /calls/{call_id:str}/changes/{change:str}/confirm": "A",
    "GET /calls/{call_id:str}/channels/{channel:str}/recommendations": "ARU|C",
    "PUT /calls/{call_id:str}/channels/{channel:str}/recommendations": "|C",
    "POST /calls/{call_id:str}/channels/{channel:str}/recommendations/send": "|C",
    "GET /calls/{call_id:str}/channels/{channel:str}/summary.xlsx": "ARU|C",
    "POST /calls/{call_id:str}/exemptions": "A|C",
    "POST /calls/{call_id:str}/exemptions/{exemption:str}/confirm": "A",
    "GET /calls/{call_id:str}/files/{name:str}": "everybody",
    "PUT /calls/{call_id:str}/files/{name:str}": "A",
    "POST /calls/{call_id:str}/freeze": "A",
    "GET /calls/{call_id:str}/recommendations": "ARU",
    "GET /calls/{call_id:str}/reviews": "ARU",
    "GET /calls/{call_id:str}/rules": "everybody",
    "PUT /calls/{call_id:str}/rules": "A",
    "GET /calls/{call_id:str}/versions/{version:int}": "everybody",
    "GET /channels": "everybody",
    "POST /channels": "A",
    "POST /channels/{channel:str}/close": "A",
    "POST /consents": "everybody",
    "POST /consents/answers": "everybody",
    "GET /log": "AU",
    "GET /log/export": "AU",
    "GET /objections/{receipt:str}": "everybody",
    "POST /objections/{receipt:str}/attachments": "everybody",
    "POST /objections/{receipt:str}/contact": "AR",
    "POST /objections/{receipt:str}/decision": "AR",
    "POST /objections/{receipt:str}/decision/confirmation": "AR",
    "GET /objections/{receipt:str}/file": "ARU",
    "POST /objections/{receipt:str}/owner": "AR",
    "POST /objections/{receipt:str}/person": "AR",
    "GET /rounds": "everybody",
    "POST /rounds": "A",
    "GET /rounds/{round_id:str}": "everybody",
    "GET /rounds/{round_id:str}/applications/{candidate:str}": "everybody",
    "GET /rounds/{round_id:str}/candidates/{candidate:str}/poster.pdf": "everybody",
    "POST /rounds/{round_id:str}/candidates/{candidate:str}/withdraw": "A",
    "POST /rounds/{round_id:str}/candidates/{candidate:str}/withdrawals/{identifier:str}/confirm": "A",
    "POST /rounds/{round_id:str}/close": "A",
    "GET /rounds/{round_id:str}/lists": "everybody",
    "POST /rounds/{round_id:str}/lists/preview": "AR",
    "GET /rounds/{round_id:str}/lists/proposals": "ARU",
    "POST /rounds/{round_id:str}/lists/proposals": "A",
    "GET /rounds/{round_id:str}/lists/proposals/{number:int}": "ARU",
    "POST /rounds/{round_id:str}/lists/proposals/{number:int}/confirmation": "A",
    "POST /rounds/{round_id:str}/lists/proposals/{number:int}/withdrawal": "A",
    "GET /rounds/{round_id:str}/lists/{name:str}": "everybody",
    "POST /rounds/{round_id:str}/lists/{name:str}/attachments": "AR",
    "POST /rounds/{round_id:str}/lists/{name:str}/confirmation": "A",
    "POST /rounds/{round_id:str}/lists/{name:str}/document": "A",
    "POST /rounds/{round_id:str}/lists/{name:str}/retraction": "A",
    "GET /rounds/{round_id:str}/lists/{name:str}/scan": "everybody",
    "GET /rounds/{round_id:str}/objections": "ARU",
    "POST /rounds/{round_id:str}/objections": "everybody",
    "GET /rounds/{round_id:str}/objections/challenge": "everybody",
    "POST /rounds/{round_id:str}/objections/offline": "AR",
    "GET /rounds/{round_id:str}/pictures/{candidate:str}": "everybody",
    "GET /rounds/{round_id:str}/posters.zip": "AR",
    "GET /rounds/{round_id:str}/projects": "ARUCL",
    "POST /rounds/{round_id:str}/projects": "A",
    "GET /rounds/{round_id:str}/projects/{candidate:str}": "ARU|CL",
    "POST /rounds/{round_id:str}/projects/{candidate:str}/acceptances": "AR",
    "POST /rounds/{round_id:str}/projects/{candidate:str}/attachments": "AR|L",
    "POST /rounds/{round_id:str}/projects/{candidate:str}/bookings": "AR|L",
    "POST /rounds/{round_id:str}/projects/{candidate:str}/bookings/{booking:uuid}/checks": "AR",
    "POST /rounds/{round_id:str}/projects/{candidate:str}/bookings/{booking:uuid}/reversals": "AR|L",
    "POST /rounds/{round_id:str}/projects/{candidate:str}/budget-changes": "|L",
    "POST /rounds/{round_id:str}/projects/{candidate:str}/findings/{finding:uuid}/steps": "|L",
    "POST /rounds/{round_id:str}/projects/{candidate:str}/grants": "AR",
    "POST /rounds/{round_id:str}/projects/{candidate:str}/inspections": "AR",
    "POST /rounds/{round_id:str}/projects/{candidate:str}/inspections/{inspection:uuid}/reports": "AR",
    "POST /rounds/{round_id:str}/projects/{candidate:str}/payments": "AR",
    "POST /rounds/{round_id:str}/projects/{candidate:str}/payments/{payment:uuid}/reversals": "AR",
    "POST /rounds/{round_id:str}/projects/{candidate:str}/proposals/{proposal:uuid}/decisions": "AR",
    "POST /rounds/{round_id:str}/projects/{candidate:str}/settlements": "AR",
    "GET /rounds/{round_id:str}/withdrawals": "ARU",
    "GET /rounds/{round_id:str}/daily-report.docx": "AUO",
    "POST /calls/{call_id:str}/files/{name:str}/preview": "A",
    "POST /calls/{call_id:str}/rehearsals": "A",
    "POST /rounds/{round_id:str}/rehearsals": "A",
    "POST /rounds/{round_id:str}/removal": "A",
    "GET /sessions": "staff",
    "POST /sessions": "everybody",
    "DELETE /sessions/current": "everybody",
    "DELETE /sessions/others": "staff",
    "POST /sessions/renew": "everybody",
    "POST /sessions/totp": "everybody",
    "DELETE /sessions/{session:str}": "|staff",
    "GET /staff": "AUX",
    "POST /staff": "AX",
    "GET /staff/invitations": "AUCX",
    "POST /staff/invitations": "ACX",
    "POST /staff/invitations/accept": "everybody",
    "POST /staff/invitations/look": "everybody",
    "DELETE /staff/invitations/{number:int}": "AX|C",
    "GET /staff/me": "staff",
    "POST /staff/me/password": "staff",
    "PATCH /staff/{username:str}": "AX",
    "POST /staff/{username:str}/disable": "AX",
    "POST /staff/{username:str}/invitations": "AX|C",
    "DELETE /staff/{username:str}/totp": "X",
    "GET /units": "ARUC",
    "POST /units": "everybody",
    "GET /units/{unit:str}": "ARU|CL",
    "PATCH /units/{unit:str}": "|L",
    "POST /units/{unit:str}/decisions": "A|C",
    "GET /notices": "everybody",
    "GET /notices/{round_id:str}": "everybody",
    "GET /notices/{round_id:str}/objection": "everybody",
    "POST /notices/{round_id:str}/objection": "form",
    "POST /notices/{round_id:str}/objection/receipt": "form",
    "GET /notices/{round_id:str}/objection/{receipt:str}": "everybody",
    "GET /office": "ARUC",
    "GET /office/applications": "ARUC",
    "GET /office/applications/{application:str}": "ARU|C",
    "GET /office/joint-checks": "ARU",
    "GET /office/objections": "ARU",
    "GET /office/objections/new/{round_id:str}": "AR",
    "GET /office/objections/{receipt:str}": "ARU",
    "GET /office/projects": "ARUC",
    "GET /office/projects/{round_id:str}/{candidate:str}": "ARU|C",
    "GET /office/recommendations": "ARUC",
    "GET /office/recommendations/{call_id:str}/{channel:str}": "ARU|C",
    "GET /office/reviews": "ARU",
    "GET /office/units": "ARUC",
    "GET /office/units/{unit:str}": "ARU|C",
    "GET /projects/{round_id:str}": "everybody",
    "GET /projects/{round_id:str}/{candidate:str}": "everybody",
    "GET /status": "AUO",
    "GET /account": "staff",
    "GET /accounts": "AUX",
    "GET /accounts/-/invitations": "AUX",
    "GET /accounts/-/new": "AX",
    "GET /accounts/{username:str}": "AUX",
    "POST /staff/me/totp": "staff",
    "GET /apply": "everybody",
    "GET /apply/applications/{application:str}": "ARU|CL",
    "GET /apply/applications/{application:str}/check": "|CL",
    "GET /apply/applications/{application:str}/form.pdf": "ARU|CL",
    "GET /apply/applications/{application:str}/preview": "ARU|CL",
    "GET /apply/applications/{application:str}/steps/{step:str}": "|CL",
    "GET /apply/calls/{call:str}": "everybody",
    "GET /apply/consent": "everybody",
    "GET /apply/register": "everybody",
    "GET /apply/unit": "L",
    "GET /sign-in": "everybody",
    "POST /sign-in": "form",
    "POST /sign-in/out": "everybody",
    "GET /sign-in/invitation": "everybody",
    "GET /sign-in/renew": "everybody",
    "POST /sign-out": "everybody",
}


@dataclass(frozen=True)
class Walk:
    """The registry with an actor a role, and the identifiers of what belongs to none of them."""

    registry: Registry
    actors: dict[str, str]
    foreign: dict[str, str]

    async def call(self, method: str, template: str, actor: str, handler: Any) -> httpx.Response:
        path = re.sub(r"\{(\w+):\w+\}", lambda part: self.foreign.get(part[1], "none-such"), template)
        headers = self.registry.headers(actor) if actor else {}
        more: dict[str, Any] = {}
        if method == "POST" and path.endswith("/attachments"):
            more = {"files": {"file": ("a.pdf", sample_files.PDF)}, "data": {"purpose": "other"}}
        elif (body := BODIES.get(template.removeprefix(PREFIX), body_of(handler))) is not None:
            more = {"json": body}
        # A token's cookie that an answer left would make the next caller somebody.
        self.registry.http.cookies.clear()
        return await self.registry.http.request(method, path, headers=headers, **more)


async def world(registry: Registry) -> Walk:
    """Unit, officer and channel of 五华区 are the actors' own; everything that is called belongs to 官渡区."""
    rules = simple_files(ROUND)["rules.toml"]
    await open_office(registry, rules)
    own, foreign = [each["unit"] for each in await _units(registry)]
    for role in Role:
        place = (
            {"unit": own} if role is Role.APPLICANT else {"channel": "wuhua"} if role is Role.CHANNEL_OFFICER else {}
        )
        await registry.add_staff(f"actor-{role}".replace("_", "-"), role, **place)
    await announce(registry, CALL)
    await registry.parts.pool.execute("UPDATE calls SET rules = $1, announced_at = now()", rules.replace(ROUND, CALL))
    application = (await begin(registry, "unit2"))["application"]
    attachment = (await attach(registry, "unit2", application)).json()["attachment"]
    invitation = await registry.call("POST", "/staff/unit2/invitations")
    actors = {NOBODY: NOBODY} | {str(role): f"actor-{role}".replace("_", "-") for role in Role}
    nil = "00000000-0000-4000-8000-000000000000"
    return Walk(registry, actors, {
        "unit": foreign, "channel": "guandu", "application": application, "attachment": attachment, "username": "unit2",
        "number": str(invitation.json()["invitation"]), "session": "00" * 32, "year": "2099", "call": CALL,
        "call_id": CALL, "round_id": ROUND, "candidate": "c2", "name": "1", "version": "1", "receipt": "R" * 16,
        "change": nil, "exemption": nil, "identifier": nil, "booking": nil, "finding": nil, "inspection": nil,
        "payment": nil, "proposal": nil,
    })  # fmt: skip


async def _units(registry: Registry) -> list[dict[str, Any]]:
    """wuhua's unit first."""
    items = (await registry.call("GET", "/units")).json()["items"]
    return sorted(items, key=lambda each: str(each["channel"]), reverse=True)


def _roles(letters: str) -> set[str]:
    if letters == "everybody":
        return {NOBODY, *LETTERS.values()}
    return {str(LETTERS[letter]) for letter in (STAFF if letters == "staff" else letters)}


def _verdict(who: str, role: str, method: str, path: str, answer: httpx.Response) -> str:
    """What is wrong with an answer to a call with a foreign object; empty when it is as WHO says."""
    if answer.status_code >= 500:
        return "the service failed"
    if who == "form":
        return "" if answer.status_code == 403 else "a form without its token was taken"
    always, _, own = who.partition("|")
    if role in _roles(always):
        reason = _reason(answer)
        refused = reason == "forbidden" or (reason == "bad_token" and role != NOBODY)
        return "may not, though it should" if refused else ""
    if role in _roles(own):
        return "" if answer.status_code in (403, 404) else "reached an object that is not its own"
    to_sign_in = role == NOBODY and answer.status_code == 303 and method == "GET" and not path.startswith("/api/")
    return "" if to_sign_in or answer.status_code in (401, 403, 404) else "may, though it should not"


def _reason(answer: httpx.Response) -> str:
    is_problem = answer.headers.get("content-type", "").startswith("application/problem+json")
    return str(answer.json()["reason"]) if is_problem else ""


def test_the_table_names_every_route(registry: Registry) -> None:
    known = {f"{method} {path.removeprefix(PREFIX)}" for method, path, _ in routes(registry.app)}
    assert known - WHO.keys() == set(), "say in WHO who may call these"
    assert WHO.keys() - known == set(), "these routes are gone"


async def test_no_route_lets_anybody_at_what_is_not_theirs(registry: Registry) -> None:
    walk = await world(registry)
    office = _roles("ARU")
    wrong = []
    for method, path, handler in routes(registry.app):
        who = WHO.get(f"{method} {path.removeprefix(PREFIX)}", "")
        for role, actor in walk.actors.items():
            answer = await walk.call(method, path, actor, handler)
            verdict = _verdict(who, role, method, path, answer)
            told = answer.is_success and walk.foreign["application"] in answer.text
            if not verdict and role not in office and told:
                verdict = "told of a foreign application"
            if verdict:
                wrong.append(f"{role or 'nobody'}: {method} {path}: {answer.status_code} {_reason(answer)}: {verdict}")
    assert wrong == []
