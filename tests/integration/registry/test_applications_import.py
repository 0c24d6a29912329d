"""Applications from a workbook, and the printed form of what was handed in."""

from __future__ import annotations

import io
from typing import Any

import httpx
import openpyxl
import pypdf

from tests.integration.registry.application_steps import (
    CALL,
    announce,
    applicant_with_draft,
    attach,
    partner,
    submit,
    submitted,
)
from tests.integration.registry.conftest import PREFIX, Registry
from tests.support import sample_files
from tests.support.registry_people import add_officer, add_unit, credit_code

LONG = "老旧小区三百户，停车和漏水没人管。"


async def filled(registry: Registry, actor: str, leads: list[str], *, amount: Any = 12000.5) -> bytes:
    """The template, with one application for each lead's credit code."""
    template = await registry.call("GET", f"/calls/{CALL}/applications/template.xlsx", actor)
    assert template.status_code == 200, template.text
    book = openpyxl.load_workbook(io.BytesIO(template.content))
    for row, code in enumerate(leads, start=2):
        values = {
            "项目": [row, f"项目{row}", "重点项目", "居民自治", "单位", "社区", code, "概要", LONG, LONG, LONG, LONG],
            "项目团队": [row, "张三", "负责人"],
            "经费预算": [row, "场地", amount, "每月"],
            "项目目标": [row, "议事会", "十二次", "2199-11-30"],
        }
        for sheet, cells in values.items():
            for column, value in enumerate(cells, start=1):
                book[sheet].cell(row, column).value = value
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


async def bring_in(registry: Registry, actor: str, content: bytes) -> httpx.Response:
    files = {"file": ("申报.xlsx", content)}
    return await registry.call("POST", f"/calls/{CALL}/applications/import", actor, files=files)


async def count(registry: Registry) -> int:
    return int(await registry.parts.pool.fetchval("SELECT count(*) FROM applications"))


async def test_a_clerk_imports_a_workbook_and_hands_each_in(registry: Registry) -> None:
    await announce(registry)
    units = [await add_unit(registry, seed) for seed in (1, 2)]
    officer = await add_officer(registry)
    content = await filled(registry, officer, [credit_code(1), credit_code(2)])
    made = await bring_in(registry, officer, content)
    assert made.status_code == 201, made.text
    items = made.json()["items"]
    assert [(each["key"], each["unit"]) for each in items] == [("2", units[0]), ("3", units[1])]
    first = (await registry.call("GET", f"/applications/{items[0]['application']}", officer)).json()
    assert (first["stage"], first["on_behalf"], first["content"]["budget_total"]) == ("draft", True, "12000.50")
    assert (await submitted(registry, officer, items[0]["application"]))["stage"] == "submitted"
    again = await bring_in(registry, officer, content)
    assert (again.status_code, again.json()["reason"]) == (422, "bad_workbook")
    assert await count(registry) == 2
    [kept] = await registry.parts.pool.fetch("SELECT attachment, purpose FROM attachments WHERE kind = 'call'")
    assert kept["purpose"] == "import"
    path = f"/attachments/{kept['attachment']}"
    assert [(await registry.call("GET", path, each)).status_code for each in ("platform", officer)] == [200, 404]


async def test_one_mistake_imports_nothing_and_is_told_with_its_cell(registry: Registry) -> None:
    await announce(registry)
    await add_unit(registry, 1)
    await add_unit(registry, 2, "panlong")
    await add_unit(registry, 3, kind="university")
    officer = await add_officer(registry)
    for code, what in (
        (credit_code(2), "没有在本渠道登记"),
        (credit_code(4), "没有在本渠道登记"),
        (credit_code(3), "不能牵头"),
    ):
        refused = await bring_in(registry, officer, await filled(registry, officer, [credit_code(1), code]))
        assert (refused.status_code, refused.json()["reason"]) == (422, "bad_workbook")
        [problem] = refused.json()["problems"]
        assert (problem["sheet"], problem["cell"]) == ("项目", "G3")
        assert what in problem["what"]
    wrong = await bring_in(registry, officer, await filled(registry, officer, [credit_code(1)], amount="一万"))
    [problem] = wrong.json()["problems"]
    assert (problem["sheet"], problem["cell"]) == ("经费预算", "C2")
    for crooked in (sample_files.PDF, sample_files.office("xl/workbook.xml")):
        assert (await bring_in(registry, officer, crooked)).json()["reason"] in ("bad_workbook", "wrong_file_type")
    await registry.add_staff("kin", "reviewer", channel="wuhua")
    conflict = await bring_in(registry, "kin", await filled(registry, "kin", [credit_code(1)]))
    assert "利害关系" in conflict.json()["problems"][0]["what"]
    assert await count(registry) == 0


async def test_only_clerks_import_and_only_inside_the_window(registry: Registry) -> None:
    await announce(registry, closes_in_s=600)
    applicant, _ = await applicant_with_draft(registry)
    content = await filled(registry, "platform", [credit_code(1)])
    assert (await bring_in(registry, applicant, content)).status_code == 403
    assert (await bring_in(registry, "", content)).status_code == 401
    registry.pass_time(601)
    late = await bring_in(registry, "platform", content)
    assert (late.status_code, late.json()["reason"]) == (403, "deadline_passed")


async def test_the_printed_form_bears_the_code_of_what_was_handed_in(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry, partners=[partner(8)])
    path = f"/applications/{draft['application']}"
    early = await registry.call("GET", f"{path}/form.pdf", applicant)
    assert (early.status_code, early.json()["reason"]) == (409, "not_submitted")
    await attach(registry, applicant, draft["application"], "consent")
    done = await submitted(registry, applicant, draft["application"])
    printed = await registry.call("GET", f"{path}/form.pdf", applicant)
    assert (printed.status_code, printed.headers["content-type"]) == (200, "application/pdf")
    text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(printed.content)).pages)
    for part in (done["version_code"], "楼院议事厅", "合作单位8", "䶮", "12,800.50"):
        assert part in text
    word = await registry.call("GET", f"{path}/form.docx", applicant)
    assert word.content.startswith(b"PK")
    foreign = await registry.http.get(f"{PREFIX}{path}/form.pdf")
    assert foreign.status_code == 401
    assert (await submit(registry, applicant, draft["application"])).status_code == 409
