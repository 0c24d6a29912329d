"""What a page costs on the first visit, pictures left out: within the budget, and as deploy/PAGES.md tells it.

`PAGE_WEIGHTS=write` brings the table there up to date.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from pathlib import Path
from typing import Any

from playwright.async_api import Browser

from tests.browser.conftest import PHONE, ROUND, Site, sign_in

DOCUMENT = Path(__file__).parents[2] / "deploy" / "PAGES.md"
BEGIN, END = "<!-- page weights -->\n", "<!-- end of page weights -->"
# The round's page may take so much with the real round of Kunming; what else citizens open is lighter.
BUDGET_KB = 100
CITIZENS = {
    "The round with all its candidates": f"/rounds/{ROUND}",
    "First page": "/",
    "A candidate": f"/rounds/{ROUND}/candidates/K01",
    "Review, sign-in, receipt": f"/rounds/{ROUND}/vote",
    "Look-up of a receipt": "/receipts",
    "Results": "/results",
    "Notices": "/notices",
}
STAFF = {"Administrator: the round": f"/admin/rounds/{ROUND}"}
# These list what the tests before have made: the document tells what they weigh with the demo's two rounds.
GROWING = {"First page", "Results", "Notices", *STAFF}
# Told in steps and with room, so that a changed word changes no document.
STEP_KB, ROOM_KB = 5, 2


async def _weigh(browser: Browser, site: Site, path: str, *, staff: bool = False) -> Counter[str]:
    """Bytes over the line by kind of what was asked for, headers included, with nothing in the cache."""
    context = await browser.new_context(viewport=PHONE, base_url=site.origin, locale="zh-CN")
    page = await context.new_page()
    if staff:
        await sign_in(page, "admin1", path)
    cdp = await context.new_cdp_session(page)
    await cdp.send("Network.enable")
    await cdp.send("Network.setCacheDisabled", {"cacheDisabled": True})
    kinds: dict[str, str] = {}
    weights: Counter[str] = Counter()

    def finished(event: dict[str, Any]) -> None:
        weights[kinds.get(event["requestId"], "Other")] += int(event["encodedDataLength"])

    cdp.on("Network.responseReceived", lambda event: kinds.update({event["requestId"]: event["type"]}))
    cdp.on("Network.loadingFinished", finished)
    await page.goto(path)
    await page.wait_for_load_state("load")
    await page.wait_for_timeout(500)
    await context.close()
    del weights["Image"]
    return weights


def _in_steps(count: int) -> int:
    return math.ceil((count / 1000 + ROOM_KB) / STEP_KB) * STEP_KB


def _row(name: str, weights: Counter[str]) -> str:
    parts = (weights["Document"], weights["Stylesheet"], weights["Script"])
    kilobytes = " | ".join(f"{math.ceil(part / 1000)}" for part in parts)
    return f"| {name} | ≤ {_in_steps(weights.total())} | {kilobytes} |"


async def test_pages_weigh_what_the_document_tells(browser: Browser, site: Site) -> None:
    """Transferred as the proxy sends it to this browser; each total is within the step told, or a little less."""
    measured = {name: await _weigh(browser, site, path) for name, path in CITIZENS.items()}
    measured |= {name: await _weigh(browser, site, path, staff=True) for name, path in STAFF.items()}
    assert {name: total for name in CITIZENS if (total := measured[name].total()) > BUDGET_KB * 1000} == {}
    head, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    table, _, tail = rest.partition(END)
    if os.environ.get("PAGE_WEIGHTS") == "write":
        rows = ["| page | kB in all | page itself | style | scripts |", "|---|---|---|---|---|"]
        rows += [_row(name, weights) for name, weights in measured.items()]
        DOCUMENT.write_text(head + BEGIN + "\n".join(rows) + "\n" + END + tail, encoding="utf-8")
        return
    told = {row.split("|")[1].strip(): int(row.split("|")[2].strip(" ≤")) for row in table.splitlines()[2:] if row}
    assert told.keys() == measured.keys()
    wrong = {
        name: (told[name], weights.total()) for name, weights in measured.items()
        if not (told[name] - 2 * STEP_KB) * 1000
        < weights.total()
        <= (told[name] + (2 * STEP_KB if name in GROWING else 0)) * 1000
    }  # fmt: skip
    assert wrong == {}
