"""The administrator's desk in the browser: a call from the editor to its announcement, a rehearsal to its result."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.browser.citizen_steps import choices
from tests.browser.conftest import PATIENCE_MS, ROUND, Errors, Site, sign_in
from tests.browser.looks import check_look
from tests.support.waiting import wait_until

DESK: ViewportSize = {"width": 1280, "height": 800}


async def second_administrator(browser: Browser, site: Site, errors: Errors) -> Page:
    other = await browser.new_context(viewport=DESK, base_url=site.origin, locale="zh-CN")
    other.set_default_timeout(PATIENCE_MS)
    page = await other.new_page()
    errors.watch(page)
    return page


async def twice(page: Page, selector: str) -> None:
    """What becomes public wants a second press."""
    await page.click(selector)
    await page.click(f"{selector}[data-armed]")


def local(days: float) -> str:
    """A moment as people type it into the form, in China's time."""
    return (datetime.now(UTC) + timedelta(hours=8, days=days)).strftime("%Y-%m-%dT%H:%M")


async def test_a_call_is_made_in_the_editor_announced_and_changed_by_two(
    page: Page, browser: Browser, site: Site, errors: Errors
) -> None:
    """Mistakes stand at their field and line; form and file are one; a change waits for the second person."""
    call = f"spring-{random.randrange(10**6)}"
    await page.set_viewport_size(DESK)
    await sign_in(page, "admin1", "/admin")
    await page.click("a[href='/admin/calls/new']")
    await page.fill("#id", call)
    await page.fill("#title", "春季评选")
    await page.click("form[data-call] button")
    await page.wait_for_url(f"**/admin/calls/{call}/edit")

    await page.fill("[name='ballot.choices_min']", "12")
    await expect(page.locator("[data-field='ballot.choices_min'] [data-error]")).to_contain_text("choices_max")
    await expect(page.locator("#save")).to_be_disabled()
    await page.fill("[name='ballot.choices_min']", "2")
    for name, first, last in (
        ("application", 1, 20), ("recommendation", 20, 30), ("voting", 60, 70), ("scoring", 60, 70),
    ):  # fmt: skip
        await page.fill(f"[name='windows.{name}.opens']", local(first))
        await page.fill(f"[name='windows.{name}.closes']", local(last))
    await expect(page.locator("#difference")).to_contain_text("choices_min = 2")
    await expect(page.locator("#announcing")).to_be_hidden()
    await check_look(page)
    await page.click("#save")
    await expect(page.locator("[name='ballot.choices_min']")).to_have_attribute("data-was", "2")

    await page.goto(f"/admin/calls/{call}/edit?view=text")
    text = await page.input_value("#file-text")
    assert "choices_min = 2" in text
    await page.fill("#file-text", text.replace('per = "round"', 'per = "year"'))
    await page.locator("#problems button").click()
    chosen = "a => a.value.slice(a.selectionStart, a.selectionEnd)"
    assert await page.locator("#file-text").evaluate(chosen) == 'per = "year"'

    await page.goto(f"/admin/calls/{call}")
    await check_look(page)
    await twice(page, "form[data-call$='/announce'] button")
    await expect(page.locator("main")).to_contain_text("待申报")
    await page.goto(f"/admin/calls/{call}/edit")
    await page.fill("[name='round.title']", "春季创新项目评选")
    await page.fill("#reason", "名称更正")
    await page.click("#save")
    await page.wait_for_url("**#changes")
    await expect(page.locator("#changes")).to_contain_text("等待另一位管理员确认")

    second = await second_administrator(browser, site, errors)
    await sign_in(second, "admin2", "/admin")
    await second.click(f"a[href='/admin/calls/{call}#changes']")
    await twice(second, "#changes form button")
    await expect(second.locator("h1")).to_have_text("春季创新项目评选")
    await second.locator(f"a[href^='/admin/calls/{call}/versions/']").first.click()
    await expect(second.locator(".diff")).to_contain_text("春季创新项目评选")
    await check_look(second)
    await second.context.close()


