"""Accounts and sessions: who may make whom, and what ends when an account is disabled."""

from __future__ import annotations

import asyncio
import time

import pytest

from services.shared.messages import REGISTRY_STAFF, StaffMessage
from tests.integration.registry.conftest import ORIGIN, PREFIX, Registry


async def test_the_platform_account_is_there_from_the_first_start_and_cannot_sign_in(registry: Registry) -> None:
    [message] = await registry.sent(REGISTRY_STAFF, 1)
    assert isinstance(message, StaffMessage)
    assert (message.username, message.version) == ("platform", 1)
    assert set(message.roles) == {"administrator", "security_administrator"}
    assert (await registry.sign_in("platform", "anything")).status_code == 401


async def test_a_new_account_gets_a_strong_password_once_and_signs_in_with_it(registry: Registry) -> None:
    made = await registry.add_staff("Wang", "expert", name="王老师")
    assert made["username"] == "wang"
    assert len(made["password"]) >= 20
    listed = (await registry.call("GET", "/staff")).json()["staff"]
    assert made["password"] not in str(listed)
    signed_in = await registry.sign_in("WANG ", made["password"])
    assert signed_in.status_code == 201
    assert signed_in.json()["roles"] == ["expert"]
    assert all("HttpOnly" in each and "SameSite=lax" in each for each in signed_in.headers.get_list("set-cookie"))


async def test_every_change_of_an_account_goes_out_with_a_higher_version(registry: Registry) -> None:
    await registry.add_staff("wang", "expert")
    await registry.call("POST", "/staff/wang/disable")
    messages = [m for m in await registry.sent(REGISTRY_STAFF, 3) if isinstance(m, StaffMessage) and m.staff == "wang"]
    assert [(m.version, m.disabled) for m in messages] == [(1, False), (2, True)]


async def test_wrong_password_and_unknown_user_get_the_same_answer(registry: Registry) -> None:
    await registry.add_staff("wang", "expert", password="correct horse")
    wrong = await registry.sign_in("wang", "battery staple")
    unknown = await registry.sign_in("nobody", "battery staple")
    for answer in (wrong, unknown):
        assert answer.status_code == 401
        assert answer.json()["reason"] == "wrong_credentials"
        assert "set-cookie" not in answer.headers
    keep = ("type", "title", "status", "reason", "detail")
    assert [wrong.json()[key] for key in keep] == [unknown.json()[key] for key in keep]


async def test_guessing_is_slowed_down_for_one_address_and_the_person_is_not_locked_out(registry: Registry) -> None:
    made = await registry.add_staff("wang", "expert")
    guesses = [await registry.sign_in("wang", f"guess {k}", **{"x-forwarded-for": "203.0.113.9"}) for k in range(6)]
    assert [each.status_code for each in guesses] == [401] * 5 + [429]
    assert guesses[-1].json()["reason"] == "too_many_attempts"
    assert int(guesses[-1].headers["retry-after"]) == guesses[-1].json()["retry_after_s"] > 0
    at_home = await registry.sign_in("wang", made["password"], **{"x-forwarded-for": "198.51.100.4"})
    assert at_home.status_code == 201
    registry.pass_time(31)
    same_office = await registry.sign_in("wang", made["password"], **{"x-forwarded-for": "203.0.113.9"})
    assert same_office.status_code == 201


async def test_guessing_in_parallel_gains_nothing(registry: Registry) -> None:
    await registry.add_staff("wang", "expert")
    guesses = await asyncio.gather(*(registry.sign_in("wang", f"guess {k}") for k in range(15)))
    assert sorted(each.status_code for each in guesses) == [401] * 5 + [429] * 10


async def test_an_unknown_username_takes_as_long_as_a_wrong_password(registry: Registry) -> None:
    await registry.add_staff("wang", "expert")

    async def fastest_s(username: str) -> float:
        times = []
        for _ in range(3):
            started = time.perf_counter()
            await registry.sign_in(username, "wrong password")
            times.append(time.perf_counter() - started)
        return min(times)

    assert await fastest_s("nobody") > 0.4 * await fastest_s("wang")


async def test_the_session_cookie_renews_the_token_until_it_ends(registry: Registry) -> None:
    made = await registry.add_staff("wang", "administrator")
    await registry.sign_in("wang", made["password"])
    renewed = await registry.http.post(f"{PREFIX}/sessions/renew", headers={"origin": ORIGIN})
    assert renewed.status_code == 200
    token = renewed.json()["token"]
    rounds = await registry.call("GET", "/staff", "", headers={"authorization": f"Bearer {token}"})
    assert rounds.status_code == 200
    registry.pass_time(61 * 60)
    idle = await registry.http.post(f"{PREFIX}/sessions/renew")
    assert (idle.status_code, idle.json()["reason"]) == (401, "session_ended")


