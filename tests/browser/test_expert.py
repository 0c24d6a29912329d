"""An expert at the tablet: by keyboard alone, without a network, and with two devices at once."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import PHONE, Errors, Site
from tests.browser.scoring_steps import TABLET, at_work, scored_round, sheet

ROUND = "tablet-round"
API = f"/api/scoring/v1/rounds/{ROUND}/sheets"
EXPERT = "tab1"


@pytest.fixture(scope="module")
async def panel(site: Site) -> Site:
    await site.load(ROUND, scored_round(ROUND), 1800)
    site.add_staff(EXPERT, "expert", "袁守正")
    return site


async def saved(page: Page) -> None:
    await expect(page.locator("#status")).to_have_attribute("data-state", "saved")


async def test_a_sheet_is_scored_by_keyboard_alone(panel: Site, browser: Browser, errors: Errors) -> None:
    """Digits, arrows, Enter; a change is taken back; the highest mark wants a second look; then the next project."""
    async with at_work(browser, panel, errors, EXPERT, "/expert", TABLET) as page:
        await page.goto(sheet(ROUND, "S1"))
        await page.focus("#mark-innovation")
        for keys in ("８８", "ArrowUp", "Enter", "9", "9", "PageUp"):
            await (page.keyboard.press(keys) if keys.isascii() else page.keyboard.insert_text(keys))
        await expect(page.locator("#mark-innovation")).to_have_value("88.5")
        await expect(page.locator("#mark-effect")).to_have_value("100")
        await saved(page)
        await page.keyboard.press("Control+z")
        await expect(page.locator("#mark-effect")).to_have_value("99")
        await page.keyboard.press("PageUp")
        await saved(page)

        await page.keyboard.press("Enter")
        await page.keyboard.press("Enter")
        await expect(page.locator("#status")).to_have_attribute("data-state", "doubt")
        await expect(page.locator("#check label:visible")).to_have_text("成效 100：确认无误")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Space")
        await page.keyboard.press("Control+Enter")
        await page.wait_for_url("**?done=submitted")
        following = page.locator("#next-open")
        await expect(following).to_be_focused()
        address = await following.get_attribute("href")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**{address}")
    kept = panel.client.get(f"{API}/S1", actor=EXPERT).body
    assert (kept["state"], kept["marks"]) == ("submitted", {"innovation": "88.5", "effect": "100"})


async def test_what_was_written_offline_meets_what_was_stored(panel: Site, browser: Browser, errors: Errors) -> None:
    """Both devices' comments stay; of two different marks the expert chooses, and sees both before."""
    errors.expected += ["ERR_INTERNET_DISCONNECTED", "409"]
    async with at_work(browser, panel, errors, EXPERT, "/expert", TABLET) as page:
        await page.goto(sheet(ROUND, "S3"))
        await page.fill("#mark-innovation", "60")
        await saved(page)
        await page.context.set_offline(True)
        await page.fill("#mark-innovation", "70")
        await expect(page.locator("#status")).to_have_attribute("data-state", "offline")
        async with at_work(browser, panel, errors, EXPERT, sheet(ROUND, "S3")) as elsewhere:
            await elsewhere.fill("#mark-innovation", "65")
            await elsewhere.fill("#comment", "另一台设备上写的")
            await saved(elsewhere)
        await page.context.set_offline(False)

        await expect(page.locator("#conflict")).to_be_visible()
        assert await page.locator("#conflict tbody label").all_inner_texts() == ["70", "65"]
        assert panel.client.get(f"{API}/S3", actor=EXPERT).body["marks"] == {"innovation": "65"}
        await page.click("#conflict [data-settle]")
        await saved(page)
    kept = panel.client.get(f"{API}/S3", actor=EXPERT).body
    assert (kept["marks"], kept["comment"]) == ({"innovation": "70"}, "另一台设备上写的")


async def test_what_could_not_be_stored_is_there_on_the_next_visit(
    panel: Site, browser: Browser, errors: Errors
) -> None:
    errors.expected += ["ERR_INTERNET_DISCONNECTED"]
    async with at_work(browser, panel, errors, EXPERT, "/expert", PHONE) as page:
        await page.goto(sheet(ROUND, "S4"))
        await expect(page.locator("#application-pane")).to_be_hidden()
        await page.click("[data-pane=application-pane]")
        await expect(page.locator("#sheet-pane")).to_be_hidden()
        await page.click("[data-pane=sheet-pane]")
        await page.context.set_offline(True)
        await page.fill("#mark-effect", "41")
        await expect(page.locator("#status")).to_have_attribute("data-state", "offline")
        # The browser dies before the network is back.
        state = await page.evaluate("Object.entries(localStorage)")
        await page.close()
        await page.context.set_offline(False)
        other = await page.context.new_page()
        errors.watch(other)
        assert len(state) == 1
        await other.goto("/expert")
        await expect(other.locator("#unsaved a")).to_have_attribute("href", sheet(ROUND, "S4"))
        await other.click("#unsaved a")
        await expect(other.locator("#restored")).to_be_visible()
        await saved(other)
        assert await other.evaluate("localStorage.length") == 0
    assert panel.client.get(f"{API}/S4", actor=EXPERT).body["marks"] == {"effect": "41"}


async def test_a_conflict_is_declared_in_two_taps(panel: Site, browser: Browser, errors: Errors) -> None:
    async with at_work(browser, panel, errors, EXPERT, "/expert", PHONE) as page:
        await page.goto(sheet(ROUND, "S5"))
        await page.click("#recusal summary")
        await page.click("#recusal button[value='参与过这个项目']")
        await expect(page.locator(".notice--done")).to_contain_text("已申报回避")
    assert panel.client.get(f"{API}/S5", actor=EXPERT).body["state"] == "recused"
