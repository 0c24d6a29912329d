"""The office's pages of panels: who may open them, that none tells a mark, and the acts behind them."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest

from tests.integration.scoring.conftest import CRITERIA, Scoring, agree, scored_rules
from tests.integration.scoring.test_office import ROUND, panel, reading
from tests.integration.scoring.test_pages import HTML, form_fields, sign_in
from tests.integration.scoring.test_panels import drawn, panel_of, pooled, record, sign

__all__ = ["drawn", "panel", "pooled"]
PAGES = ("", "/panel", "/conflicts", "/meeting", "/papers", "/changes")
PDF = b"%PDF-1.7 signed"


async def page_of(office: Scoring, username: str, path: str, **more: Any) -> Any:
    sign_in(office, username)
    return await office.http.get(path, headers=HTML, **more)


async def test_each_page_is_for_its_people_and_tells_no_mark(panel: Scoring) -> None:
    """Marks and comments of an expert stand on no page of the office; whoever works elsewhere sees no page."""
    await panel.score("xu", "c1", "37.5", "80")
    body = {"marks": {"effect": "1"}, "comments": {"effect": "不给办公室看"}}
    await panel.call("PUT", f"{ROUND}/sheets/c2", "xu", json=body)
    await panel.add_staff("rex", "reviewer")
    opened: dict[str, list[str]] = {}
    for username in ("ann", "eve", "rex", "xu"):
        for path in ("/panels", *(f"/panels/small{each}" for each in PAGES)):
            answer = await page_of(panel, username, path)
            assert answer.status_code in (200, 403), (username, path)
            assert not re.search(r"37\.5|不给办公室看", answer.text), path
            if answer.status_code == 200:
                opened.setdefault(username, []).append(path.removeprefix("/panels"))
    everything = ["", *(f"/small{each}" for each in PAGES)]
    assert opened == {"ann": everything, "eve": everything, "rex": ["", "/small/papers"]}


async def test_a_sheet_of_the_page_saves_comments_by_criterion(panel: Scoring) -> None:
    sign_in(panel, "xu")
    path = "/expert/rounds/small/candidates/c1"
    fields = form_fields(await panel.http.get(path, headers=HTML))
    written = {f"mark.{name}": "70" for name in CRITERIA} | {"comment.effect": "见效快", "comment": "总评"}
    saved = await panel.http.post(path, data={**fields, **written, "action": "save"})
    assert saved.headers["location"] == f"{path}?done=saved"
    kept = (await panel.call("GET", f"{ROUND}/sheets/c1", "xu")).json()
    assert (kept["comments"], kept["comment"]) == ({"effect": "见效快"}, "总评")


async def test_own_marks_are_shown_to_oneself_only(panel: Scoring) -> None:
    for expert, mark in (("xu", "37.5"), ("li", "66.5")):
        await panel.score(expert, "c1", mark, "80")
    own = await page_of(panel, "xu", "/expert/rounds/small/marks")
    assert "37.5" in own.text
    assert "66.5" not in own.text


async def test_the_turn_is_told_before_during_and_after_a_meeting(panel: Scoring) -> None:
    """The tablets ask before a meeting begins; nobody but its panel and the office may."""
    none = await panel.call("GET", f"{ROUND}/turn", "xu")
    assert (none.status_code, none.json()["state"]) == (200, "none")
    await panel.call("POST", f"{ROUND}/meeting", "ann", json={"chair": "li", "present": ["xu", "li"]})
    await panel.call("POST", f"{ROUND}/meeting/candidates/c2", "li")
    turn = (await panel.call("GET", f"{ROUND}/turn", "xu")).json()
    assert (turn["state"], turn["candidate"], turn["waits_for"]) == ("under_way", "c2", ["xu", "li"])
    elsewhere = await page_of(panel, "xu", "/expert/rounds/small/candidates/c1")
    assert "data-editable" not in elsewhere.text
    here = await page_of(panel, "xu", "/expert/rounds/small/candidates/c2")
    assert "data-editable" in here.text
    chair = await page_of(panel, "li", "/panels/small/meeting")
    assert chair.status_code == 200
    assert (await page_of(panel, "xu", "/panels/small/meeting")).status_code == 403
    await panel.add_staff("out", "expert")
    assert (await panel.call("GET", f"{ROUND}/turn", "out")).status_code == 403


async def test_two_people_call_a_reserve_for_somebody_who_cannot_come(drawn: Scoring) -> None:
    major = await panel_of(drawn, "level=major")
    gone = major["members"][0]
    await sign(drawn, gone)
    await drawn.score(gone, "c3", "50", "50")
    wanted = {"kind": "call_reserve", "expert": gone, "reason": "住院"}
    proposed = await drawn.call("POST", f"{ROUND}/proposals", "ann", json=wanted)
    assert (await record(drawn))["called"] == []
    await agree(drawn, proposed)
    called = [(each["candidate"], each["expert"], each["called_for"]) for each in (await record(drawn))["called"]]
    assert called == [("c1", major["reserves"][0], gone)]
    second = await drawn.call("POST", f"{ROUND}/proposals", "ann", json=wanted | {"candidate": "c1"})
    await agree(drawn, second)
    none_left = await drawn.call("POST", f"{ROUND}/proposals", "ann", json=wanted)
    assert (none_left.status_code, none_left.json()["reason"]) == (409, "panel_unfilled")


async def test_conflicts_found_and_declared_are_listed(drawn: Scoring) -> None:
    """What facts tell, with the tie; what an expert declared, with the reason; a tied administrator decides neither."""
    member = (await panel_of(drawn, "level=key"))["members"][0]
    await drawn.call("POST", f"{ROUND}/sheets/c2/recusals", member, json={"reason": "亲属"})
    listed = (await drawn.call("GET", f"{ROUND}/conflicts", "eve")).json()
    found = {(each["expert"], each["candidate"]): each["ties"] for each in listed["found"]}
    assert found == {("p0", "c1"): ["unit"], ("p0", "c3"): ["unit"]}
    assert [(each["expert"], each["candidate"], each["reason"]) for each in listed["declared"]] == [
        (member, "c2", "亲属")
    ]
    await drawn.add_staff("ann", "administrator", version=2, unit="单位1")
    tied, free = [(await page_of(drawn, who, "/panels/small/conflicts")).text for who in ("ann", "bob")]
    assert ("提出解除" in tied, "提出解除" in free) == (False, True)
    assert (await drawn.call("GET", f"{ROUND}/conflicts", member)).status_code == 403


async def issued(office: Scoring) -> str:
    answer = await office.call("POST", f"{ROUND}/paper-sets", "ann", json={"expert": "li"})
    assert answer.status_code == 201, answer.text
    again = await office.call("POST", f"{ROUND}/paper-sets", "ann", json={"expert": "li", "candidate": "c1"})
    [code] = again.json()["codes"]
    assert code in answer.json()["codes"]
    assert len(answer.json()["codes"]) == 3
    return str(code)


async def test_a_scan_is_archived_as_it_came_and_never_changed(panel: Scoring) -> None:
    path = f"{ROUND}/papers/{await issued(panel)}"
    sent = [await panel.call("POST", f"{path}/scans", "ann", files={"file": ("x.exe", PDF)}) for _ in range(2)]
    assert [each.status_code for each in sent] == [201, 201], sent[0].text
    digest = sent[0].json()["digest"]
    assert digest == hashlib.sha256(PDF).hexdigest()
    read = await panel.call("GET", f"{path}/scans/{digest}", "eve")
    assert (read.content, read.headers["content-type"]) == (PDF, "application/pdf")
    assert read.headers["content-disposition"].startswith("attachment")
    assert (await panel.call("GET", f"{path}/scans/{digest}", "li")).status_code == 403
    assert (await panel.call("GET", f"{path}/scans/{'0' * 64}", "ann")).status_code == 404
    assert await panel.desk.pool.fetchval("SELECT count(*) FROM paper_scans") == 1
    for files, reason in (({"file": ("x.pdf", b"<html>")}, "bad_scan"), ({"other": ("x.pdf", PDF)}, "scan_missing")):
        refused = await panel.call("POST", f"{path}/scans", "ann", files=files)
        assert (refused.status_code, refused.json()["reason"]) == (422, reason)


@pytest.mark.parametrize("count", [10])
async def test_a_sheet_keeps_so_many_scans(panel: Scoring, count: int) -> None:
    path = f"{ROUND}/papers/{await issued(panel)}/scans"
    for number in range(count):
        assert (await panel.call("POST", path, "ann", files={"file": ("x", PDF + bytes([number]))})).status_code == 201
    refused = await panel.call("POST", path, "ann", files={"file": ("x", PDF)})
    assert (refused.status_code, refused.json()["reason"]) == (422, "bad_scan")
    assert (await panel.call("POST", path, "ann", files={"file": ("x", PDF + b"\0")})).status_code == 201


async def test_a_clerk_sees_the_other_reading_only_after_an_own_one(panel: Scoring) -> None:
    """Independent means blind: until then the page and the list tell no value of the colleague's."""
    code = await issued(panel)
    path, page = f"{ROUND}/papers/{code}", f"/panels/small/papers/sheets/{code}"
    await panel.call("POST", f"{path}/entries", "ann", **reading("81.5"))
    assert "81.5" in (await page_of(panel, "ann", page)).text
    assert "81.5" not in (await page_of(panel, "bob", page)).text
    await panel.call("POST", f"{path}/entries", "bob", **reading("18.5"))
    differing = (await page_of(panel, "bob", page)).text
    assert "81.5" in differing
    assert "18.5" in differing
    listed = (await panel.call("GET", f"{ROUND}/papers?limit=2", "eve")).json()
    assert len(listed["items"]) == 2
    rest = (await panel.call("GET", f"{ROUND}/papers?after={listed['next']}", "eve")).json()
    states = {each["code"]: each["state"] for each in [*listed["items"], *rest["items"]]}
    assert states[code] == "differs"
    printed = (await page_of(panel, "ann", "/panels/small/papers/print?expert=li")).text
    assert printed.count('class="paper-sheet"') == 3
    assert code in printed


async def test_no_sheet_is_given_out_where_none_is_open(office: Scoring) -> None:
    await office.add_round(scored_rules(), experts=["xu"], count=1)
    await office.score("xu", "c1", "90", "80")
    refused = await office.call("POST", f"{ROUND}/paper-sets", "ann", json={"expert": "xu"})
    assert (refused.status_code, refused.json()["reason"]) == (403, "not_assigned")


async def test_what_can_be_typed_into_an_address_is_refused_in_words(panel: Scoring) -> None:
    """Numbers that no row has, and characters that no database keeps, are somebody's slip, never our error."""
    for path in ("/panels/small/changes?after=99999999999999999999", "/panels/small/conflicts?after=-1"):
        assert (await page_of(panel, "ann", path)).status_code == 422, path
    for path in (
        "/panels/small/papers?after=%00", "/panels/small/papers?expert=%00", "/panels/small/papers/sheets/%00",
        "/panels/small/panel?after=%00", "/panels/small?show=x", "/panels/none", "/panels/small/papers/print?code=%00",
    ):  # fmt: skip
        assert (await page_of(panel, "ann", path)).status_code in (200, 400, 404, 422), path