async def test_a_session_ends_after_twelve_hours_however_busy(registry: Registry) -> None:
    made = await registry.add_staff("wang", "administrator")
    await registry.sign_in("wang", made["password"])
    session = registry.http.cookies["px_session"]
    for _ in range(13):
        registry.pass_time(55 * 60)
        headers = {"cookie": f"px_session={session}"}
        assert (await registry.http.post(f"{PREFIX}/sessions/renew", headers=headers)).status_code == 200
    registry.pass_time(55 * 60)
    assert (await registry.http.post(f"{PREFIX}/sessions/renew", headers=headers)).status_code == 401


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}])
async def test_another_site_cannot_renew(registry: Registry, headers: dict[str, str]) -> None:
    made = await registry.add_staff("wang", "expert")
    await registry.sign_in("wang", made["password"])
    refused = await registry.http.post(f"{PREFIX}/sessions/renew", headers=headers)
    assert (refused.status_code, refused.json()["reason"]) == (403, "cross_site")


async def test_signing_out_ends_the_session(registry: Registry) -> None:
    made = await registry.add_staff("wang", "expert")
    await registry.sign_in("wang", made["password"])
    session = registry.http.cookies["px_session"]
    assert (await registry.http.delete(f"{PREFIX}/sessions/current")).status_code == 204
    again = await registry.http.post(f"{PREFIX}/sessions/renew", headers={"cookie": f"px_session={session}"})
    assert again.status_code == 401


async def test_disabling_ends_tokens_sessions_and_signing_in_at_once(registry: Registry) -> None:
    made = await registry.add_staff("wang", "administrator")
    token = (await registry.sign_in("wang", made["password"])).json()["token"]
    assert (await registry.call("POST", "/staff/wang/disable")).json()["disabled"] is True
    assert (await registry.call("POST", "/staff/wang/disable")).json()["version"] == 2
    assert (await registry.call("GET", "/staff", "", headers={"authorization": f"Bearer {token}"})).status_code == 401
    assert (await registry.http.post(f"{PREFIX}/sessions/renew")).status_code == 401
    assert (await registry.sign_in("wang", made["password"])).status_code == 401


async def test_an_administrator_cannot_make_the_second_administrator_alone(registry: Registry) -> None:
    await registry.add_staff("ann", "administrator")
    body = {"username": "puppet", "roles": ["administrator"]}
    refused = await registry.call("POST", "/staff", "ann", json=body)
    assert (refused.status_code, refused.json()["reason"]) == (403, "forbidden")
    assert (await registry.call("POST", "/staff/platform/disable", "ann")).status_code == 409
    expert = await registry.call("POST", "/staff", "ann", json={"username": "xu", "roles": ["expert"]})
    assert expert.status_code == 201


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"username": "x y", "roles": ["expert"]}, "username"),
        ({"username": "xu", "roles": []}, "roles is empty"),
        ({"username": "xu", "roles": ["king"]}, "'king' is unknown"),
        ({"username": "xu", "roles": ["expert"], "password": "short"}, "8 to 200"),
        ({"username": "xu", "roles": ["expert"], "name": "a\nb"}, "one line"),
    ],
)
async def test_a_bad_account_is_refused_with_what_to_do(registry: Registry, body: dict[str, object], says: str) -> None:
    refused = await registry.call("POST", "/staff", json=body)
    assert (refused.status_code, refused.json()["reason"]) == (422, "bad_staff")
    assert says in refused.json()["detail"]
    assert len((await registry.call("GET", "/staff")).json()["staff"]) == 1


async def test_a_username_is_taken_once(registry: Registry) -> None:
    await registry.add_staff("wang", "expert")
    again = await registry.call("POST", "/staff", json={"username": "WANG", "roles": ["expert"]})
    assert (again.status_code, again.json()["reason"]) == (409, "staff_exists")


@pytest.mark.parametrize("actor", ["", "xu"])
async def test_accounts_are_nobody_elses_business(registry: Registry, actor: str) -> None:
    await registry.add_staff("xu", "expert")
    for method, path in (("GET", "/staff"), ("POST", "/staff"), ("POST", "/staff/platform/disable")):
        answer = await registry.call(method, path, actor, json={"username": "a", "roles": ["expert"]})
        assert answer.status_code == (403 if actor else 401), path


async def test_who_did_what_to_which_account_is_kept_for_ever(registry: Registry) -> None:
    await registry.add_staff("wang", "expert")
    await registry.call("POST", "/staff/wang/disable")
    pool = registry.parts.pool
    rows = await pool.fetch("SELECT actor, event FROM staff_events WHERE staff = 'wang' ORDER BY id")
    assert [tuple(row) for row in rows] == [("platform", "created"), ("platform", "disabled")]
    for statement in ("UPDATE staff_events SET actor = 'x'", "DELETE FROM staff_events", "DELETE FROM staff"):
        with pytest.raises(Exception, match=r"permission denied|append-only"):
            await pool.execute(statement)
