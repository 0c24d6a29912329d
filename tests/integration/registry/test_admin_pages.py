"""The administrators' desk without a browser: what the editor is told, what pages show, the report on paper."""

from __future__ import annotations

import io

import docx
import httpx

from tests.integration.registry.call_steps import CALL, announced, call_files, office, post
from tests.integration.registry.conftest import Registry, simple_files
from tests.integration.registry.test_lists import SELECTION, publish

HTML = {"accept": "text/html"}


async def page(registry: Registry, path: str, actor: str = "admin1") -> httpx.Response:
    """A page as `actor` sees it; pages take the token of the header as well as the cookie's."""
    return await registry.http.get(path, headers={**HTML, **registry.headers(actor)})


async def test_form_and_file_are_previewed_alike_and_nothing_is_stored(registry: Registry) -> None:
    """The same text, the same problems with line and field; what would stop an announcement stands apart."""
    await office(registry)
    files = call_files()
    await post(registry, "/calls", "admin1", files=files)
    path = f"/calls/{CALL}/files/rules.toml/preview"
    by_form = (await post(registry, path, "admin1", fields={"ballot": {"choices_min": 9}})).json()
    text = files["rules.toml"].replace("choices_max = 3\n", "choices_max = 3\nchoices_min = 9\n")
    by_file = (await post(registry, path, "admin1", content=text)).json()
    assert by_form == by_file
    assert by_form["text"] == text
    [problem] = by_form["problems"]
    assert text.split("\n")[problem["line"] - 1] == "choices_min = 9"
    assert (problem["file"], problem["field"]) == ("rules.toml", "ballot.choices_min")
    assert [each["text"] for each in by_form["difference"] if each["kind"] == "added"] == ["choices_min = 9"]

    moved = {"windows": {"recommendation": None, "voting": {"opens": "2099-01-01T09:00", "closes": "2099-01-02T09:00"}}}
    answer = (await post(registry, path, "admin1", fields=moved)).json()
    assert "opens = 2099-01-01T09:00:00+08:00" in answer["text"]
    assert [each["file"] for each in answer["announcing"]] == ["rules.toml"]
    heavy = (await post(registry, path, "admin1", fields={"combination": {"votes": "0.9"}})).json()
    assert heavy["warnings"] == [each["en"] for each in heavy["advice"]]
    assert any(each["zh"].startswith("投票和专家两边的权重") for each in heavy["advice"])
    bad = await post(registry, path, "admin1", fields={"round": {"title": 1.5}})
    assert (bad.status_code, bad.json()["reason"]) == (422, "bad_round")
    assert (await registry.call("GET", f"/calls/{CALL}", "admin1")).json()["version"] == 1


async def test_a_call_begins_with_another_ones_rules_but_not_with_its_secret(registry: Registry) -> None:
    await office(registry)
    commitment = "6" * 64
    more = f'tie_break = ["votes", "lots"]\nlots_commitment = "{commitment}"\n'
    files = call_files() | {"rules.toml": call_files()["rules.toml"] + more}
    await post(registry, "/calls", "admin1", files=files)
    await registry.add_staff("op1", "operator")
    assert (await page(registry, f"/admin/calls/{CALL}", "op1")).status_code == 404
    assert CALL not in (await page(registry, "/admin", "op1")).text
    shown = (await page(registry, f"/admin/calls/new?from={CALL}")).text
    assert "wuhua" in shown
    assert commitment not in shown
    body = {"files": files, "fields": {"round": {"id": "autumn-2027", "title": "秋季评选"}}}
    made = await registry.call("POST", "/calls", "admin1", json=body)
    assert (made.status_code, made.json()["call"], made.json()["title"]) == (201, "autumn-2027", "秋季评选")


