"""Signing in otherwise than by a code alone: with ID and district, at an OpenID issuer, in WeChat's mini program."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Route, expect

from services.cli.people import new_phone
from services.cli.rounds import read_folder
from tests.browser.citizen_steps import receipt
from tests.browser.conftest import PATIENCE_MS, PHONE, ROUNDS, Errors, Site
from tests.support.national_ids import made_up_id

IDS = "with-ids"
SESSIONS = f"**/api/voting/v1/rounds/{IDS}/sessions"
MINI_PROGRAM = (
    "Mozilla/5.0 (Linux; Android 12) Chrome/107.0 Mobile Safari/537.36 MicroMessenger/8.0.47 miniProgram/wx-mini"
)
NAME = "欧阳·买买提"


@pytest.fixture(scope="module")
async def with_ids(site: Site) -> str:
    """A round that asks for an ID and a declared district."""
    files = read_folder(ROUNDS / "small")
    rules = files["rules.toml"].replace('id = "small"', f'id = "{IDS}"')
    more = 'identity = "phone_and_id"\nstratum = "declared"\n'
    files["rules.toml"] = rules.replace("choices_min = 1\n", f"choices_min = 1\n{more}")
    await site.load(IDS, files, 3600)
    return IDS


async def to_phone(page: Page, round_id: str = IDS) -> None:
    """From the cards to the form of the phone, with every box ticked."""
    await page.goto(f"/rounds/{round_id}")
    await page.click("[data-pick='S1']")
    await page.click("#bar-review")
    await page.click("#review-done")
    await page.check("#consent")
    await page.check("#age")
    if await page.locator("#id-consent").count():
        await page.check("#id-consent")


async def type_in(page: Page, phone: str, national_id: str, name: str = NAME) -> None:
    await page.fill("#person-name", name)
    await page.fill("#national-id", national_id)
    await page.fill("#phone", phone)


async def to_code(page: Page, site: Site, phone: str) -> None:
    await page.click("#phone-send")
    await page.wait_for_selector("#step-code:not([hidden])")
    await page.fill("#code", site.newest_code(phone))


async def nothing_kept(page: Page, *secrets: str) -> None:
    kept = await page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
    )
    for secret in secrets:
        assert secret not in kept


async def test_an_id_a_name_and_a_district_sign_in(page: Page, site: Site, phone: str, with_ids: str) -> None:
    """What is declared is sent with the versions agreed to; the ID stands in no address and no storage."""
    number = made_up_id()
    site.neighbours.bureau.know(NAME, number, phone)
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    await to_phone(page)
    await page.fill("#district", "五华区")
    await type_in(page, phone, number)
    await to_code(page, site, phone)
    async with page.expect_request(SESSIONS) as asked:
        await page.click("#code-send")
    form = json.loads((await asked.value).post_data or "{}")
    consent = site.client.get(f"/api/voting/v1/rounds/{IDS}").body["consent"]
    assert (form["consent"], form["consent_id"], form["adult"]) == (consent, consent, True)
    assert (form["national_id"], form["name"], form["district"]) == (number, NAME, "五华区")
    letters = await receipt(page)
    assert site.client.get(f"/api/voting/v1/receipts/{letters}").body["state"] == "recorded"
    await nothing_kept(page, phone, number, NAME)
    assert not any(number in address or phone in address for address in addresses)


@pytest.mark.parametrize("box", ["consent", "age", "id-consent"])
async def test_each_consent_is_asked_for_before_anything_is_sent(page: Page, with_ids: str, box: str) -> None:
    await to_phone(page)
    await page.uncheck(f"#{box}")
    await type_in(page, new_phone(), made_up_id())
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    await page.click("#phone-send")
    await expect(page.locator("#consent-error")).not_to_be_empty()
    await expect(page.locator(f"#{box}")).to_be_focused()
    await page.click("#by-oidc")
    await expect(page.locator("#consent-error")).not_to_be_empty()
    assert asked == []


async def test_a_wrong_id_is_told_at_its_field_and_the_code_stays_good(
    page: Page, site: Site, phone: str, with_ids: str, errors: Errors
) -> None:
    """First a wrong check digit, then somebody else's phone, then the right one: one code is enough for all three."""
    errors.expected += ["422", "409"]
    number, other = made_up_id(), made_up_id()
    site.neighbours.bureau.know(NAME, number, phone)
    site.neighbours.bureau.know(NAME, other, new_phone())
    await to_phone(page)
    await type_in(page, phone, number[:-1] + ("1" if number[-1] != "1" else "2"))
    await to_code(page, site, phone)
    await page.click("#code-send")
    await expect(page.locator("#national-id-error")).to_have_text("身份证号码不对")

    await page.fill("#national-id", other)
    await to_code(page, site, phone)
    await page.click("#code-send")
    await expect(page.locator("#notice-title")).to_have_text("姓名、身份证和手机对不上")

    await page.click("#notice-actions button")
    await page.fill("#national-id", number)
    await to_code(page, site, phone)
    await page.click("#code-send")
    await receipt(page)


