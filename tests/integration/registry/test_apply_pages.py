"""Pages of applicants: what stands on them without script, who sees which, and that nothing missing is overlooked."""

from __future__ import annotations

import re

from services.registry.applications.steps import STEPS
from tests.integration.registry.application_steps import (
    CALL,
    announce,
    applicant_with_draft,
    attach,
    begin,
    form,
    partner,
    submitted,
)
from tests.integration.registry.call_steps import decided, post
from tests.integration.registry.conftest import Registry
from tests.integration.registry.test_reviews import in_review
from tests.support.registry_people import add_applicant, add_channel, add_officer, add_unit

HTML = {"accept": "text/html"}
# What English readers would stumble over: headings, labels, buttons, and the words of states.
OF_OURS = re.compile(r"<(h1|h2|h3|label|button|legend|th|summary|caption)\b[^>]*>([^<]*)")


async def page(registry: Registry, path: str, actor: str = "", status: int = 200) -> str:
    """The page at `path` as `actor` sees it; the language of another page is forgotten."""
    registry.http.cookies.clear()
    headers = {**HTML, **(registry.headers(actor) if actor else {})}
    answer = await registry.http.get(path, headers=headers)
    assert answer.status_code == status, f"{path}: {answer.text}"
    return answer.text


def links(text: str) -> list[str]:
    return re.findall(r'href="([^"]+)"', text)


def chinese_of_ours(text: str) -> list[str]:
    """Chinese that an English page says itself; what people wrote stays as it is."""
    outside = re.sub(r'<article class="paper.*?</article>', "", text, flags=re.DOTALL)
    ours = [said for _, said in OF_OURS.findall(outside) if not said.startswith(("楼院议事厅", "合作单位", "第1社区"))]
    return [said for said in ours if re.search(r"[\u4e00-\u9fff]", said)]


async def test_everybody_learns_how_to_take_part(registry: Registry) -> None:
    """The landing page names the open call, the call says what is needed, and a unit can be registered."""
    await announce(registry)
    await registry.parts.pool.execute("UPDATE calls SET announced_at = now()")
    await add_channel(registry, "wuhua")
    home = await page(registry, "/apply")
    assert {"/apply/register", "/sign-in?next=/apply", f"/apply/calls/{CALL}"} <= set(links(home))
    assert "开始申报" in await page(registry, f"/apply/calls/{CALL}")
    assert "没有这个申报通知" in await page(registry, "/apply/calls/nowhere", status=404)
    assert "wuhua渠道" in await page(registry, "/apply/register")
    assert chinese_of_ours(await page(registry, "/apply/register?lang=en")) == []
    assert chinese_of_ours(await page(registry, "/apply/consent?lang=en")) == []


async def test_every_missing_thing_leads_to_its_field(registry: Registry) -> None:
    """Each line of the check is a link, and what it leads to stands on that step's page."""
    await announce(registry)
    row = {"line": "", "amount": "十二", "basis": ""}
    applicant, draft = await applicant_with_draft(
        registry, title="", level="", summary="", sections={}, team=[{"name": "张三", "role": ""}], budget=[row],
        budget_total="5", targets=[{"target": "议事", "measure": "", "due": "2001-01-01"}],
        partners=[partner(7, "social_organisation"), partner(8, "university", name="")],
    )  # fmt: skip
    here = f"/apply/applications/{draft['application']}"
    told = (await registry.call("GET", f"/applications/{draft['application']}/check", applicant)).json()["problems"]
    found = [each for each in links(await page(registry, f"{here}/check", applicant)) if "?check=1#" in each]
    assert len(found) == len(told) > 15
    for link in found:
        path, anchor = link.split("#")
        assert f'id="{anchor}"' in await page(registry, path, applicant), link
    beginning = await page(registry, f"{here}/steps/need", applicant)
    assert "还没有填写" not in beginning


async def test_every_page_of_a_form_reads_in_both_languages(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry, partners=[partner(7, "social_organisation")])
    code = partner(7)["credit_code"]
    await attach(registry, applicant, draft["application"], "annual_inspection", partner=code)
    await registry.call("POST", f"/applications/{draft['application']}/consents", applicant, json={"partner": code})
    here = f"/apply/applications/{draft['application']}"
    paths = [here, f"{here}/check", f"{here}/preview", "/apply", "/apply/unit"]
    for path in [*paths, *(f"{here}/steps/{each.step}" for each in STEPS)]:
        assert "楼院议事厅" in await page(registry, path, applicant) or path == "/apply/unit", path
        assert chinese_of_ours(await page(registry, f"{path}?lang=en", applicant)) == [], path
    files = await page(registry, f"{here}/steps/files", applicant)
    assert files.count('name="partner"') == 7
    assert "证明.pdf" in files
    assert "等对方答复" in await page(registry, f"{here}/steps/consents", applicant)


