"""Pages of accounts: filters in the address, forms for who may act, and the way to a second factor that is needed."""

from __future__ import annotations

import re

import msgspec
import pyotp

from tests.integration.registry.conftest import PREFIX, Registry
from tests.integration.registry.test_pages import HAN, HTML, fill_in

PASSWORD = "correct horse battery 36"


async def _page(registry: Registry, actor: str, path: str) -> str:
    page = await registry.http.get(path, headers={**HTML, **registry.headers(actor)})
    assert page.status_code == 200, page.text
    assert page.headers["cache-control"] == "no-store"
    return page.text


async def test_accounts_are_found_by_words_role_and_state_page_by_page(registry: Registry) -> None:
    await registry.add_staff("secure", "security_administrator", name="沈守信")
    for number in range(60):
        await registry.parts.pool.execute(
            "INSERT INTO staff (staff, username, name, roles, unit, channel, not_before, version)"
            " VALUES ($1, $1, $2, '{expert}', '', '', now(), 1)", f"expert{number:02}", f"专家{number:02}",
        )  # fmt: skip
    await registry.call("POST", "/staff/expert59/disable", "secure")

    def names(text: str) -> list[str]:
        return re.findall(r'href="/accounts/(expert\d\d)"', text)

    first = await _page(registry, "secure", "/accounts?role=expert&state=active")
    assert "找到 59 个账号" in first
    assert names(first) == [f"expert{number:02}" for number in range(50)]
    following = re.search(r'href="(/accounts\?[^"]*after=[^"]+)"', first)
    assert following
    assert names(await _page(registry, "secure", following[1].replace("&amp;", "&")))[:2] == ["expert50", "expert51"]
    assert names(await _page(registry, "secure", "/accounts?state=disabled")) == ["expert59"]
    assert names(await _page(registry, "secure", "/accounts?q=专家07&state=no-such")) == ["expert07"]
    assert "没有符合条件的账号" in await _page(registry, "secure", "/accounts?q=%27%20OR%201%3D1")


async def test_an_account_is_changed_by_others_who_may(registry: Registry) -> None:
    """An auditor reads without a form; an administrator does not touch administrators; nobody oneself."""
    for name, role in (("secure", "security_administrator"), ("wang", "administrator"), ("aud", "auditor")):
        await registry.add_staff(name, role)
    await registry.add_staff("expert1", "expert")
    acts = "data-call="
    assert acts not in await _page(registry, "aud", "/accounts/expert1")
    assert acts in await _page(registry, "wang", "/accounts/expert1")
    assert acts not in await _page(registry, "wang", "/accounts/secure")
    assert acts not in await _page(registry, "secure", "/accounts/secure")
    assert acts not in await _page(registry, "secure", "/accounts/platform")
    assert "设立账号" in await _page(registry, "secure", "/accounts/wang")
    missing = await registry.http.get("/accounts/nobody", headers={**HTML, **registry.headers("secure")})
    assert missing.status_code == 404


async def test_the_pages_have_their_english(registry: Registry) -> None:
    await registry.add_staff("secure", "security_administrator", name="Shen")
    await registry.call("POST", "/staff/invitations", "secure", json={"roles": ["expert"], "name": "Li"})
    for path in ("/account", "/accounts", "/accounts/-/new", "/accounts/-/invitations", "/accounts/secure", "/status"):
        actor = "secure"
        if path == "/status":
            await registry.add_staff("olga", "operator", name="Olga")
            actor = "olga"
        page = await registry.http.get(f"{path}?lang=en", headers={**HTML, **registry.headers(actor)})
        main = re.sub(r'(?s)data-words="[^"]*"|平台', "", re.findall(r"(?s)<main.*</main>", page.text)[0])
        assert not re.findall(HAN, main), path


async def test_a_first_sign_in_of_who_needs_a_second_factor_leads_to_one(registry: Registry) -> None:
    """The form's page shows the secret's picture; the first code signs in and shows the recovery codes."""
    registry.pass_time(31 - registry.parts.clock.timestamp() % 30)
    factor = registry.parts.sessions.second_factor
    factor._settings = msgspec.structs.replace(factor._settings, totp_required="yes")
    await registry.add_staff("wang", "administrator", password=PASSWORD)
    page = await fill_in(registry, "wang", PASSWORD, "/sign-in?next=/admin")
    assert (page.status_code, page.headers["cache-control"]) == (401, "no-store")
    secret = re.search(r'<p class="code">([A-Z2-7]+)</p>', page.text)
    token = re.search(r'name="_csrf_token" value="([^"]+)"', page.text)
    assert secret
    assert token
    assert "<svg" in page.text
    assert PASSWORD not in page.text
    code = pyotp.TOTP(secret[1]).at(int(registry.parts.clock.timestamp()))
    form = {"username": "wang", "password": PASSWORD, "totp": code, "next": "/admin", "_csrf_token": token[1]}
    done = await registry.http.post("/sign-in", data=form, headers=HTML)
    assert (done.status_code, done.text.count("<code")) == (200, 10)


async def test_a_factor_is_confirmed_without_signing_in_anew(registry: Registry) -> None:
    registry.pass_time(31 - registry.parts.clock.timestamp() % 30)
    await registry.add_staff("wang", "expert", password=PASSWORD)
    early = await registry.call("POST", "/staff/me/totp", "wang", json={"totp": "000000"})
    assert (early.status_code, early.json()["reason"]) == (409, "totp_state")
    started = await registry.http.post(f"{PREFIX}/sessions/totp", json={"username": "wang", "password": PASSWORD})
    assert started.json()["qr"].startswith("<svg")
    wrong = await registry.call("POST", "/staff/me/totp", "wang", json={"totp": "000000"})
    assert (wrong.status_code, wrong.json()["reason"]) == (401, "totp_wrong")
    code = pyotp.TOTP(started.json()["secret"]).at(int(registry.parts.clock.timestamp()))
    done = await registry.call("POST", "/staff/me/totp", "wang", json={"totp": code})
    assert (done.status_code, len(done.json()["recovery_codes"])) == (201, 10)
    assert (await registry.call("GET", "/staff/me", "wang")).json()["totp"] is True
