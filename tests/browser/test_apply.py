"""An applicant in the browser: from the unit's registration to what was handed in; nothing typed is ever lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import PASSWORD, PATIENCE_MS, PHONE, Errors, Site, sign_in
from tests.browser.test_look import MEASURE
from tests.integration.registry.application_steps import form, partner
from tests.integration.registry.call_steps import CALL, call_files
from tests.support import sample_files
from tests.support.registry_people import credit_code, unit_body
from tests.support.waiting import wait_until

API = "/api/registry/v1"
APPLICANT = "shenbao"
SAVED = "saved"


@dataclass(frozen=True)
class Desk:
    """An open call, an approved unit's account, and what they do beside the browser."""

    site: Site
    unit: str

    def begin(self, **content: Any) -> str:
        """The page of a new draft; a complete one unless `content` says otherwise."""
        return f"/apply/applications/{self.call('POST', f'/calls/{CALL}/applications', content=form(**content))}"

    def call(self, method: str, path: str, **body: Any) -> str:
        answer = self.site.client._call(method, f"{API}{path}", body, APPLICANT)
        assert answer.status in (200, 201), answer
        return str(answer.body.get("application", ""))

    def content(self, page: str) -> dict[str, Any]:
        """What is stored of the application of a page."""
        whole = self.site.client.get(f"{API}/applications/{page.split('/')[3]}", actor=APPLICANT).body
        return dict(whole["content"])


@pytest.fixture(scope="module")
def desk(site: Site) -> Desk:
    def made(path: str, body: dict[str, Any], actor: str = "platform") -> dict[str, Any]:
        answer = site.client.post(f"{API}{path}", body, actor=actor)
        assert answer.status in (200, 201), answer
        return answer.body

    call = made("/calls", {"files": call_files()}, "admin1")
    made(f"/calls/{CALL}/announce", {"version": call["version"]}, "admin1")
    unit = made("/units", unit_body(31, "wuhua"), "")
    made(f"/units/{unit['unit']}/decisions", {"decision": "approved", "version": unit["version"]})
    account = {"username": APPLICANT, "name": "申报人", "roles": ["applicant"], "unit": unit["unit"]}
    made("/staff", {**account, "password": PASSWORD})
    return Desk(site, unit["unit"])


async def saved(page: Page) -> None:
    await expect(page.locator("#saved")).to_have_attribute("data-state", SAVED)
    await expect(page.locator("#saved")).to_contain_text("已保存")


async def test_a_unit_registers_itself(page: Page, desk: Desk) -> None:
    """The credit code is judged while it is typed; the registration then waits for the chosen district."""
    await page.goto("/apply/register")
    code = credit_code(77)
    await page.fill("#credit_code", code[:10])
    await expect(page.locator("#credit_code-said")).to_have_text("还差 8 位")
    await page.fill("#credit_code", code[:-1] + ("1" if code[-1] != "1" else "2"))
    await expect(page.locator("#credit_code-said")).to_contain_text("校验不通过")
    await page.fill("#credit_code", f" {code.lower()} ")
    await expect(page.locator("#credit_code-said")).to_have_text("校验通过")
    await page.fill("#name", "翠湖社区居委会")
    await page.select_option("#kind", "community")
    await page.select_option("#channel", "wuhua")
    facts = unit_body(77)["facts"]
    for name in ("registration_number", "registration_authority", "registered_on", "legal_representative", "address"):
        await page.fill(f"#{name}", facts[name])
    await page.fill("#contact_name", "王二")
    await page.fill("#contact_email", "office@example.org")
    await page.click("main button[type=submit]")
    await expect(page.locator("#registered")).to_contain_text("五华区")