async def test_what_waits_is_told_to_the_one_who_may_confirm_it(registry: Registry) -> None:
    """The first page of the second administrator leads to the change; its version page shows the difference."""
    version = (await announced(registry))["version"]
    body = {"content": call_files(quota=5)["rules.toml"], "version": version, "reason": "名额不够"}
    windows = (await registry.call("GET", f"/calls/{CALL}/files/rules.toml", "admin1")).json()["content"]
    body["content"] = windows.replace("district = 2", "district = 5")
    proposed = await registry.call("PUT", f"/calls/{CALL}/files/rules.toml", "admin1", json=body)
    assert proposed.status_code == 202, proposed.text
    link, confirm = f"/admin/calls/{CALL}#changes", f"/changes/{proposed.json()['change']}/confirm"
    assert link in (await page(registry, "/admin", "admin2")).text
    assert confirm not in (await page(registry, f"/admin/calls/{CALL}", "admin1")).text
    assert confirm in (await page(registry, f"/admin/calls/{CALL}", "admin2")).text
    await post(registry, f"/calls/{CALL}{confirm}", "admin2")
    shown = await page(registry, f"/admin/calls/{CALL}/versions/{version + 1}")
    assert "<ins>district = 5</ins>" in shown.text
    assert "<del>district = 2</del>" in shown.text
    for wrong in ("versions/77", "versions/1"):
        assert (await page(registry, f"/admin/calls/{CALL}/{wrong}")).status_code == 404
    assert (await page(registry, f"/admin/calls/{CALL}/edit?file=passwd")).status_code == 404


async def test_filters_stand_in_the_address(registry: Registry) -> None:
    await office(registry)
    await registry.load(simple_files())
    made = (await post(registry, "/rounds/small/rehearsals", "admin1", minutes=5)).json()["round"]
    registry.pass_time(10)  # it opens a second after it was made
    real, rehearsal = '/admin/rounds/small"', f'/admin/rounds/{made}"'
    for query, seen in (
        ("", {real, rehearsal}), ("?rehearsals=none", {real}), ("?rehearsals=only", {rehearsal}),
        ("?phase=scheduled", {real}), ("?q=rehearsal", {rehearsal}), ("?rehearsals=removed", set()),
        ("?page=999999", {real, rehearsal}), ("?page=-1&phase=%00", {real, rehearsal}),
    ):  # fmt: skip
        text = (await page(registry, f"/admin{query}")).text
        assert {each for each in (real, rehearsal) if each in text} == seen, query
    numbers = (await page(registry, "/admin/rounds/small/candidates?q=单位3")).text
    assert numbers.count("poster.pdf") == 1
    listed = (await page(registry, "/admin/rounds/small/candidates?q=单位3&as=csv")).text.splitlines()
    assert len(listed) == 2
    assert "项目3,单位3" in listed[1]
    log = (await page(registry, f"/admin/log?round={made}&actor=admin1")).text
    assert "rehearsal.opened" in log
    assert "call.created" not in log
    for wrong in ("?from=yesterday", "?to=2020-13-01"):
        assert (await page(registry, f"/admin/log{wrong}")).status_code == 422


async def test_lists_are_shown_with_what_is_possible_with_them(registry: Registry) -> None:
    await office(registry)
    digest = (await registry.load(simple_files(more=SELECTION))).json()["digest"]
    assert "还没有名单" in (await page(registry, "/admin/rounds/small/lists")).text
    await publish(registry, digest)
    text = (await page(registry, "/admin/rounds/small/lists")).text
    assert "/lists/1.pdf" in text
    assert "/lists/1/retraction" in text
    proposed = await post(registry, "/rounds/small/lists/1/retraction", "admin1", text="数据有误")
    assert proposed.status_code == 201, proposed.text
    confirm = f"/proposals/{proposed.json()['proposal']}/confirmation"
    assert confirm not in (await page(registry, "/admin/rounds/small/lists", "admin1")).text
    assert confirm in (await page(registry, "/admin/rounds/small/lists", "admin2")).text
    readers = (await page(registry, "/admin/rounds/small/lists", "rev1")).text
    assert confirm not in readers
    assert "/retraction" not in readers


async def test_the_daily_report_is_there_while_others_are_away(registry: Registry) -> None:
    """What voting and scoring do not tell is left open; no candidate is named."""
    await office(registry)
    await registry.load(simple_files())
    answer = await registry.call("GET", "/rounds/small/daily-report.docx", "admin1")
    assert answer.status_code == 200
    document = docx.Document(io.BytesIO(answer.content))
    told = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    told += [paragraph.text for paragraph in document.paragraphs]
    assert "未取得" in told
    assert any(line.endswith("规则冻结") for line in told)
    assert not any("项目1" in line for line in told)
    assert (await registry.call("GET", "/rounds/small/daily-report.docx", "rev1")).status_code == 403
