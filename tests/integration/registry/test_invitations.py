"""Invitations, passwords, sessions and changes of accounts: links are good once, and nobody raises themselves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.registry.staff.devices import device_of
from services.shared.messages import REGISTRY_STAFF, StaffMessage
from tests.integration.registry.conftest import PREFIX, Registry
from tests.support.registry_people import add_applicant, add_channel, add_officer, add_unit

PASSWORD = "a fine password"


async def _invite(registry: Registry, actor: str = "platform", **body: Any) -> Any:
    return await registry.call("POST", "/staff/invitations", actor, json={"roles": ["expert"], **body})


def _token(answer: Any) -> str:
    assert answer.status_code == 201, answer.text
    return str(answer.json()["link"].partition("#")[2])


async def _accept(registry: Registry, token: str, username: str = "wang", password: str = PASSWORD) -> Any:
    body = {"token": token, "username": username, "password": password}
    return await registry.call("POST", "/staff/invitations/accept", "", json=body)


async def test_who_is_invited_chooses_the_password_and_signs_in(registry: Registry) -> None:
    token = _token(await _invite(registry, name="王老师"))
    looked = await registry.call("POST", "/staff/invitations/look", "", json={"token": token})
    assert (looked.json()["name"], looked.json()["roles"]) == ("王老师", ["expert"])
    made = await _accept(registry, token, "Wang")
    assert (made.json()["username"], made.json()["name"]) == ("wang", "王老师")
    assert (await registry.sign_in("wang", PASSWORD)).status_code == 201
    stored = str(await registry.parts.pool.fetch("SELECT * FROM invitations"))
    assert token not in stored + str(await registry.parts.pool.fetch("SELECT * FROM log_entries"))


async def test_a_links_page_is_there_and_asks_no_browser_to_send_the_token(registry: Registry) -> None:
    link = (await _invite(registry)).json()["link"]
    page = await registry.http.get(link)
    assert (page.status_code, "/invitation.js" in page.text) == (200, True)
    assert link.partition("#")[2] not in str(page.request.url.raw_path)
    english = await registry.http.get("/sign-in/invitation?lang=en")
    assert "Accept the invitation" in english.text


async def test_a_link_is_good_once_also_for_two_at_the_same_moment(registry: Registry) -> None:
    token = _token(await _invite(registry))
    answers = await asyncio.gather(*(_accept(registry, token, f"wang{k}") for k in range(3)))
    assert sorted(each.status_code for each in answers) == [201, 410, 410]


async def test_a_link_ends_after_seven_days_or_when_it_is_withdrawn(registry: Registry) -> None:
    old, other = _token(await _invite(registry)), await _invite(registry)
    listed = (await registry.call("GET", "/staff/invitations")).json()["items"]
    assert len(listed) == 2
    path = f"/staff/invitations/{other.json()['invitation']}"
    assert (await registry.call("DELETE", path)).status_code == 204
    assert (await registry.call("DELETE", path)).json()["reason"] == "unknown_invitation"
    assert (await _accept(registry, _token(other))).json()["reason"] == "invitation_gone"
    registry.pass_time(7 * 24 * 3600)
    assert (await _accept(registry, old)).status_code == 410
    assert (await _accept(registry, "guessed")).status_code == 410


@pytest.mark.parametrize(
    ("username", "password", "reason"),
    [("wang", "short", "bad_staff"), ("me", PASSWORD, "bad_staff"), ("", PASSWORD, "bad_staff"),
     ("platform", PASSWORD, "staff_exists")],
)  # fmt: skip
async def test_a_link_survives_a_bad_choice(registry: Registry, username: str, password: str, reason: str) -> None:
    token = _token(await _invite(registry))
    assert (await _accept(registry, token, username, password)).json()["reason"] == reason
    assert (await _accept(registry, token)).status_code == 201


async def test_officers_invite_applicants_of_their_channels_units_only(registry: Registry) -> None:
    own, foreign = await add_unit(registry), await add_unit(registry, 2, "panlong")
    officer = await add_officer(registry)
    assert (await _invite(registry, officer, roles=["applicant"], unit=own)).status_code == 201
    refused = await _invite(registry, officer, roles=["applicant"], unit=foreign)
    assert (refused.status_code, refused.json()["reason"]) == (404, "unknown_unit")
    assert (await _invite(registry, officer, roles=["expert"])).status_code == 403
    stranger = await add_officer(registry, "panlong")
    [invitation] = (await registry.call("GET", "/staff/invitations", officer)).json()["items"][1:]
    assert (
        await registry.call("DELETE", f"/staff/invitations/{invitation['invitation']}", stranger)
    ).status_code == 404


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"roles": ["applicant"]}, "bad_invitation"),
        ({"roles": ["channel_officer"]}, "bad_invitation"),
        ({"roles": ["channel_officer"], "channel": "nowhere"}, "bad_invitation"),
        ({"roles": ["applicant"], "unit": "nowhere"}, "bad_invitation"),
        ({"roles": ["king"]}, "bad_staff"),
    ],
)
async def test_an_invitation_names_what_exists(registry: Registry, body: dict[str, Any], reason: str) -> None:
    refused = await _invite(registry, **body)
    assert (refused.status_code, refused.json()["reason"]) == (422, reason)


async def test_administrators_invite_no_administrators(registry: Registry) -> None:
    await registry.add_staff("admin", "administrator")
    assert (await _invite(registry, "admin", roles=["administrator"])).status_code == 403
    assert (await registry.call("POST", "/staff/platform/invitations", "admin")).json()["reason"] == "built_in"
    assert (await registry.call("POST", "/staff/admin/invitations", "admin")).status_code == 403


async def test_a_forgotten_password_is_renewed_by_link_and_everything_older_ends(registry: Registry) -> None:
    unit = await add_unit(registry)
    officer, applicant = await add_officer(registry), await add_applicant(registry, unit, "li.yi")
    stranger = await add_officer(registry, (await add_channel(registry, "panlong")))
    assert (await registry.call("POST", "/staff/li.yi/invitations", stranger)).status_code == 404
    headers = registry.headers(applicant)
    token = _token(await registry.call("POST", "/staff/li.yi/invitations", officer))
    registry.pass_time(5)
    assert (await _accept(registry, token)).json()["username"] == "li.yi"
    old = await registry.call("GET", "/staff/me", "", headers=headers)
    assert old.status_code == 401
    assert (await registry.sign_in("li.yi", PASSWORD)).status_code == 201


async def test_changing_the_password_ends_every_other_session(registry: Registry) -> None:
    await registry.add_staff("wang", "expert", password=PASSWORD)
    await registry.sign_in("wang", PASSWORD)
    elsewhere = registry.http.cookies["px_session"]
    await registry.sign_in("wang", PASSWORD, **{"user-agent": "Mozilla/5.0 (Windows NT 10.0) Chrome/120 Safari/537"})
    listed = (await registry.call("GET", "/sessions", "wang")).json()["items"]
    assert [(each["device"], each["current"]) for each in listed] == [("Chrome, Windows", True), ("", False)]
    old_token = registry.headers("wang")
    registry.pass_time(5)
    for body, reason in (
        ({"current": "wrong", "password": "another password"}, "wrong_credentials"),
        ({"current": PASSWORD, "password": "short"}, "bad_staff"),
    ):
        assert (await registry.call("POST", "/staff/me/password", "wang", json=body)).json()["reason"] == reason
    body = {"current": PASSWORD, "password": "another password"}
    changed = await registry.call("POST", "/staff/me/password", "wang", json=body)
    assert changed.status_code == 200
    assert (await registry.call("GET", "/sessions", "", headers=old_token)).status_code == 401
    fresh = {"authorization": f"Bearer {changed.json()['token']}"}
    assert len((await registry.call("GET", "/sessions", "", headers=fresh)).json()["items"]) == 1
    renewed = await registry.http.post(f"{PREFIX}/sessions/renew", headers={"cookie": f"px_session={elsewhere}"})
    assert renewed.status_code == 401


async def test_sessions_are_ended_one_by_one_or_all_others_at_once(registry: Registry) -> None:
    await registry.add_staff("wang", "expert", password=PASSWORD)
    await registry.add_staff("xu", "expert")
    for _ in range(4):
        await registry.sign_in("wang", PASSWORD)
    listed = (await registry.call("GET", "/sessions", "wang")).json()["items"]
    one = next(each["session"] for each in listed if not each["current"])
    assert (await registry.call("DELETE", f"/sessions/{one}", "xu")).json()["reason"] == "unknown_session"
    assert (await registry.call("DELETE", f"/sessions/{one}", "wang")).status_code == 200
    assert (await registry.call("DELETE", f"/sessions/{one}", "wang")).status_code == 404
    assert (await registry.call("DELETE", "/sessions/not-hex", "wang")).status_code == 404
    assert len((await registry.call("GET", "/sessions", "wang")).json()["items"]) == 3
    assert (await registry.call("DELETE", "/sessions/others", "wang")).status_code == 200
    left = (await registry.call("GET", "/sessions", "wang")).json()["items"]
    assert [each["current"] for each in left] == [True]


async def test_an_account_changes_at_the_version_that_was_read(registry: Registry) -> None:
    await registry.add_staff("wang", "expert")
    await add_channel(registry)
    body = {"version": 1, "roles": ["channel_officer"], "channel": "wuhua", "name": "王五"}
    changed = (await registry.call("PATCH", "/staff/wang", json=body)).json()
    assert (changed["roles"], changed["channel"], changed["version"]) == (["channel_officer"], "wuhua", 2)
    stale = await registry.call("PATCH", "/staff/wang", json={"version": 1, "disabled": True})
    assert (stale.status_code, stale.json()["reason"], stale.json()["version"]) == (409, "stale_version", 2)
    off = await registry.call("PATCH", "/staff/wang", json={"version": 2, "disabled": True})
    assert off.json()["disabled"] is True
    assert (await registry.call("PATCH", "/staff/wang", json={"version": 3, "disabled": False})).status_code == 200
    sent = [each for each in await registry.sent(REGISTRY_STAFF, 5) if isinstance(each, StaffMessage)]
    assert [(each.version, each.disabled) for each in sent if each.staff == "wang"] == [
        (1, False), (2, False), (3, True), (4, False),
    ]  # fmt: skip
    [logged] = (await registry.call("GET", "/log?object=wang&action=staff.changed&limit=200")).json()["items"][2:]
    assert logged["after"]["roles"] == [["expert"], ["channel_officer"]]


async def test_nobody_changes_their_own_account_or_one_above_them(registry: Registry) -> None:
    await registry.add_staff("admin", "administrator")
    await registry.add_staff("secure", "security_administrator")
    await registry.add_staff("wang", "expert")
    for actor, username, change in (
        ("admin", "wang", {"roles": ["administrator"]}),
        ("admin", "secure", {"disabled": True}),
        ("secure", "secure", {"roles": ["administrator", "security_administrator"]}),
        ("wang", "admin", {"disabled": True}),
    ):
        refused = await registry.call("PATCH", f"/staff/{username}", actor, json={"version": 1, **change})
        assert (refused.status_code, refused.json()["reason"]) == (403, "forbidden"), username
    for username, reason in (("platform", "built_in"), ("nobody", "unknown_staff")):
        assert (await registry.call("PATCH", f"/staff/{username}", json={"version": 1})).json()["reason"] == reason
    mistakes: list[dict[str, Any]] = [{"unit": "nowhere"}, {"channel": "nowhere"}, {"roles": ["king"]}]
    for mistake in mistakes:
        refused = await registry.call("PATCH", "/staff/wang", json={"version": 1, **mistake})
        assert refused.json()["reason"] == "bad_staff"


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit MicroMessenger/8.0 Safari",
            "微信, iPhone",
        ),
        ("Mozilla/5.0 (Windows NT 10.0; Win64) Chrome/120 Safari/537 Edg/120", "Edge, Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko Firefox/121.0", "Firefox, Linux"),
        ("curl/8", ""),
    ],
)
def test_a_session_is_recognised_by_program_and_system(agent: str, device: str) -> None:
    assert device_of(agent) == device
