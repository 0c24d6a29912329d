"""How long a newcomer's hands need for the first ballot: the goal is a minute, from the round's page to the receipt.

Counted in the browser, told in seconds by the keystroke-level model (Card, Moran and Newell, "The keystroke-level model
for user performance time with interactive systems", Communications of the ACM 23(7), 1980, its table 1), so that the
machine's speed plays no part. Reading what the projects are about takes what it takes and is left out.
"""

from __future__ import annotations

from playwright.async_api import Page

from tests.browser.citizen_steps import choices, pick, prove, receipt, to_code
from tests.browser.conftest import Site

GOAL_S = 60.0
# Deciding what comes next; pointing at it and touching it; a key, at the pace of letters without meaning.
DECIDE_S, POINT_S, TOUCH_S, KEY_S = 1.35, 1.10, 0.20, 0.50
# What a page may take until it can be used: the round's, and that of the review.
PAGES, PAGE_S = 2, 1.0
COUNT = """addEventListener("click", (event) => {
  if (event.isTrusted) sessionStorage.touches = Number(sessionStorage.touches || 0) + 1;
}, true);"""


async def test_a_first_ballot_takes_a_minute_of_interaction_at_most(page: Page, site: Site, phone: str) -> None:
    await page.add_init_script(COUNT)
    await pick(page, choices(site))
    await to_code(page, phone)
    await prove(page, site, phone)
    await receipt(page)
    code_length = 6
    # The two fields are typed into: each is touched first, which `fill` leaves out.
    touches = int(await page.evaluate("Number(sessionStorage.touches)")) + 2
    keys = len(phone) + code_length
    seconds = touches * (DECIDE_S + POINT_S + TOUCH_S) + keys * KEY_S + PAGES * PAGE_S
    assert touches > 8, "touches were not counted"
    assert seconds <= GOAL_S, f"{touches} touches and {keys} keys take {seconds:.0f} s"
