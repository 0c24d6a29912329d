"""A citizen on a phone, from the first page to the receipt, and what happens when something goes wrong on the way."""

from __future__ import annotations

import json
import re

from playwright.async_api import Browser, BrowserContext, Page, Route, expect

from services.cli.people import new_phone
from tests.browser.citizen_steps import choices, pick, prove, receipt, to_code
from tests.browser.conftest import PHONE, ROUND, Errors, Site
from tests.browser.looks import check_look

BALLOTS = f"**/api/voting/v1/rounds/{ROUND}/ballots"


async def test_from_the_first_page_to_the_receipt(page: Page, site: Site, phone: str) -> None:
    """Cards, the bar, a reload, the number pad, review, sign-in, ballot, receipt and the receipt's own page."""
    wanted = choices(site)
    await page.goto("/")
    await page.click(f"a.button[href='/rounds/{ROUND}']")
    await page.click(f"[data-pick='{wanted[0]}']")
    await expect(page.locator("#bar-count")).to_have_text("已选 1 项")
    await page.reload()
    await expect(page.locator("#bar-count")).to_have_text("已选 1 项")
    await expect(page.locator(f"[data-pick='{wanted[0]}']")).to_have_attribute("aria-pressed", "true")

    numbers = {card["candidate"]: card["number"] for card in _facts(site)["candidates"]}
    await page.click("#pad-open")
    await check_look(page)
    for candidate in wanted[1:]:
        for digit in str(numbers[candidate]):
            await page.click(f"#pad [data-key='{digit}']")
        await page.click("#pad [data-key='pick']")
    await page.click("#pad-close")
    await expect(page.locator("#bar-count")).to_have_text(f"已选 {len(wanted)} 项")

    await to_code(page, phone)
    await check_look(page)
    await prove(page, site, phone)
    letters = await receipt(page)
    await check_look(page)
    picture = page.locator("#receipt-picture")
    await expect(picture).to_have_attribute("src", re.compile("^/receipts/pictures/"))
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 720
    assert letters.lower() not in (await picture.get_attribute("src") or "").lower()
    assert await page.evaluate("localStorage.getItem('px.choices.kunming-2021')") is None

    await page.click("#receipt-link")
    await expect(page.locator("h1")).to_have_text("选票状态：已经记录")
    for summary in await page.locator("main summary").all():
        await summary.click()
    await check_look(page)
    assert site.client.get(f"/api/voting/v1/receipts/{letters}").body["state"] == "recorded"


def _facts(site: Site) -> dict[str, list[dict[str, object]]]:
    facts: dict[str, list[dict[str, object]]] = site.client.get(f"/api/voting/v1/rounds/{ROUND}").body
    return facts


async def test_no_phone_or_code_is_kept_or_stands_in_an_address(page: Page, site: Site, phone: str) -> None:
    """Addresses asked for, both storages and cookies are searched for the number, the code and the choices."""
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    await pick(page, choices(site))
    await to_code(page, phone)
    code = site.newest_code(phone)
    await prove(page, site, phone)
    await receipt(page)
    kept = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    for secret in (phone, code):
        assert secret not in kept
        assert not any(secret in address for address in addresses)
    assert "choices" not in kept
    token = (await page.evaluate("JSON.parse(sessionStorage['px.session.kunming-2021'])"))["token"]
    assert not any(token in address for address in addresses)


async def test_the_same_ballot_is_sent_again_by_itself(page: Page, site: Site, phone: str, errors: Errors) -> None:
    """A lost connection and a lost answer: the phone repeats the same ballot id and says so; one ballot is recorded."""
    errors.expected += ["ERR_CONNECTION", "net::", "503"]
    sent: list[str] = []

    async def faulty(route: Route) -> None:
        sent.append(json.loads(route.request.post_data or "{}")["ballot_id"])
        if len(sent) == 1:
            await route.abort("connectionreset")
        elif len(sent) == 2:
            await route.fetch()
            await route.abort("connectionreset")
        else:
            await route.continue_()

    await page.route(BALLOTS, faulty)
    await pick(page, choices(site))
    await to_code(page, phone)
    await prove(page, site, phone)
    await expect(page.locator("#sending-text")).to_contain_text("自动再试")
    await expect(page.locator("#sending-title")).to_have_text("网络断开了")
    letters = await receipt(page)
    assert len(sent) == 3
    assert len(set(sent)) == 1
    assert site.client.get(f"/api/voting/v1/receipts/{letters}").body["state"] == "recorded"


