"""Ten ballots through a slow line that breaks at every step: none is lost, none is doubled, as the ledger tells it.

The line is that of a phone at the edge of the network, gone for two seconds at each step; FLAKY_OFFLINE_S=20 makes
it twenty, as in `make pages-check`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from playwright.async_api import Browser, CDPSession, Error, Page, Route, expect

from services.cli.people import new_phone
from services.cli.rounds import read_folder
from services.voting.receipts import parse_receipt
from tests.browser.citizen_steps import prove, receipt
from tests.browser.conftest import PHONE, ROUNDS, Site

FLAKY = "flaky"
OFFLINE_S = float(os.environ.get("FLAKY_OFFLINE_S", "2"))
VOTERS, AT_ONCE = 10, 3
PATIENCE_MS = 60_000 + int(OFFLINE_S * 1000)
SLOW = {"latency": 300, "downloadThroughput": 50_000, "uploadThroughput": 20_000}
# Which two of the four candidates, by voter.
PICKS = [("S1", "S3"), ("S2", "S4"), ("S1", "S4"), ("S2", "S3")]


class Line:
    """The phone's line: slow, and away when the test says so."""

    def __init__(self, cdp: CDPSession) -> None:
        self._cdp = cdp

    async def set(self, *, offline: bool) -> None:
        await self._cdp.send("Network.emulateNetworkConditions", {"offline": offline, **SLOW})

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Away from now on, until so long after what is done meanwhile."""
        await self.set(offline=True)
        yield
        await asyncio.sleep(OFFLINE_S)
        await self.set(offline=False)


@pytest.fixture(scope="module")
async def flaky(site: Site) -> str:
    files = read_folder(ROUNDS / "small")
    files["rules.toml"] = files["rules.toml"].replace('id = "small"', f'id = "{FLAKY}"')
    await site.load(FLAKY, files, 3600)
    return FLAKY


@pytest.mark.timeout(300 + 60 * OFFLINE_S)
async def test_ten_ballots_over_a_line_that_breaks_at_every_step(browser: Browser, site: Site, flaky: str) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> str:
        async with gate:
            return await _vote(browser, site, number)

    receipts = await asyncio.gather(*(one(number) for number in range(VOTERS)))
    numbers = {card["candidate"]: card["number"] for card in
               site.client.get(f"/api/voting/v1/rounds/{FLAKY}").body["candidates"]}  # fmt: skip
    wanted = {
        parse_receipt(text): sorted(numbers[each] for each in PICKS[number % len(PICKS)])
        for number, text in enumerate(receipts)
    }
    assert len(wanted) == VOTERS
    assert await _ledger(site) == wanted


async def _ledger(site: Site) -> dict[bytes | None, list[int]]:
    """Receipt and choices of every ballot of the round; fails where a receipt stands twice."""
    connection = await asyncpg.connect(site.platform.environment["VOTING_OWNER_DATABASE_URL"])
    try:
        rows = await connection.fetch(
            "SELECT b.receipt, b.choices FROM ballots b JOIN rounds r ON r.number = b.round_number WHERE r.round = $1",
            FLAKY,
        )
    finally:
        await connection.close()
    assert len({row["receipt"] for row in rows}) == len(rows)
    return {bytes(row["receipt"]): sorted(row["choices"]) for row in rows}


async def _vote(browser: Browser, site: Site, number: int) -> str:
    """One citizen's way; the line is away at each step, and every third page is loaded anew before its answer came."""
    context = await browser.new_context(viewport=PHONE, base_url=site.origin, locale="zh-CN", has_touch=True)
    context.set_default_timeout(PATIENCE_MS)
    page, phone = await context.new_page(), new_phone()
    cdp = await context.new_cdp_session(page)
    await cdp.send("Network.enable")
    line = Line(cdp)
    await line.set(offline=False)
    await page.route(f"**/rounds/{FLAKY}/ballots", _breaks_once(line, page, reload=number % 3 == 2))

    await page.goto(f"/rounds/{FLAKY}")
    async with line.away():
        for candidate in PICKS[number % len(PICKS)]:
            await page.click(f"[data-pick='{candidate}']")
        with pytest.raises(Error, match="ERR_INTERNET_DISCONNECTED"):
            await page.goto(f"/rounds/{FLAKY}/vote")
    await page.goto(f"/rounds/{FLAKY}/vote")
    await expect(page.locator("#chosen li")).to_have_count(2, timeout=PATIENCE_MS)
    await page.click("#review-done")
    await page.check("#consent")
    await page.check("#age")
    await page.fill("#phone", phone)
    async with line.away():
        await page.click("#phone-send")
        await expect(page.locator("#notice")).to_be_visible(timeout=PATIENCE_MS)
    await page.click("#notice-actions button")
    await page.wait_for_selector("#step-code:not([hidden])")
    async with line.away():
        await prove(page, site, phone)
        await expect(page.locator("#notice")).to_be_visible(timeout=PATIENCE_MS)
    await page.click("#notice-actions button")
    letters = await receipt(page)
    await context.close()
    return letters


def _breaks_once(line: Line, page: Page, *, reload: bool) -> Callable[[Route], Coroutine[Any, Any, None]]:
    """The first ballot leaves, and the line breaks: before it arrives, or after it was recorded and before the answer
    comes back, where the page is then loaded anew as WeChat does."""
    tries: list[str] = []
    under_way: set[asyncio.Task[None]] = set()

    async def back() -> None:
        await asyncio.sleep(OFFLINE_S)
        await line.set(offline=False)
        if reload:
            await page.reload()

    async def breaks(route: Route) -> None:
        tries.append(route.request.method)
        if len(tries) > 1:
            await route.continue_()
            return
        if reload:
            await route.fetch()
        await line.set(offline=True)
        under_way.add(asyncio.create_task(back()))
        await route.abort("internetdisconnected")

    return breaks
