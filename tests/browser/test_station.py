"""A helper's station in the browser: sign in, hand over, vote, receipt, and nothing is left for the next person."""

from __future__ import annotations

import random

from playwright.async_api import Page, expect

from services.cli.people import new_phone, valid_choices
from tests.browser.conftest import ROUND, Errors, Site, sign_in
from tests.browser.looks import check_look
from tests.support.waiting import wait_until


async def _at_station(page: Page, site: Site) -> str:
    """The path of a fresh station, opened by a signed-in helper."""
    helper = f"helper{random.randrange(10**6)}"
    site.add_staff(helper, "helper", "周助民")
    stations = f"/api/voting/v1/rounds/{ROUND}/stations"
    await wait_until(lambda: site.client.get(stations, actor=helper).status == 200, 10, "voting knows the helper")
    form = {"name": f"社区服务站{random.randrange(10**6)}", "unit": "街道办事处"}
    made = site.client.post(stations, form, actor="admin1")
    assert made.status == 201, made
    path = f"/rounds/{ROUND}/stations/{made.body['station']}"
    await sign_in(page, helper, path)
    await page.goto(path)
    return path


async def _sign_person_in(page: Page, site: Site, phone: str) -> None:
    await page.click("#begin")
    await page.check("#consent")
    await page.check("#age")
    await page.fill("#phone", phone)
    await page.click("#phone-send")
    await page.wait_for_selector("#step-code:not([hidden])")
    await page.fill("#code", site.newest_code(phone))
    await page.click("#code-send")
    await page.wait_for_selector("#step-over:not([hidden])")


async def _nothing_left(page: Page) -> None:
    """The station is ready for the next person, and knows nothing of the one before."""
    await page.wait_for_selector("#step-ready:not([hidden])")
    kept = await page.evaluate(
        "() => [JSON.stringify(localStorage), JSON.stringify(sessionStorage),"
        " ...Array.from(document.querySelectorAll('main input'), (each) => each.type === 'checkbox'"
        " ? String(each.checked) : each.value), document.getElementById('receipt').textContent]"
    )
    assert set(kept) <= {"{}", "", "false"}


async def test_a_person_votes_at_a_station_and_leaves_nothing_behind(page: Page, site: Site) -> None:
    path = await _at_station(page, site)
    phone = new_phone()
    await check_look(page)
    await _sign_person_in(page, site, phone)
    assert phone not in await page.content()
    await page.click("#taken")
    await check_look(page)
    facts = site.client.get(f"/api/voting/v1/rounds/{ROUND}").body
    for candidate in valid_choices(facts, random.Random(7)):
        await page.check(f"#cards input[value='{candidate}']")
    await page.click("#check")
    await expect(page.locator("#chosen li")).to_have_count(await page.locator("#cards input:checked").count())
    await check_look(page)
    await page.click("#cast")
    await page.wait_for_selector("#step-receipt:not([hidden])")
    await check_look(page)
    receipt = (await page.inner_text("#receipt")).replace("-", "")
    assert site.client.get(f"/api/voting/v1/receipts/{receipt}").body["state"] == "recorded"
    assert await page.locator("#cards input:checked").count() == 0
    assert await page.inner_text("#chosen") == ""
    await page.click("#step-after [data-wipe]")
    await _nothing_left(page)
    state = site.client.get(f"/api/voting/v1/rounds/{ROUND}/state", actor="admin1").body
    (own,) = [each for each in state["stations"] if path.endswith(f"/{each['station']}")]
    assert (own["ballots"], own["sessions"]) == (1, 1)


async def test_a_minute_without_a_touch_forgets_the_person(page: Page, site: Site) -> None:
    await page.clock.install()
    await _at_station(page, site)
    await _sign_person_in(page, site, new_phone())
    await page.click("#taken")
    await page.locator("#cards input").first.check()
    await page.clock.run_for(50_000)
    await page.locator("#cards input").nth(1).check()
    await page.clock.run_for(50_000)
    await expect(page.locator("#step-choose")).to_be_visible()
    await page.clock.run_for(15_000)
    await _nothing_left(page)


async def test_a_helper_over_the_hours_limit_is_told_where_to_go(page: Page, site: Site, errors: Errors) -> None:
    errors.expected.append("429")
    await _at_station(page, site)
    await page.route(
        "**/stations/*/sessions",
        lambda route: route.fulfill(
            status=429, content_type="application/problem+json", body='{"reason": "too_many_attempts"}'
        ),
    )
    phone = new_phone()
    await page.click("#begin")
    await page.check("#consent")
    await page.check("#age")
    await page.fill("#phone", phone)
    await page.click("#phone-send")
    await page.wait_for_selector("#step-code:not([hidden])")
    await page.fill("#code", site.newest_code(phone))
    await page.click("#code-send")
    await expect(page.locator("#notice")).to_contain_text("换一个协助点")
    await page.click("#notice-actions button")
    await _nothing_left(page)


async def test_a_helper_lands_at_the_stations_after_signing_in(page: Page, site: Site) -> None:
    """Signing in without a page in mind leads to the stations that are open, and a closed one is not among them."""
    path = await _at_station(page, site)
    helper = f"helper{random.randrange(10**6)}"
    site.add_staff(helper, "helper", "周助民")
    stations = f"/api/voting/v1/rounds/{ROUND}/stations"
    await wait_until(lambda: site.client.get(stations, actor=helper).status == 200, 10, "voting knows the helper")
    await page.context.clear_cookies()
    await sign_in(page, helper, "", f"/rounds/{ROUND}/stations**")
    if await page.locator(f"a[href='{path}']").count():
        await page.click(f"a[href='{path}']")
    await page.wait_for_selector("#step-ready:not([hidden])")
    closed = site.client.post(f"{stations}/{path.rsplit('/', 1)[-1]}/closings", {}, actor="admin1")
    assert closed.status == 201, closed
    await page.goto("/stations")
    assert await page.locator(f"a[href='{path}']").count() == 0
