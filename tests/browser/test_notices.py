"""Pages of the registry that a whole platform would show only days later: objections, invitations, projects.

A registry of its own, whose clock can be moved, answers the browser directly.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from services.shared.web import Edge
from tests.browser.conftest import PASSWORD, PATIENCE_MS, PHONE, Errors
from tests.browser.test_look import MEASURE
from tests.integration.registry.conftest import Registry, simple_files
from tests.integration.registry.test_lists import loaded, publish
from tests.support.local_server import listening
from tests.support.project_rounds import SELECTION as PROJECT_SELECTION
from tests.support.project_rounds import open_office
from tests.support.registry_lists import OBJECTION, REMOVAL, change, into_window, now, office


@pytest.fixture
async def listed(registry: Registry) -> Registry:
    """A round whose list can be objected to now, and an office."""
    await office(registry)
    await publish(registry, await loaded(registry), published_at=now())
    await into_window(registry)
    return registry


@pytest.fixture
async def context(browser: Browser, registry: Registry) -> AsyncIterator[BrowserContext]:
    """Instead of the whole platform's: the registry alone."""
    async with listening(Edge(registry.app)) as url:
        context = await browser.new_context(viewport=PHONE, base_url=url, locale="zh-CN", has_touch=True)
        context.set_default_timeout(PATIENCE_MS)
        yield context
        await context.close()


@pytest.fixture
async def page(context: BrowserContext, errors: Errors) -> Page:
    page = await context.new_page()
    errors.watch(page)
    return page


async def _object(page: Page) -> None:
    """Fill the form in as a citizen does and send it; the browser does the proof of work."""
    await page.goto("/notices/small")
    await page.click("a[href='/notices/small/objection']")
    await page.check(f"input[name=kind][value={OBJECTION['kind']}]")
    await page.select_option("#ground", OBJECTION["ground"])
    await page.select_option("#candidate", OBJECTION["candidate"])
    for field in ("text", "name", "phone"):
        await page.fill(f"#{field}", OBJECTION[field])
    await page.click("#objection button[type=submit]")


async def test_an_objection_is_sent_with_its_work_and_found_by_its_receipt(page: Page, listed: Registry) -> None:
    """From the notice to the receipt and back to it by typing; the page never shows who objected, nor what."""
    await _object(page)
    await page.wait_for_url("**/notices/small/objection/*")
    code = (await page.inner_text(".receipt-code")).replace("-", "")
    await expect(page.locator("main")).to_contain_text("已收到")
    shown = await page.inner_text("main")
    assert OBJECTION["name"] not in shown
    assert OBJECTION["text"] not in shown
    stored = await listed.parts.pool.fetchrow("SELECT candidate, text FROM objections WHERE receipt = $1", code)
    assert stored is not None
    assert dict(stored) == {"candidate": OBJECTION["candidate"], "text": OBJECTION["text"]}

    await page.goto("/notices/small/objection")
    await page.fill("#receipt", code.lower())
    await page.click("form[action$=receipt] button")
    await expect(page.locator(".receipt-code")).to_contain_text(code[:5])


async def test_what_is_wrong_with_the_form_is_told_on_it(page: Page, listed: Registry, errors: Errors) -> None:
    """What was typed is still there, and a second try does its own work."""
    errors.expected += ["422"]
    await page.goto("/notices/small/objection")
    await page.check(f"input[name=kind][value={OBJECTION['kind']}]")
    await page.select_option("#ground", OBJECTION["ground"])
    await page.fill("#text", OBJECTION["text"])
    await page.fill("#name", OBJECTION["name"])
    await page.fill("#phone", "无")
    await page.click("#objection button[type=submit]")
    await expect(page.locator("[role=alert]")).to_be_visible()
    await expect(page.locator("#text")).to_have_value(OBJECTION["text"])
    await page.fill("#phone", OBJECTION["phone"])
    await page.click("#objection button[type=submit]")
    await page.wait_for_url("**/notices/small/objection/*")


async def test_an_invitation_is_accepted_in_the_browser(page: Page, registry: Registry, errors: Errors) -> None:
    """The link's token never reaches the server in an address; the account signs in; the link is then used up."""
    made = await registry.call("POST", "/staff/invitations", json={"roles": ["reviewer"], "name": "李慧敏"})
    assert made.status_code == 201, made.text
    link = urlsplit(made.json()["link"])
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"{link.path}#{link.fragment}")
    await expect(page.locator("#invited")).to_contain_text("李慧敏")
    errors.expected += ["409", "410"]
    await page.fill("#username", "platform")
    await page.fill("#password", PASSWORD)
    await page.click("#accept button")
    await expect(page.locator("#refused")).to_contain_text("请换一个用户名")
    await page.fill("#username", "lihuimin")
    await page.click("#accept button")
    await page.wait_for_url("**/sign-in")
    assert [url for url in asked if link.fragment in url.partition("#")[0]] == []
    assert (await registry.sign_in("lihuimin", PASSWORD)).status_code == 201

    await page.goto(f"{link.path}#{link.fragment}")
    await page.reload()
    await expect(page.locator("#gone")).to_be_visible()
    await expect(page.locator("#accept")).to_be_hidden()


async def test_the_pages_of_a_notice_are_readable_and_touchable(page: Page, listed: Registry) -> None:
    """At 360×740: text of 16 px (large: 20) with a contrast of 4.5, targets of 44 px, no scrolling sideways."""
    await _object(page)
    await page.wait_for_url("**/notices/small/objection/*")
    receipt = urlsplit(page.url).path
    await change(listed, 1, REMOVAL)
    assert await _ugly(page, "/notices", "/notices/small", "/notices/small/objection", receipt) == {}


async def test_the_pages_of_projects_are_readable_and_touchable(page: Page, registry: Registry) -> None:
    """With a grant, an over-spend, an inspection yet to come."""
    rules = simple_files(more=PROJECT_SELECTION)["rules.toml"].replace("choices_max = 3", "choices_max = 2")
    team = await open_office(registry, rules)
    await team.grant()
    await team.post("unit1", "/c1/bookings", team.booking(await team.upload("unit1", "教材"), "1200"))
    assert await _ugly(page, "/projects/small", "/projects/small/c1", "/projects/small/c2") == {}


async def _ugly(page: Page, *paths: str) -> dict[str, Any]:
    """What is too small, too faint or too wide on each page, in both languages and type sizes."""
    wrong: dict[str, Any] = {}
    for looks in ("lang=zh", "lang=en", "lang=zh&large=1", "lang=en&large=1"):
        for path in paths:
            await page.goto(f"{path}?{looks if 'large' in looks else looks + '&large=0'}")
            await page.wait_for_load_state("networkidle")
            found = await page.evaluate(MEASURE)
            if found["small"] or found["faint"] or found["tiny"] or found["sideways"] > 0:
                wrong[f"{path} {looks}"] = found
    return wrong
