"""The office at work on ballots in the browser: two administrators, from the round's page to the second signature."""

from __future__ import annotations

import random

from playwright.async_api import Browser, Page, expect

from tests.browser.citizen_steps import choices
from tests.browser.conftest import PATIENCE_MS, PHONE, ROUND, Errors, Site, sign_in
from tests.browser.test_look import MEASURE

OFFICE = f"/rounds/{ROUND}/staff"


async def test_two_administrators_exclude_a_ballot_and_grant_a_vote_anew(
    page: Page, browser: Browser, site: Site, phone: str, errors: Errors
) -> None:
    """From the registry's page: hold, decide, confirm; then a vote anew, proposed by one and confirmed by the other."""
    receipt = await site.vote_elsewhere(ROUND, phone, choices(site))
    other = await browser.new_context(viewport=PHONE, base_url=site.origin, locale="zh-CN")
    other.set_default_timeout(PATIENCE_MS)
    second = await other.new_page()
    errors.watch(second)

    await sign_in(page, "admin1", f"/admin/rounds/{ROUND}")
    await page.click(f"a[href='{OFFICE}/holds']")
    await page.select_option("#reason", "stolen_identity")
    await page.fill("#evidence", "本人到窗口说明")
    await page.fill("#ballots", receipt)
    await page.click("aside form button")
    await expect(page.locator("#done")).to_contain_text("已经存疑")
    hold = page.locator("[data-hold]").first
    await hold.locator("summary").click()
    await hold.locator("select").select_option("exclude")
    await hold.locator("textarea").fill("核对属实")
    await hold.locator("button").click()
    await expect(page.locator("[data-hold]").first).to_contain_text("等另一位管理员确认")

    await sign_in(second, "admin2", f"{OFFICE}/holds")
    await second.locator("[data-hold]").first.locator("button").click()
    await expect(second.locator("#done")).to_contain_text("决定生效")
    await expect(second.locator("[data-hold]").first).to_contain_text("已剔除")

    await page.click(f"a[href='{OFFICE}/reissues']")
    await page.fill("#ballot", receipt)
    await page.fill("#reason", "核对了身份证")
    await page.click("aside form button")
    await expect(page.locator("#done")).to_be_visible()
    await second.click(f"a[href='{OFFICE}/reissues']")
    await second.locator("[data-reissue]").first.locator("button").click()
    await expect(second.locator("[data-reissue]").first).to_contain_text("已准许")
    await other.close()


async def test_a_form_that_was_open_for_long_is_sent_with_a_fresh_sign_in(page: Page, site: Site) -> None:
    """The token of five minutes ran out meanwhile: it is renewed before the form goes, and nothing typed is lost."""
    await sign_in(page, "admin1", f"{OFFICE}/stations")
    name = f"图书馆{random.randrange(10**6)}"
    await page.fill("#name", name)
    await page.fill("#unit", "街道办事处")
    await page.context.clear_cookies(name="px_staff")
    await page.click("aside form button")
    await expect(page.locator("#done")).to_contain_text("已经登记")
    await expect(page.locator("main")).to_contain_text(name)


async def test_what_is_refused_keeps_what_was_typed(page: Page, site: Site, errors: Errors) -> None:
    errors.expected.append("422")
    await sign_in(page, "admin1", f"{OFFICE}/holds")
    await page.select_option("#reason", "automated")
    await page.fill("#evidence", "每秒一票")
    await page.click("aside form button")
    await expect(page.locator("#refused")).to_contain_text("没有存疑成功")
    await expect(page.locator("#evidence")).to_have_value("每秒一票")


async def test_the_offices_pages_are_readable_and_touchable(page: Page, site: Site) -> None:
    """The same measures as for citizens: text, contrast, targets, nothing sideways, in both languages and sizes."""
    await sign_in(page, "admin1", f"{OFFICE}/holds")
    wrong = {}
    for looks in ("lang=zh", "lang=en&large=1"):
        for path in ("holds", "stations", "reissues"):
            await page.goto(f"{OFFICE}/{path}?{looks}")
            for summary in await page.locator("main summary").all():
                await summary.click()
            found = await page.evaluate(MEASURE)
            if found["small"] or found["faint"] or found["tiny"] or found["sideways"] > 0:
                wrong[f"{path} {looks}"] = found
    assert wrong == {}