async def test_a_rehearsal_is_opened_sealed_published_by_two_and_put_away(
    page: Page, browser: Browser, site: Site, phone: str, errors: Errors
) -> None:
    """In one act from a real round; marked on every page, in no public list of results, out of view afterwards."""
    # Voting and scoring hear of the rehearsal a moment after the page that opened it.
    errors.expected.append("404")
    await page.set_viewport_size(DESK)
    await sign_in(page, "admin1", f"/admin/rounds/{ROUND}")
    await page.click("summary:has-text('开一场演练')")
    await page.fill("#minutes", "30")
    await page.click("form[data-call$='/rehearsals'] button")
    await page.wait_for_url(f"**/admin/rounds/{ROUND}-rehearsal-*")
    made = page.url.rsplit("/", 1)[1]
    await expect(page.locator(".rehearsal")).to_be_visible()
    await wait_until(lambda: _state(site, made) == "open", 30, "the rehearsal is open")
    await site.vote_elsewhere(made, phone, choices(site))
    await expect(page.locator("[data-live=turnout]")).to_have_text("1")
    await expect(page.locator("svg.hours rect")).to_have_count(1)
    await page.click("summary:has-text('提前截止投票')")
    await page.fill("#close-reason", "演练到此为止")
    await twice(page, "form[data-call$='/close'] button")
    await wait_until(lambda: _sealed(site, made), 90, "the rehearsal is sealed")

    await page.goto(f"/admin/rounds/{made}")
    report = await page.request.get(f"/api/registry/v1/rounds/{made}/daily-report.docx")
    assert (await report.body()).startswith(b"PK")
    await twice(page, "[data-act=propose]")
    second = await second_administrator(browser, site, errors)
    await sign_in(second, "admin2", "/admin")
    await expect(second.locator("#elsewhere")).to_contain_text("公布排名")
    await second.goto(f"/admin/rounds/{made}")
    await twice(second, "[data-live=rankings] button")
    await expect(second.locator("[data-live=rankings]")).to_contain_text("已公布")
    for path in ("/results", "/notices"):
        await page.goto(path)
        await expect(page.locator(f"main a[href*='{made}']")).to_have_count(0)
    await page.goto(f"/rounds/{made}")
    await expect(page.locator(".rehearsal")).to_be_visible()

    await second.goto(f"/admin/rounds/{made}")
    await expect(second.locator("form[data-call$='/removal']")).to_be_visible()
    await twice(second, "form[data-call$='/removal'] button")
    await second.wait_for_url("**/admin")
    await expect(second.locator(f"a[href='/admin/rounds/{made}']")).to_have_count(0)

    async def gone() -> bool:
        await second.goto("/")
        return await second.locator(f"main a[href*='{made}']").count() == 0

    await wait_until(gone, 30, "the rehearsal left the citizens' first page")
    await second.goto("/admin?rehearsals=removed")
    await expect(second.locator(f"a[href='/admin/rounds/{made}']")).to_be_visible()
    await second.context.close()


def _state(site: Site, round_id: str) -> str:
    return str(site.client.get(f"/api/voting/v1/rounds/{round_id}/results").body.get("state", ""))


def _sealed(site: Site, round_id: str) -> bool:
    return site.client.get(f"/api/scoring/v1/rounds/{round_id}/state", actor="admin1").body.get("tally") is not None


@pytest.mark.parametrize("looks", ["lang=zh", "lang=en&large=1"])
async def test_the_administrators_pages_are_for_everybody(page: Page, site: Site, looks: str) -> None:
    """On a phone too: readable, touchable, nothing sideways, no accessibility mistake."""
    await sign_in(page, "admin1", "/admin")
    for path in (
        "/admin", f"/admin/rounds/{ROUND}", f"/admin/rounds/{ROUND}/candidates", f"/admin/rounds/{ROUND}/lists",
        "/admin/calendar?year=2020", "/admin/log", "/admin/calls/new",
    ):  # fmt: skip
        await page.goto(f"{path}{'&' if '?' in path else '?'}{looks}")
        await page.wait_for_load_state()
        await check_look(page)
