"""The big screen: it counts while people vote, outlives a restart of the service, and shows nothing but totals."""

from __future__ import annotations

import random

from playwright.async_api import Page, expect

from services.cli.people import new_phone, valid_choices
from tests.browser.conftest import ROUND, Errors, Site
from tests.browser.looks import check_look


async def test_the_screen_counts_and_outlives_a_restart(page: Page, site: Site, errors: Errors) -> None:
    # While the service starts again, the proxy says so.
    errors.expected += ["502", "503", "ERR_"]
    await page.set_viewport_size({"width": 1920, "height": 1080})
    before = int(site.client.get(f"/api/voting/v1/rounds/{ROUND}/live").body["turnout"])
    await page.goto(f"/rounds/{ROUND}/screen")
    await expect(page.locator("#turnout")).to_have_text(f"{before:,}")
    facts = site.client.get(f"/api/voting/v1/rounds/{ROUND}").body
    await site.vote_elsewhere(ROUND, new_phone(), valid_choices(facts, random.Random(1)))
    await expect(page.locator("#turnout")).to_have_text(f"{before + 1:,}")
    assert await page.evaluate("document.documentElement.scrollHeight") <= 1080
    assert await page.evaluate("document.querySelector('.screen__qr').naturalWidth") > 0
    await check_look(page)
    text = await page.inner_text("body")
    assert not [card["title"] for card in facts["candidates"] if card["title"] in text or card["unit"] in text]

    site.platform.kill("voting")
    await site.platform.ready()
    await site.vote_elsewhere(ROUND, new_phone(), valid_choices(facts, random.Random(2)))
    await expect(page.locator("#turnout")).to_have_text(f"{before + 2:,}", timeout=60_000)
    await expect(page.locator("#state")).to_be_hidden()