async def test_from_an_open_call_to_the_version_code(page: Page, desk: Desk, errors: Errors) -> None:
    """Step by step on a phone, some seconds offline while typing, one refused file, the check, handed in."""
    errors.expected += ["ERR_INTERNET_DISCONNECTED", "422"]
    await sign_in(page, APPLICANT, "/apply")
    await page.click(f"main a.button[href='/apply/calls/{CALL}']")
    await page.fill("#title", "楼院议事厅")
    await page.select_option("#level", "key")
    await page.click("main form button[type=submit]")
    await page.click("main a[href$='/steps/project']")
    here = page.url[len(desk.site.origin) :].removesuffix("/steps/project")

    await page.check("input[value=resident_autonomy]")
    await page.click("#next")
    await page.wait_for_url("**/steps/partners")
    await page.goto(f"{here}/steps/need")
    await page.context.set_offline(True)
    await page.fill("#sections-need_analysis", "老旧小区三百户，停车和漏水没人管。")
    await expect(page.locator("#saved")).to_have_attribute("data-state", "offline")
    await expect(page.locator("#sections-need_analysis-count")).to_have_text("还可以写 9983 个字")
    await page.context.set_offline(False)
    await saved(page)

    complete = form()
    for step, name in (
        ("plan", "work_plan"),
        ("innovation", "innovation_analysis"),
        ("contingencies", "contingencies"),
    ):
        await page.goto(f"{here}/steps/{step}")
        await page.fill(f"#sections-{name}", complete["sections"][name])
        await saved(page)
    await page.goto(f"{here}/steps/team")
    await page.fill("#team-0-name", "张·三")
    await page.fill("#team-0-role", "负责人")
    await saved(page)
    await _budget(page, here)
    await page.goto(f"{here}/steps/targets")
    await page.fill("#targets-0-target", "议事会")
    await page.fill("#targets-0-measure", "十二次")
    await page.fill("#targets-0-due", "2099-11-30")
    await saved(page)
    await _picture(page, here)

    await page.goto(f"{here}/check")
    await page.click("main a[href*='#summary']")
    await page.fill("#summary", "居民自己议事，自己定规矩。")
    await page.fill("#picture_alt", "居民在院里开会")
    await saved(page)
    await page.goto(f"{here}/check")
    await page.check("main form .choice input")
    await page.click("main form button[type=submit]")
    await page.wait_for_url("**handed-in=1")
    await expect(page.locator("#version-code")).to_have_text(desk_code(desk, here))
    stored = desk.content(here)
    assert stored["budget_total"] == "12800.50"
    assert stored["sections"]["need_analysis"].startswith("老旧小区")


async def _budget(page: Page, here: str) -> None:
    """Amounts as people write them; a line taken out comes back; the sum fills the total."""
    await page.goto(f"{here}/steps/budget")
    await page.fill("#budget-0-line", "场地")
    await page.fill("#budget-0-amount", "１2,000元")
    await page.fill("#budget-0-basis", "每月1000元")
    await page.click("[data-add]")
    await page.fill("#budget-1-line", "印刷")
    await page.fill("#budget-1-amount", "800.5")
    await page.fill("#budget-1-basis", "一千份")
    await page.click("#budget-1 [data-remove]")
    await page.click("text=撤销删除")
    await expect(page.locator("#sum")).to_contain_text("各项相加 12800.50 元")
    await page.click("#fill-total")
    await expect(page.locator("#sum")).to_contain_text("与合计一致")
    await saved(page)


async def _picture(page: Page, here: str) -> None:
    """A program under a picture's name is refused in words; the picture itself is taken."""
    await page.goto(f"{here}/steps/summary")
    program = {"name": "照片.png", "mimeType": "image/png", "buffer": sample_files.PROGRAM}
    await page.set_input_files("#picture-file", program)  # type: ignore[arg-type]
    await page.click("form.upload button")
    await expect(page.locator("form.upload [data-problem]")).to_contain_text("不接受这种文件")
    picture = {"name": "照片.png", "mimeType": "image/png", "buffer": sample_files.png()}
    await page.set_input_files("#picture-file", picture)  # type: ignore[arg-type]
    await page.click("form.upload button")
    await expect(page.locator(".files")).to_contain_text("照片.png")


def desk_code(desk: Desk, here: str) -> str:
    path = f"{API}/applications/{here.split('/')[3]}"
    return str(desk.site.client.get(path, actor=APPLICANT).body["version_code"])