# The words of a refused session and what the page makes of them: headline, and the button that helps.
REFUSALS = [
    (403, "code_expired", "验证码已经失效", "重新获取验证码"),
    (403, "wrong_code", "验证码不对", "重新获取验证码"),
    (403, "too_young", "投票人须年满 16 周岁", "修改姓名和身份证号码"),
    (409, "identity_conflict", "姓名、身份证和手机对不上", "修改姓名和身份证号码"),
    (422, "consent_missing", "隐私说明有更新", "刷新页面"),
    (422, "bad_form", "填写的内容不对", "重新获取验证码"),
    (429, "too_many_attempts", "尝试次数太多", "重新获取验证码"),
    (503, "identity_unavailable", "现在不能核对身份证", "再试一次"),
    (503, "unavailable", "暂时无法提供服务", "再试一次"),
]


@pytest.mark.parametrize(("status", "reason", "title", "button"), REFUSALS)
async def test_each_refusal_of_a_session_says_what_to_do(
    page: Page, site: Site, phone: str, with_ids: str, errors: Errors, status: int, reason: str, title: str, button: str
) -> None:
    errors.expected.append(str(status))
    body = json.dumps({"reason": reason, "status": status, "attempts_left": 0})

    async def refuse(route: Route) -> None:
        await route.fulfill(status=status, content_type="application/problem+json", body=body)

    await page.route(SESSIONS, refuse)
    await to_phone(page)
    await type_in(page, phone, made_up_id())
    await to_code(page, site, phone)
    await page.click("#code-send")
    await expect(page.locator("#notice-title")).to_have_text(title)
    await expect(page.locator("#notice-actions button")).to_have_text(button)
    choices = await page.evaluate(f"localStorage['px.choices.{IDS}']")
    assert choices == '["S1"]'


# ---- the OpenID issuer ----


def _claims(phone: str, **more: str) -> dict[str, object]:
    return {"phone_number": f"+86{phone}", "phone_number_verified": True, **more}


async def test_an_issuer_proves_phone_and_id_and_the_ballot_goes_on(
    page: Page, site: Site, phone: str, with_ids: str
) -> None:
    """To the issuer and back to the receipt; its one-time code leaves the address and is sent in a body."""
    number = made_up_id()
    site.neighbours.issuer.in_browser = _claims(phone, national_id=number)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    await to_phone(page)
    async with page.expect_request("**/sessions/oidc") as asked:
        await page.click("#by-oidc")
    form = json.loads((await asked.value).post_data or "{}")
    assert page.url.endswith("/sign-in/oidc") or page.url.endswith("/vote")
    letters = await receipt(page)
    assert site.client.get(f"/api/voting/v1/receipts/{letters}").body["state"] == "recorded"
    await nothing_kept(page, phone, number, form["code"], form["flow"])
    assert not any(form["code"] in address for address in sent)


