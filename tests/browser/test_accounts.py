"""Accounts in the browser: invited by a link, a second factor from its picture, changed by others; the status page."""

from __future__ import annotations

import random

import pyotp
import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import PASSWORD, PHONE, Errors, Site, sign_in
from tests.browser.looks import LOOKS_WITH_AXE, check_look, check_pages
from tests.support.waiting import wait_until


@pytest.fixture
async def secure(page: Page, site: Site) -> Page:
    """A security administrator at the list of accounts."""
    name = f"secure{random.randrange(10**6)}"
    site.add_staff(name, "security_administrator", "沈守信")
    await sign_in(page, name, "/accounts")
    return page


async def test_somebody_is_invited_by_a_link_that_is_shown_once(
    secure: Page, browser: Browser, site: Site, errors: Errors
) -> None:
    """The link leads to a password of one's own; the account is then found, changed and disabled."""
    errors.expected.append("401")
    username = f"helper{random.randrange(10**6)}"
    await secure.click("nav a[href='/accounts/-/new']")
    await secure.fill("#invite-name", "周助民")
    await secure.fill("#invite-username", username)
    await secure.check("form[data-shows=link] input[value=helper]")
    await secure.click("form[data-shows=link] button[type=submit]")
    link = await secure.locator("[data-once]:visible input").input_value()
    assert "/sign-in/invitation#" in link
    await check_look(secure)
    await secure.goto("/accounts/-/invitations")
    await expect(secure.locator("main")).to_contain_text("周助民")
    assert link.split("#")[1] not in await secure.content()

    invited = await browser.new_context(viewport=PHONE, base_url=site.origin, locale="zh-CN")
    other = await invited.new_page()
    errors.watch(other)
    await other.goto(link)
    await other.fill("#password", PASSWORD)
    await other.click("#accept button[type=submit]")
    await other.wait_for_url("**/sign-in")
    await sign_in(other, username, "/account")
    await expect(other.locator("h1")).to_have_text("周助民")

    await check_pages(secure, "/account", "/accounts", f"/accounts/{username}", looks=LOOKS_WITH_AXE)
    await secure.goto(f"/accounts?q={username}&lang=zh&large=0")
    await secure.click(f"a[href='/accounts/{username}']")
    await secure.fill("#name", "周助人")
    await secure.click("form[data-call^=PATCH] button[type=submit]")
    await expect(secure.locator("h1")).to_have_text("周助人")
    await _twice(secure, "form[data-call$='/disable'] button")
    await expect(secure.locator("main")).to_contain_text("已停用")
    await other.goto("/account")
    await other.wait_for_url("**/sign-in?next=/account")
    await invited.close()


async def test_a_second_factor_is_enrolled_from_its_picture_and_taken_away_by_another(
    secure: Page, browser: Browser, site: Site, errors: Errors
) -> None:
    errors.expected.append("401")
    username = f"aud{random.randrange(10**6)}"
    site.add_staff(username, "auditor", "钱审计")
    context = await browser.new_context(viewport=PHONE, base_url=site.origin, locale="zh-CN")
    own = await context.new_page()
    errors.watch(own)
    await sign_in(own, username, "/account")
    await own.click("#enrol > summary")
    await own.fill("#enrol-password", PASSWORD)
    await own.click("#enrol-start button")
    await own.wait_for_selector("#enrol-confirm:not([hidden])")
    drawn = await own.evaluate("document.getElementById('enrol-qr').decode().then(() => true)")
    assert drawn
    await own.click("#enrol-confirm summary")
    secret = (await own.inner_text("#enrol-secret")).replace(" ", "")
    assert secret not in own.url
    await check_look(own)
    await own.fill("#enrol-code", "000000")
    await own.click("#enrol-confirm button")
    await expect(own.locator("#enrol-confirm [data-problem]")).to_contain_text("动态码不对")
    await own.fill("#enrol-code", pyotp.TOTP(secret).now())
    await own.click("#enrol-confirm button")
    await expect(own.locator("#enrol-codes li")).to_have_count(10)
    await check_look(own)

    await secure.goto(f"/accounts/{username}")
    await _twice(secure, "form[data-call$='/totp'] button")
    await expect(secure.locator("form[data-call$='/totp']")).to_have_count(0)
    await context.close()


async def test_the_operator_sees_how_the_platform_is(page: Page, site: Site) -> None:
    """Three services tell of themselves; what voting counts goes into the tiles, and no candidate anywhere."""
    name = f"olga{random.randrange(10**6)}"
    site.add_staff(name, "operator", "值班员")
    paths = [f"/api/{service}/v1/status" for service in ("voting", "scoring")]
    await wait_until(
        lambda: all(site.client.get(path, actor=name).status == 200 for path in paths), 15, "all know the operator"
    )
    await sign_in(page, name, "/status")
    await expect(page.locator("[data-rows=services] .badge--done")).to_have_count(3)
    await expect(page.locator("[data-rows=windows]")).to_contain_text("昆明市")
    await expect(page.locator("[data-live=queue]")).to_contain_text("/")
    await check_look(page)
    text = await page.inner_text("main")
    facts = site.client.get("/api/voting/v1/rounds/kunming-2021").body
    assert not [card["title"] for card in facts["candidates"] if card["title"] in text]


async def _twice(page: Page, selector: str) -> None:
    """An act wants a second press."""
    await page.click(selector)
    await page.click(f"{selector}[data-armed]")
