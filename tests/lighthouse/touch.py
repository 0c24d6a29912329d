"""When a page takes a touch: a real browser on a line and a processor that Chromium slows down itself.

The line is WebPageTest's 4G, round trips of 170 ms and 9 Mbit/s, the processor a fourth of this one. As in the
developer tools, every request waits for one round trip; the handshakes of TCP and TLS, one more each, are not in it.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from playwright.async_api import Browser, async_playwright

from services.cli.screenshots import CHROMIUM_ARGUMENTS

LOADS = 7
_MBIT_PER_S = 1_000_000 / 8
_LINE = {
    "offline": False, "latency": 170, "downloadThroughput": 9 * _MBIT_PER_S, "uploadThroughput": 9 * _MBIT_PER_S,
}  # fmt: skip
_SLOWER = 4
# Painted, and every script of the page has run: modules run before DOMContentLoaded ends.
_TOUCH = """() => {
  const [load] = performance.getEntriesByType('navigation');
  const [painted] = performance.getEntriesByName('first-contentful-paint');
  return load.domContentLoadedEventEnd && painted && Math.max(load.domContentLoadedEventEnd, painted.startTime);
}"""


async def touches_ms(urls: Sequence[str], chromium: str) -> list[int]:
    """Milliseconds from asking for each page, with an empty cache, until it takes a touch; medians of LOADS loads."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        for url in urls:
            await _touch_ms(browser, url)
        found = [statistics.median([await _touch_ms(browser, url) for _ in range(LOADS)]) for url in urls]
        await browser.close()
    return [round(each) for each in found]


async def _touch_ms(browser: Browser, url: str) -> float:
    context = await browser.new_context(
        viewport={"width": 360, "height": 740}, device_scale_factor=2, is_mobile=True, has_touch=True
    )
    page = await context.new_page()
    cdp = await context.new_cdp_session(page)
    await cdp.send("Network.enable")
    await cdp.send("Network.emulateNetworkConditions", _LINE)
    await cdp.send("Emulation.setCPUThrottlingRate", {"rate": _SLOWER})
    await page.goto(url)
    touch = await (await page.wait_for_function(_TOUCH)).json_value()
    await context.close()
    return float(touch)
