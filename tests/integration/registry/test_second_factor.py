"""The second factor: enrolled by its first code, each code good once, recovery codes for the day the phone is lost."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pyotp

from services.registry.app import build_litestar
from services.registry.staff.totp import step_of
from services.shared.web import Edge
from tests.integration.registry.conftest import ORIGIN, PREFIX, Registry, registry_settings
from tests.support.tasks import in_own_task

PASSWORD = "a fine password"


async def _sign_in(registry: Registry, totp: str = "", username: str = "wang", password: str = PASSWORD) -> Any:
    body = {"username": username, "password": password, "totp": totp}
    return await registry.http.post(f"{PREFIX}/sessions", json=body)


async def _enrol(registry: Registry, username: str = "wang") -> tuple[pyotp.TOTP, list[str]]:
    """The authenticator of an account, whose first code was used already, and its recovery codes."""
    # From the first second of a step on there is time for a few requests before the next code begins.
    registry.pass_time(31 - registry.parts.clock.timestamp() % 30)
    body = {"username": username, "password": PASSWORD}
    started = await registry.http.post(f"{PREFIX}/sessions/totp", json=body)
    assert started.status_code == 201, started.text
    assert started.json()["uri"].startswith("otpauth://totp/")
    authenticator = pyotp.TOTP(started.json()["secret"])
    first = await _sign_in(registry, _code(registry, authenticator), username)
    assert first.status_code == 201, first.text
    return authenticator, first.json()["recovery_codes"]


def _code(registry: Registry, authenticator: pyotp.TOTP, steps: int = 0) -> str:
    return authenticator.at(registry.parts.clock.now() + timedelta(seconds=30 * steps))


async def test_the_first_code_enrols_and_from_then_on_a_code_is_needed(registry: Registry) -> None:
    await registry.add_staff("wang", "expert", password=PASSWORD)
    authenticator, recovery = await _enrol(registry)
    assert len(set(recovery)) == 10
    missing = await _sign_in(registry)
    assert (missing.status_code, missing.json()["reason"], missing.json()["enrolled"]) == (401, "totp_missing", True)
    registry.pass_time(60)
    signed_in = await _sign_in(registry, _code(registry, authenticator))
    assert signed_in.status_code == 201
    assert "recovery_codes" not in signed_in.json()
    me = (await registry.call("GET", "/staff/me", "wang")).json()
    assert (me["totp"], me["totp_needed"]) == (True, False)


async def test_the_form_asks_for_the_code_and_shows_the_recovery_codes_once(registry: Registry) -> None:
    await registry.add_staff("wang", "expert", password=PASSWORD)
    registry.pass_time(31 - registry.parts.clock.timestamp() % 30)
    body = {"username": "wang", "password": PASSWORD}
    started = await registry.http.post(f"{PREFIX}/sessions/totp", json=body)
    authenticator = pyotp.TOTP(started.json()["secret"])
    page = await registry.http.get("/sign-in")
    token = registry.http.cookies["csrf_registry"]
    form = {**body, "_csrf_token": token, "next": "/expert"}
    assert 'name="totp"' not in page.text
    first = await registry.http.post("/sign-in", data={**form, "totp": _code(registry, authenticator)})
    assert (first.status_code, first.text.count("<code")) == (200, 10)
    assert 'href="/expert"' in first.text
    assert {"px_session", "px_staff"} <= set(registry.http.cookies)
    asked = await registry.http.post("/sign-in", data=form)
    assert asked.status_code == 401
    assert 'name="totp"' in asked.text
    registry.pass_time(60)
    again = await registry.http.post("/sign-in", data={**form, "totp": _code(registry, authenticator)})
    assert (again.status_code, again.headers["location"]) == (303, "/expert")


async def test_a_code_is_good_once_also_for_two_at_the_same_moment(registry: Registry) -> None:
    await registry.add_staff("wang", "expert", password=PASSWORD)
    authenticator, _ = await _enrol(registry)
    again = await _sign_in(registry, _code(registry, authenticator))
    assert (again.status_code, again.json()["reason"]) == (401, "totp_wrong")
    registry.pass_time(60)
    code = _code(registry, authenticator)
    answers = await asyncio.gather(*(_sign_in(registry, code) for _ in range(3)))
    assert sorted(each.status_code for each in answers) == [201, 401, 401]


async def test_one_step_of_drift_is_forgiven_and_two_are_not(registry: Registry) -> None:
    await registry.add_staff("wang", "expert", password=PASSWORD)
    authenticator, _ = await _enrol(registry)
    registry.pass_time(90)
    assert (await _sign_in(registry, _code(registry, authenticator, -2))).status_code == 401
    assert (await _sign_in(registry, _code(registry, authenticator, 2))).status_code == 401
    assert (await _sign_in(registry, _code(registry, authenticator, -1))).status_code == 201
    assert (await _sign_in(registry, _code(registry, authenticator, 1))).status_code == 201
    assert (await _sign_in(registry, _code(registry, authenticator))).status_code == 401


async def test_a_recovery_code_signs_in_once_however_it_is_typed(registry: Registry) -> None:
    await registry.add_staff("wang", "expert", password=PASSWORD)
    _, recovery = await _enrol(registry)
    typed = recovery[0].lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert (await _sign_in(registry, typed)).status_code == 201
    assert (await _sign_in(registry, recovery[0])).json()["reason"] == "totp_wrong"
    assert (await _sign_in(registry, recovery[1])).status_code == 201


async def test_guessing_codes_is_slowed_down_and_seen(registry: Registry) -> None:
    await registry.add_staff("wang", "expert", password=PASSWORD)
    authenticator, _ = await _enrol(registry)
    # From many addresses: the damping of codes goes by the account, for only who has the password gets so far.
    headers = [{"x-forwarded-for": f"203.0.113.{k}"} for k in range(12)]
    body = {"username": "wang", "password": PASSWORD, "totp": "000000"}
    answers = [await registry.http.post(f"{PREFIX}/sessions", json=body, headers=each) for each in headers]
    reasons = [each.json()["reason"] for each in answers]
    assert reasons[:5] == ["totp_wrong"] * 5
    # On a slow machine a pause of a second may pass by itself; those of 2, 4, 8 … do not.
    assert set(reasons[5:]) >= {"too_many_attempts"}
    seen = (await registry.call("GET", "/log?kind=staff&object=wang&action=staff.totp_refused")).json()["items"]
    assert len(seen) == reasons.count("totp_wrong")
    registry.pass_time(60)
    assert (await _sign_in(registry, _code(registry, authenticator))).status_code == 201


async def test_a_new_phone_needs_a_code_of_the_old_one(registry: Registry) -> None:
    await registry.add_staff("wang", "expert", password=PASSWORD)
    authenticator, recovery = await _enrol(registry)
    body = {"username": "wang", "password": PASSWORD}
    refused = await registry.http.post(f"{PREFIX}/sessions/totp", json=body)
    assert (refused.status_code, refused.json()["reason"]) == (401, "totp_missing")
    started = await registry.http.post(f"{PREFIX}/sessions/totp", json={**body, "totp": recovery[0]})
    fresh = pyotp.TOTP(started.json()["secret"])
    assert (await _sign_in(registry, _code(registry, authenticator))).status_code == 401
    assert (await _sign_in(registry, _code(registry, fresh))).status_code == 201


async def test_a_security_administrator_takes_a_lost_factor_away_but_not_their_own(registry: Registry) -> None:
    await registry.add_staff("wang", "expert", password=PASSWORD)
    await registry.add_staff("secure", "security_administrator", password=PASSWORD)
    await registry.add_staff("admin", "administrator", password=PASSWORD)
    await _enrol(registry)
    await _enrol(registry, "secure")
    for actor, username in (("admin", "wang"), ("secure", "secure")):
        assert (await registry.call("DELETE", f"/staff/{username}/totp", actor)).status_code == 403
    assert (await registry.call("DELETE", "/staff/wang/totp", "secure")).status_code == 204
    assert (await registry.call("DELETE", "/staff/wang/totp", "secure")).json()["reason"] == "unknown_staff"
    assert (await _sign_in(registry)).status_code == 201


async def test_the_database_alone_gives_no_codes(registry: Registry) -> None:
    await registry.add_staff("wang", "expert", password=PASSWORD)
    authenticator, recovery = await _enrol(registry)
    rows = await registry.parts.pool.fetch("SELECT sealed_secret FROM staff_totp")
    kept = str([bytes(row["sealed_secret"]) for row in rows])
    kept += str(await registry.parts.pool.fetch("SELECT * FROM recovery_codes"))
    kept += str(await registry.parts.pool.fetch("SELECT before, after FROM log_entries"))
    for secret in (authenticator.secret, *recovery, *(each.replace("-", "") for each in recovery)):
        assert secret not in kept


async def test_outside_the_embedded_platform_those_who_decide_need_a_factor(registry: Registry, servers: Any) -> None:
    """And they get it with their password, for without it they have no session to get it with."""
    await registry.add_staff("wang", "administrator", password=PASSWORD)
    await registry.add_staff("xu", "expert", password=PASSWORD)
    app = build_litestar(registry_settings(servers, registry.database, platform_mode=""))
    async with in_own_task(app.lifespan()):
        transport = httpx.ASGITransport(app=Edge(app), client=("127.0.0.1", 5000))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            outside = Registry(app, registry.database, client, registry.redis, registry.signer)
            refused = await _sign_in(outside)
            assert (refused.status_code, refused.json()["reason"]) == (401, "totp_missing")
            assert refused.json()["enrolled"] is False
            assert (await _sign_in(outside, username="xu")).status_code == 201
            await _enrol(outside)


def test_a_code_of_the_standard_belongs_to_its_step() -> None:
    """RFC 6238, appendix B: SHA-1, time 59 s, the last six of eight digits."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert step_of(secret, "287082", datetime.fromtimestamp(59, UTC)) == 1
    assert step_of(secret, "287082", datetime.fromtimestamp(89, UTC)) == 1
    assert step_of(secret, "287082", datetime.fromtimestamp(90, UTC)) is None