async def test_a_challenge_asked_for_with_the_ballot_is_solved(
    page: Page, site: Site, phone: str, errors: Errors
) -> None:
    """The first answer is made a 428 with a real challenge; the phone solves it and repeats the same ballot."""
    errors.expected += ["428"]
    sent: list[dict[str, object]] = []

    async def ask_once(route: Route) -> None:
        sent.append(json.loads(route.request.post_data or "{}"))
        if len(sent) > 1:
            await route.continue_()
            return
        challenge = site.client.get(f"/api/voting/v1/rounds/{ROUND}/challenge").body
        problem = {"reason": "challenge_required", "status": 428, "challenge": challenge}
        await route.fulfill(status=428, content_type="application/problem+json", body=json.dumps(problem))

    await page.route(BALLOTS, ask_once)
    await pick(page, choices(site))
    await to_code(page, phone)
    await prove(page, site, phone)
    await receipt(page)
    assert sent[0]["ballot_id"] == sent[1]["ballot_id"]
    assert "altcha" not in sent[0]
    assert sent[1]["altcha"]


async def test_a_second_ballot_of_the_same_phone_is_told(page: Page, site: Site, phone: str, errors: Errors) -> None:
    """Another device has voted with the number: that ballot counts, and its receipt is offered again."""
    errors.expected += ["409"]
    first = await site.vote_elsewhere(ROUND, phone, choices(site, seed=8))
    await pick(page, choices(site))
    await to_code(page, phone)
    await prove(page, site, phone)
    await expect(page.locator("#notice-title")).to_have_text("您在这一轮已经投过票")
    await check_look(page)
    await page.click("#notice-actions button")
    await page.wait_for_url(f"**/receipts/{first}")


async def test_a_wrong_code_says_how_many_tries_are_left(page: Page, site: Site, phone: str, errors: Errors) -> None:
    """The refusal stands at the field, and the right code still works."""
    errors.expected += ["403"]
    await pick(page, choices(site))
    await to_code(page, phone)
    right = site.newest_code(phone)
    await page.fill("#code", "000000" if right != "000000" else "111111")
    await page.click("#code-send")
    await expect(page.locator("#code-error")).to_contain_text("验证码不对，还可以试")
    await prove(page, site, phone)
    await receipt(page)


async def test_a_code_in_hand_outlives_a_reload(page: Page, site: Site, phone: str) -> None:
    """WeChat loads the page anew while people read their message: no second code is needed."""
    await pick(page, choices(site))
    await to_code(page, phone)
    await page.reload()
    await page.click("#review-done")
    await page.check("#consent")
    await page.check("#age")
    await page.fill("#phone", phone)
    await page.click("#have-code button")
    await prove(page, site, phone)
    await receipt(page)
    assert len(site.client.post("/api/voting/v1/dev/outbox", {"phone": phone}, actor="").body["items"]) == 1


async def test_a_pause_of_codes_has_its_own_page(page: Page, site: Site, phone: str, errors: Errors) -> None:
    """The spend breaker: it says that nothing is lost and when to try again, and the button then does."""
    errors.expected += ["503"]
    asked: list[str] = []

    async def paused(route: Route) -> None:
        asked.append(route.request.method)
        if len(asked) > 1:
            await route.continue_()
            return
        problem = {"reason": "codes_paused", "status": 503, "retry_after_s": 1}
        await route.fulfill(status=503, content_type="application/problem+json", body=json.dumps(problem))

    await page.route(f"**/rounds/{ROUND}/codes", paused)
    await pick(page, choices(site))
    await page.click("#bar-review")
    await page.click("#review-done")
    await page.check("#consent")
    await page.check("#age")
    await page.fill("#phone", phone)
    await page.click("#phone-send")
    await expect(page.locator("#step-paused h1")).to_have_text("验证码暂停发送")
    await check_look(page)
    await page.click("#paused-again")
    await page.wait_for_selector("#step-code:not([hidden])")


