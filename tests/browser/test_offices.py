"""The office at its desk in the browser: officers approve, rank and send; reviewers disagree, settle, refuse.

A registry of its own, whose clock can be moved, answers the browser directly.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pyotp
import pytest
from playwright.async_api import Browser, Page, expect

from services.shared.web import Edge
from tests.browser.conftest import PASSWORD, PATIENCE_MS, Errors, sign_in
from tests.browser.looks import check_look, check_pages
from tests.integration.registry.application_steps import submitted
from tests.integration.registry.call_steps import (
    CALL,
    applied,
    call_files,
    post,
    stage_of,
)
from tests.integration.registry.conftest import Registry, simple_files
from tests.support.local_server import listening
from tests.support.project_rounds import ROUND, SELECTION, open_office
from tests.support.registry_people import add_officer, unit_body
from tests.support.waiting import wait_until

PHONE, LAPTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 800}
Desk = Callable[..., Awaitable[Page]]


@pytest.fixture
async def desk(browser: Browser, registry: Registry, errors: Errors) -> AsyncIterator[Desk]:
    """`await desk("rev1", "/office")`: a page of somebody who is signed in, each in a browser of their own."""
    async with listening(Edge(registry.app)) as url:
        contexts = []

        async def opened(username: str, path: str, size: dict[str, int] = LAPTOP) -> Page:
            context = await browser.new_context(viewport=size, base_url=url, locale="zh-CN")  # type: ignore[arg-type]
            contexts.append(context)
            context.set_default_timeout(PATIENCE_MS)
            page = await context.new_page()
            errors.watch(page)
            await sign_in(page, username, path)
            return page

        yield opened
        for context in contexts:
            await context.close()


async def office(registry: Registry) -> None:
    """An announced call with places for two, and the people of the office, who have passwords."""
    for name in ("admin1", "admin2"):
        await registry.add_staff(name, "administrator", name=f"管理员{name[-1]}", password=PASSWORD)
    for name in ("rev1", "rev2", "rev3"):
        await registry.add_staff(name, "reviewer", name=f"审查员{name[-1]}", password=PASSWORD)
    made = await post(registry, "/calls", "admin1", files=call_files(2))
    assert made.status_code == 201, made.text
    done = await post(registry, f"/calls/{CALL}/announce", "admin1", version=made.json()["version"])
    assert done.status_code == 200, done.text


async def recommending(registry: Registry) -> None:
    """Applications are closed and recommendation is open. (The service's clock would be put right meanwhile.)"""
    await registry.parts.pool.execute(
        "UPDATE calls SET application_closes_at = now() - interval '1 second',"
        " recommendation_opens_at = now() - interval '1 second', recommendation_closes_at = now() + interval '1 day'"
    )


async def in_review(registry: Registry, count: int) -> list[tuple[str, str]]:
    """(application, applicant) of applications whose review has opened."""
    await office(registry)
    found = await applied(registry, count)
    await recommending(registry)
    await add_officer(registry)
    path, ranked = f"/calls/{CALL}/channels/wuhua/recommendations", [each for each, _ in found]
    saved = await registry.call("PUT", path, "officer-wuhua", json={"ranked": ranked, "version": 0})
    sent = await post(registry, f"{path}/send", "officer-wuhua", version=saved.json()["version"])
    assert sent.status_code == 200, sent.text
    await registry.parts.pool.execute("UPDATE calls SET recommendation_closes_at = now()")

    async def opened() -> bool:
        return {await stage_of(registry, each) for each in ranked} == {"in_review"}

    await wait_until(opened, 10, "reviews are open")
    return found


async def press_twice(page: Page, button: str) -> None:
    await page.click(button)
    await expect(page.locator(button)).to_have_text("再按一次确认")
    await page.click(button)


async def test_an_officer_approves_units_one_and_several(registry: Registry, desk: Desk) -> None:
    """From the inbox to the invitation's link; two more at once after a look at the list."""
    await office(registry)
    await registry.add_staff("officer", "channel_officer", channel="wuhua", name="五华区专员", password=PASSWORD)
    for seed in (1, 2, 3):
        made = await registry.call("POST", "/units", "", json=unit_body(seed))
        assert made.status_code == 201, made.text
    page = await desk("officer", "/office")
    await expect(page.locator(".chips a[aria-current] strong")).to_have_text("3")
    await page.click("main a:has-text('第1社区居委会')")
    await page.check("input[name=decision][value=approved]")
    await page.click("form[data-answer-link] button[type=submit]")
    await expect(page.locator("[data-link]")).to_contain_text("/sign-in/invitation#")

    await page.goto("/office/units")
    await page.check("input[data-all]")
    await page.click("[data-preview=approve]")
    await expect(page.locator("[data-list] li")).to_have_count(2)
    await check_look(page)
    await page.click("[data-go]")
    await expect(page.locator("[data-list] .badge--done")).to_have_count(2)
    await page.click("[data-close]")
    await expect(page.locator(".empty")).to_contain_text("没有等待审核的登记或变更")


async def test_an_officer_ranks_by_buttons_and_keys_and_sends(registry: Registry, desk: Desk, errors: Errors) -> None:
    """The quota is in sight, nothing is sent beyond it or without a reason, and what was sent is final."""
    await office(registry)
    await registry.add_staff("officer", "channel_officer", channel="wuhua", name="五华区专员", password=PASSWORD)
    first, second, third = [each for each, _ in await applied(registry, 3)]
    await recommending(registry)
    page = await desk("officer", f"/office/recommendations/{CALL}/wuhua", PHONE)
    for application in (first, second, third):
        await page.click(f"[data-application='{application}'] [data-move=in]")
    state, send = page.locator("[data-state]"), page.locator("[data-send] button")
    await expect(state).to_have_text("超出名额，请移出几项")
    await expect(send).to_be_disabled()
    errors.expected.append("409")
    await page.click("[data-save] button")
    await expect(page.locator("[data-save] [data-problem]")).to_contain_text("名额")
    await page.click(f"[data-application='{third}'] [data-move=out]")
    await page.fill(f"[data-application='{third}'] [data-reason]", "与已推荐项目内容相近")
    await page.focus(f"[data-application='{second}']")
    await page.keyboard.press("Alt+ArrowUp")
    await page.fill(f"[data-application='{second}'] [data-opinion]", "基础扎实，同意推荐。")
    await check_look(page)
    await page.click("[data-save] button")
    await expect(state).to_have_text("已保存")
    await press_twice(page, "[data-send] button")
    await expect(page.locator("main")).to_contain_text("已报送，不能再改")
    ranked = await registry.parts.pool.fetchval("SELECT ranked FROM recommendations")
    assert ranked == [second, first]
    assert await stage_of(registry, third) == "not_recommended"


async def fill_checklist(page: Page, verdict: str, reason: str = "", comment: str = "") -> None:
    await page.click("[data-answer-all=met]")
    await page.check(f"#checklist input[name=verdict][value={verdict}]")
    if reason:
        await page.check(f"#checklist input[name=reason][value={reason}]")
    await page.fill("#checklist-text", comment)
    await page.click("#checklist button[type=submit]")
    await page.wait_for_selector("#checklist", state="detached")


async def test_reviewers_disagree_and_an_administrator_settles_it(registry: Registry, desk: Desk) -> None:
    [(application, _)] = await in_review(registry, 1)
    path = f"/office/applications/{application}"
    one, two = await desk("rev1", path), await desk("rev2", path)
    await fill_checklist(one, "accepted")
    await two.reload()
    assert "立足昆明" not in await two.inner_text("main .notice")
    await expect(two.locator("main")).to_contain_text("另一位审查人员已经填好")
    await fill_checklist(two, "not_accepted", "disputed", "合作协议有争议")
    await expect(two.locator("main")).to_contain_text("两份意见不一致")
    await check_look(two)
    boss = await desk("admin1", "/office")
    await boss.click(f"a[href='{path}']")
    await boss.check("#decision input[name=outcome][value=not_accepted]")
    await boss.check("#decision input[name=reason][value=disputed]")
    await boss.fill("#decision-text", "协议经核实有效。")
    await expect(boss.locator("[data-letter-reason]")).to_have_text("存在争议")
    await expect(boss.locator("[data-letter-text]")).to_have_text("协议经核实有效。")
    await boss.check("#decision input[name=outcome][value=accepted]")
    await press_twice(boss, "#decision button[type=submit]")
    await expect(boss.locator("#decided")).to_contain_text("由管理员决定")
    assert await stage_of(registry, application) == "accepted"


async def test_completion_refusal_and_an_appeal_answered_by_somebody_else(registry: Registry, desk: Desk) -> None:
    [(application, applicant)] = await in_review(registry, 1)
    path = f"/office/applications/{application}"
    one, two = await desk("rev1", path, PHONE), await desk("rev2", path)
    await one.click("[data-show=sheet-pane]")
    await one.click("summary:has-text('要求补正')")
    await one.fill("#completion-text", "请补齐预算的测算依据")
    await press_twice(one, "#completion button[type=submit]")
    await expect(one.locator("main header")).to_contain_text("暂停计时")
    await submitted(registry, applicant, application)
    for page in (one, two):
        await page.goto("/office")
        await page.goto(f"{path}#checklist")
        await fill_checklist(page, "not_accepted", "untrue", "测算依据与票据不符")
    await expect(two.locator("#decision [data-letter]")).to_contain_text("测算依据与票据不符")
    await press_twice(two, "#decision button[type=submit]")
    await expect(two.locator("#decided")).to_contain_text("不予受理通知书")
    told = await post(registry, f"/applications/{application}/appeal", applicant, text="票据已重新开具")
    assert told.status_code == 201, told.text
    await one.goto(path)
    await one.click("[data-show=sheet-pane]")
    await expect(one.locator("main")).to_contain_text("复议由另一位同事答复")
    three = await desk("rev3", "/office?kind=appeal")
    await three.click(f"a[href='{path}']")
    await three.check("#appeal input[value=accepted]")
    await three.fill("#reply", "经核实，新票据有效，予以受理。")
    await press_twice(three, "#appeal button[type=submit]")
    await expect(three.locator("#decided")).to_contain_text("复议决定")
    assert await stage_of(registry, application) == "accepted"


async def test_the_offices_pages_look_right_everywhere(registry: Registry, desk: Desk) -> None:
    """On a phone, in both languages and type sizes; lists, one case, forms."""
    [(application, _)] = await in_review(registry, 1)
    asked = {"departments": ["petitions", "civil_affairs"], "working_days": 3}
    assert (await post(registry, f"/applications/{application}/review/joint-checks", "rev1", **asked)).is_success
    page = await desk("rev2", "/office", PHONE)
    await check_pages(
        page, "/office", "/office/units?state=", "/office/applications", "/office/recommendations", "/office/reviews",
        "/office/joint-checks", f"/office/applications/{application}", f"/office/applications/{application}#checklist",
    )  # fmt: skip


async def test_a_grant_takes_effect_with_the_second_signature(registry: Registry, desk: Desk) -> None:
    """Proposed by one with its lines and instalments, signed by another; then an inspection with its finding."""
    await open_office(registry, simple_files(ROUND, more=SELECTION)["rules.toml"])
    for name in ("chen", "dong"):
        await registry.add_staff(name, "reviewer", name=name, password=PASSWORD)
    path = f"/office/projects/{ROUND}/c1"
    page, other = await desk("chen", path, PHONE), await desk("dong", path)
    await page.click("#grant summary")
    await page.fill("[name='instalments.0.amount']", "1000")
    await page.fill("[name='instalments.0.planned_on']", "2021-01-15")
    await page.click("[data-add-row=instalments]")
    await page.fill("[name='instalments.1.amount']", "500.50")
    await page.fill("[name='instalments.1.planned_on']", "2021-06-15")
    await page.fill("#grant-reason", "按申报预算")
    await page.click("#grant button[type=submit]")
    await expect(page.locator("#proposals")).to_contain_text("等另一位没有利害关系的同事签署")
    await other.reload()
    await other.check("#proposals input[value=approve]")
    await press_twice(other, "#proposals button[type=submit]")
    await expect(other.locator("h1 + p")).to_contain_text("实施中")
    await check_pages(page, path, "/office/projects", "/office/objections", f"/office/objections/new/{ROUND}")


@pytest.mark.parametrize("registry", [{"totp_required": "yes"}], indirect=True)
async def test_who_must_have_a_second_factor_gets_it_at_the_first_sign_in(
    registry: Registry, browser: Browser, errors: Errors
) -> None:
    """The secret as a picture and as text, a code of it, the recovery codes once, and on to the desk."""
    errors.expected.append("401")
    await registry.add_staff("chen", "administrator", name="陈", password=PASSWORD)
    async with listening(Edge(registry.app)) as url:
        page = await browser.new_page(viewport=PHONE, base_url=url, locale="zh-CN")  # type: ignore[arg-type]
        errors.watch(page)
        await page.goto("/sign-in?next=/admin")
        await page.fill("#username", "chen")
        await page.fill("#password", PASSWORD)
        await page.click("main button[type=submit]")
        await expect(page.locator("h1")).to_have_text("开启两步验证")
        await expect(page.locator(".qr svg")).to_be_visible()
        await check_look(page)
        await page.click("main summary")
        secret = await page.inner_text("main .code")
        await page.fill("#password", PASSWORD)
        await page.fill("#totp", pyotp.TOTP(secret.replace(" ", "")).now())
        await page.click("main button[type=submit]")
        await expect(page.locator("main li code")).to_have_count(10)
        await check_look(page)
        await page.click("main a[href='/admin']")
        await page.wait_for_url("**/admin")
        await page.close()