async def test_who_declines_at_the_issuer_may_take_another_way(page: Page, site: Site, with_ids: str) -> None:
    site.neighbours.issuer.in_browser = None
    await to_phone(page)
    await page.click("#by-oidc")
    await expect(page.locator("#notice-title")).to_have_text("这种方式没有验证成功")
    assert "?" not in page.url
    assert "error" not in (await page.locator("a[data-switch]").first.get_attribute("href") or "")
    await page.click("#notice-actions button")
    await page.wait_for_url(f"**/rounds/{IDS}/vote")
    await expect(page.locator("#chosen li")).to_have_count(1)


async def test_an_address_with_a_code_alone_signs_nobody_in(page: Page, with_ids: str) -> None:
    """Somebody else's return address, passed on: no call is made and the code leaves the address."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    await page.goto("/sign-in/oidc?code=stolen&state=guessed")
    await expect(page.locator("#notice-title")).to_have_text("这次验证不是在这里开始的")
    assert page.url.endswith("/sign-in/oidc")
    for link in await page.locator("a[data-switch]").all():
        assert "stolen" not in (await link.get_attribute("href") or "")
    assert asked == []


# ---- WeChat's mini program ----


@pytest.fixture
async def in_mini_program(browser: Browser, site: Site, errors: Errors) -> AsyncIterator[Page]:
    context: BrowserContext = await browser.new_context(
        viewport=PHONE, base_url=site.origin, locale="zh-CN", user_agent=MINI_PROGRAM
    )
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    errors.watch(page)
    yield page
    await context.close()


@pytest.fixture(scope="module")
async def by_phone(site: Site) -> str:
    files = read_folder(ROUNDS / "small")
    files["rules.toml"] = files["rules.toml"].replace('id = "small"', 'id = "by-phone"')
    await site.load("by-phone", files, 3600)
    return "by-phone"


async def test_the_phone_bound_to_wechat_signs_in(in_mini_program: Page, site: Site, phone: str, by_phone: str) -> None:
    """Authorised, the page waits for the mini program's phone code behind the `#`, and goes on to the receipt."""
    page = in_mini_program
    site.neighbours.wechat.knows("a", phone)
    site.neighbours.wechat.in_browser = "a"
    await to_phone(page, by_phone)
    await page.click("#by-wechat")
    await page.wait_for_selector("#step-allow:not([hidden])")
    assert page.url.endswith("/sign-in/wechat")
    await page.evaluate("location.hash = 'phone_code=phone-a'")
    letters = await receipt(page)
    assert site.client.get(f"/api/voting/v1/receipts/{letters}").body["state"] == "recorded"
    await nothing_kept(page, phone, "phone-a", "web-a")


async def test_another_state_than_this_phones_own_is_refused(
    in_mini_program: Page, site: Site, phone: str, by_phone: str
) -> None:
    page = in_mini_program
    site.neighbours.wechat.in_browser = "b"
    await to_phone(page, by_phone)
    await page.click("#by-wechat")
    await page.wait_for_selector("#step-allow:not([hidden])")
    await page.goto("/sign-in/wechat?code=web-b&state=another&phone_code=phone-b")
    await expect(page.locator("#notice-title")).to_have_text("这种方式没有验证成功")


async def test_wechats_button_stands_only_where_it_can_work(
    page: Page, in_mini_program: Page, by_phone: str, with_ids: str
) -> None:
    """Not in other browsers, and not in rounds that need an ID besides the phone."""
    await to_phone(page, by_phone)
    await expect(page.locator("#by-wechat")).to_be_hidden()
    await to_phone(in_mini_program, by_phone)
    await expect(in_mini_program.locator("#by-wechat")).to_be_visible()
    await to_phone(in_mini_program, with_ids)
    await expect(in_mini_program.locator("#by-wechat")).to_have_count(0)