async def test_two_tabs_that_change_the_same_field_ask_and_lose_nothing(
    page: Page, context: BrowserContext, desk: Desk, errors: Errors
) -> None:
    """Other fields are merged silently; of the same field both versions are shown, and the chosen one is stored."""
    errors.expected.append("409")
    here = desk.begin()
    await sign_in(page, APPLICANT, f"{here}/steps/summary")
    other = await context.new_page()
    errors.watch(other)
    await other.goto(f"{here}/steps/summary")
    await page.fill("#summary", "第一扇窗写的")
    await saved(page)
    await other.fill("#picture_alt", "另一栏")
    await saved(other)
    await expect(other.locator("#summary")).to_have_value("第一扇窗写的")
    await page.fill("#summary", "第一扇窗又写的")
    await saved(page)
    await other.fill("#summary", "第二扇窗写的")
    dispute = other.locator(".dispute")
    await expect(dispute).to_contain_text("第一扇窗又写的")
    await expect(dispute).to_contain_text("第二扇窗写的")
    await other.click("text=用我写的")
    await saved(other)
    assert (desk.content(here)["summary"], desk.content(here)["picture_alt"]) == ("第二扇窗写的", "另一栏")


async def test_what_was_typed_before_the_browser_closed_is_stored_at_the_next_visit(
    page: Page, desk: Desk, errors: Errors
) -> None:
    errors.expected.append("ERR_")
    here = desk.begin()
    await sign_in(page, APPLICANT, f"{here}/steps/plan")
    await page.context.set_offline(True)
    await page.fill("#sections-work_plan", "停电之前写的")
    await expect(page.locator("#saved")).to_have_attribute("data-state", "offline")
    await page.goto("about:blank")
    await page.context.set_offline(False)
    await page.goto(f"{here}/steps/plan")
    await expect(page.locator("#sections-work_plan")).to_have_value("停电之前写的")
    # A page that is left sends what it holds: where that still got through, this visit has nothing to save.
    await wait_until(
        lambda: desk.content(here)["sections"].get("work_plan") == "停电之前写的", 20, "what was typed is stored"
    )


async def test_a_partner_consents_by_the_link_shown_once(
    page: Page, browser: Browser, desk: Desk, errors: Errors
) -> None:
    """No account, the token behind the #, one answer; the applicant sees it, and the link is never shown again."""
    here = desk.begin(partners=[partner(7, name="云南大学")])
    await sign_in(page, APPLICANT, f"{here}/steps/consents")
    await page.click("[data-link-once] button")
    await expect(page.locator(".link-once input")).to_be_focused()
    link = await page.input_value(".link-once input")
    assert link.startswith(f"{desk.site.origin}/apply/consent#")
    elsewhere = await browser.new_context(viewport=PHONE, locale="zh-CN")
    elsewhere.set_default_timeout(PATIENCE_MS)
    theirs = await elsewhere.new_page()
    errors.watch(theirs)
    await theirs.goto(link)
    await expect(theirs.locator("#asked")).to_contain_text("云南大学")
    await theirs.fill("#name", "赵六")
    await theirs.click("#agree")
    await expect(theirs.locator("#given")).to_be_visible()
    await elsewhere.close()
    await page.reload()
    await expect(page.locator("#consent-0")).to_contain_text("已同意")
    await expect(page.locator(".link-once")).to_have_count(0)


async def test_applicants_pages_are_readable_and_touchable(page: Page, desk: Desk) -> None:
    """At 360×740, both languages and type sizes: text, contrast, targets of 44 px, nothing sideways."""
    here = desk.begin(partners=[partner(7, "social_organisation")], budget=[{"line": "x", "amount": "y", "basis": ""}])
    await sign_in(page, APPLICANT, "/apply")
    steps = ("project", "partners", "consents", "need", "summary", "budget", "targets", "files")
    paths = [
        "/apply",
        "/apply/register",
        "/apply/unit",
        f"/apply/calls/{CALL}",
        here,
        f"{here}/check",
        f"{here}/preview",
    ]
    handed_in = desk.begin()
    desk.call("POST", f"/applications/{handed_in.split('/')[3]}/submit")
    paths.append(handed_in)
    wrong = {}
    for looks in ("lang=zh&large=1", "lang=en&large=0"):
        for path in [*paths, *(f"{here}/steps/{step}" for step in steps)]:
            await page.goto(f"{path}?{looks}&check=1")
            found = await page.evaluate(MEASURE)
            if found["small"] or found["faint"] or found["tiny"] or found["sideways"] > 0:
                wrong[f"{path.replace(here, '…')} {looks}"] = found
    assert wrong == {}
