"""The steps of a citizen in the browser, as the pages ask for them; used by the tests of the voting pages."""

from __future__ import annotations

from collections.abc import Sequence

from playwright.async_api import Page, expect

from services.cli.people import valid_choices
from tests.browser.conftest import ROUND, Site


def choices(site: Site, seed: int = 7) -> list[str]:
    """A ballot that the round's rule allows."""
    import random

    facts = site.client.get(f"/api/voting/v1/rounds/{ROUND}").body
    return valid_choices(facts, random.Random(seed))


async def pick(page: Page, candidates: Sequence[str]) -> None:
    """Choose on the cards of the round's page."""
    await page.goto(f"/rounds/{ROUND}")
    for candidate in candidates:
        await page.click(f"[data-pick='{candidate}']")
    await expect(page.locator("#bar-review")).to_have_attribute("aria-disabled", "false")


async def to_code(page: Page, phone: str) -> None:
    """From the chosen cards to the field of the code."""
    await page.click("#bar-review")
    await page.click("#review-done")
    await page.check("#consent")
    await page.check("#age")
    await page.fill("#phone", phone)
    await page.click("#phone-send")
    await page.wait_for_selector("#step-code:not([hidden])")


async def prove(page: Page, site: Site, phone: str) -> None:
    await page.fill("#code", site.newest_code(phone))
    await page.click("#code-send")


async def receipt(page: Page) -> str:
    """The receipt's letters once they are shown."""
    await page.wait_for_selector("#step-receipt:not([hidden])")
    return (await page.inner_text("#receipt")).replace("-", "")