async def test_the_bar_and_the_review_say_what_is_missing(page: Page, site: Site) -> None:
    """Too many of one level: the bar names the level, and the way to the review is closed until one is removed."""
    major = [card["candidate"] for card in _facts(site)["candidates"] if card["level"] == "major"][:4]
    await page.goto(f"/rounds/{ROUND}")
    for candidate in major:
        await page.click(f"[data-pick='{candidate}']")
    await expect(page.locator("#bar-text")).to_contain_text("“重大项目”最多选 3 项，请去掉 1 项")
    await expect(page.locator("#bar-left")).to_have_text("还可以再选 5 项")
    await page.click("#bar-review", force=True)
    assert page.url.endswith(f"/rounds/{ROUND}")
    await page.goto(f"/rounds/{ROUND}/vote")
    await expect(page.locator("#review-missing")).to_contain_text("请去掉 1 项")
    await expect(page.locator("#review-done")).to_be_disabled()
    await page.click("#chosen li:first-child button")
    await expect(page.locator("#review-missing")).not_to_contain_text("请去掉")


async def test_cards_stand_in_the_devices_own_order(page: Page, site: Site) -> None:
    """The order is one of the 64 published ones, drawn once by the device and the same after a reload."""
    await page.goto(f"/rounds/{ROUND}")
    await page.wait_for_selector("[data-pick]:not([hidden])")
    order = await page.evaluate("Number(localStorage['px.order'])")
    published = site.client.get(f"/api/voting/v1/rounds/{ROUND}?order={order}").body["candidates"]
    script = "cards => cards.map(card => card.dataset.candidate)"
    assert await page.eval_on_selector_all("#cards > li", script) == [card["candidate"] for card in published]
    await page.reload()
    await page.wait_for_selector("[data-pick]:not([hidden])")
    assert await page.evaluate("Number(localStorage['px.order'])") == order


async def test_the_next_person_on_a_shared_phone_starts_with_nothing(page: Page, site: Site, phone: str) -> None:
    """After "next person" neither receipt nor sign-in nor choice of the one before is left, and a second vote works."""
    for number in (phone, new_phone()):
        await pick(page, choices(site))
        await to_code(page, number)
        await prove(page, site, number)
        await receipt(page)
        await page.click("#next-person")
        await page.wait_for_url(f"**/rounds/{ROUND}")
        assert await page.evaluate("sessionStorage.length") == 0
        kept = await page.evaluate("Object.keys(localStorage)")
        assert kept == ["px.order"]


async def test_reading_works_without_scripts(browser: Browser, site: Site) -> None:
    """Cards, filters, details and the look-up of a receipt come from the server alone."""
    context: BrowserContext = await browser.new_context(
        viewport=PHONE, base_url=site.origin, java_script_enabled=False, locale="zh-CN"
    )
    page = await context.new_page()
    await page.goto(f"/rounds/{ROUND}")
    assert await page.locator("#cards > li:visible").count() == len(_facts(site)["candidates"])
    await page.fill("#filter-words", "36")
    await page.click("#filters button")
    assert await page.locator("#cards > li:visible .plate").all_text_contents() == ["编号 36"]
    await page.click("#cards > li:visible h3 a")
    await expect(page.locator(".plate--large")).to_contain_text("36")
    await page.goto("/receipts")
    await page.fill("#receipt-field", "not a receipt")
    await page.click("main button")
    await expect(page.locator(".error")).to_contain_text("这不像一个回执")
    await context.close()