async def test_a_form_is_shown_to_its_unit_alone(registry: Registry) -> None:
    """Foreign units find nothing, the office reads but has no form, and nobody is sent to sign in first."""
    await announce(registry)
    _, draft = await applicant_with_draft(registry)
    other = await add_applicant(registry, await add_unit(registry, 2))
    await registry.add_staff("rev", "reviewer")
    here = f"/apply/applications/{draft['application']}"
    for path in (here, f"{here}/steps/need", f"{here}/check", f"{here}/preview", f"{here}/form.pdf"):
        await page(registry, path, other, 404)
        assert (await registry.http.get(path, headers=HTML)).headers["location"].startswith("/sign-in/renew")
    assert "data-content" not in await page(registry, here, "rev")
    await page(registry, f"{here}/steps/need", "rev", 403)
    read = await registry.parts.pool.fetchval("SELECT count(*) FROM log_entries WHERE action = 'application.read'")
    assert read == 1


async def test_a_clerk_enters_a_form_that_came_on_paper(registry: Registry) -> None:
    """An officer chooses among the units of the own channel, and then has the same form as the unit itself."""
    await announce(registry)
    await registry.parts.pool.execute("UPDATE calls SET announced_at = now()")
    unit = await add_unit(registry, 1)
    await add_unit(registry, 2, "guandu")
    officer = await add_officer(registry)
    call = await page(registry, f"/apply/calls/{CALL}", officer)
    assert re.findall(r'<option value="(u\w+)">', call) == [unit]
    assert "没有找到" in await page(registry, f"/apply/calls/{CALL}?unit=不存在", officer)
    draft = (await begin(registry, officer, on_behalf=unit))["application"]
    assert "工作人员代为录入" in await page(registry, f"/apply/applications/{draft}", officer)
    assert "data-content" in await page(registry, f"/apply/applications/{draft}/steps/need", officer)


async def test_handed_in_it_tells_time_and_code_and_prints(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    here = f"/apply/applications/{draft['application']}"
    check = await page(registry, f"{here}/check", applicant)
    assert "各项都填齐了" in check
    done = await submitted(registry, applicant, draft["application"])
    told = await page(registry, here, applicant)
    assert done["version_code"] in told
    assert "已经收到您的申报" in told
    assert f"{here}/form.pdf" in links(told)
    assert "现在不能修改" in await page(registry, f"{here}/steps/need", applicant)
    printed = await registry.http.get(f"{here}/form.pdf", headers=registry.headers(applicant))
    assert printed.content.startswith(b"%PDF")
    assert printed.headers["content-disposition"].startswith("inline")


async def test_results_of_review_and_the_appeal_are_told(registry: Registry) -> None:
    [(application, applicant)] = await in_review(registry)
    here = f"/apply/applications/{application}"
    assert "主办单位正在初审" in await page(registry, here, applicant)
    await post(registry, f"/applications/{application}/completion", "rev1", text="请补充预算依据", working_days=3)
    asked = await page(registry, here, applicant)
    assert "请补充预算依据" in asked
    assert "请在这之前改好" in asked
    assert "/steps/budget" in asked
    answered = await registry.call(
        "PUT", f"/applications/{application}", applicant,
        json={"version": (await registry.call("GET", f"/applications/{application}", applicant)).json()["version"],
              "content": form(title="楼院议事厅二")},
    )  # fmt: skip
    assert answered.status_code == 200, answered.text
    await submitted(registry, applicant, application)
    await decided(registry, application, "not_accepted", "untrue", "数据对不上")
    refused = await page(registry, here, applicant)
    assert "申报内容不真实" in refused
    assert "数据对不上" in refused
    assert f'data-call="POST /api/registry/v1/applications/{application}/appeal"' in refused
    assert "可以申请复议" in await page(registry, "/apply", applicant)
    assert chinese_of_ours(await page(registry, f"{here}?lang=en", applicant)) == []
    await post(registry, f"/applications/{application}/appeal", applicant, text="数据来自年鉴")
    waiting = await page(registry, here, applicant)
    assert "等待复议决定" in waiting
    assert "数据来自年鉴" in waiting
