"""A whole round, part three: an objection, the meeting, twelve months of a project, and what is left to check."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest

from services.cli import archive
from services.cli.archive_contents import RoundReader
from services.cli.client import CommandFailed
from services.cli.people import REGISTRY, SCORING, solve
from services.shared.typesetting import pdfa
from tests.guide.kunming import ROUND, pdf
from tests.guide.round_play import LI, QIAN, ROUNDS, SHEN, WANG, ZHAO, Play

LISTS, PROJECTS, OBJECTIONS = f"{ROUNDS}/lists", f"{ROUNDS}/projects", f"{REGISTRY}/objections"


async def a_citizen_objects_and_stays_hidden(play: Play) -> None:
    """With a name, which nobody else sees; the receipt tells state and reply, due in five working days."""
    town = play.town
    town.clock.go_to("2020-11-09 11:00")
    first = await town.get("", f"{LISTS}/1")
    play.removed = _selected(first, "major")[0]
    challenge = await town.get("", f"{ROUNDS}/objections/challenge")
    objection = {
        "kind": "named", "ground": "untrue", "candidate": play.removed, "name": "李·小满", "phone": "138-0000-0000",
        "text": "申报书写明覆盖一百二十个院落，实地只见到十二个。", "altcha": solve(challenge),
    }  # fmt: skip
    filed = await town.post("", f"{ROUNDS}/objections", objection)
    play.objection = f"{OBJECTIONS}/{filed['receipt']}"
    assert (filed["state"], filed["days_left"]) == ("received", 5)
    seen = json.dumps(await town.get(ZHAO, f"{play.objection}/file"), ensure_ascii=False)
    assert ("十二个" in seen, "李·小满" in seen, "138-0000-0000" in seen) == (True, False, False)
    applicant = play.applicant_of(play.removed)
    await town.refused(applicant, "GET", f"{play.objection}/file", status=403, reason="forbidden")


def _selected(shown: Any, level: str) -> list[str]:
    """Who is selected at a level in a list as the public sees it, best first."""
    return [each["candidate"] for each in shown["entries"] if (each["outcome"], each["level"]) == ("selected", level)]


async def an_objection_is_upheld_by_two(play: Play) -> None:
    """Its owner looks into it and proposes to uphold it; a colleague signs; the objector reads the reply."""
    town, path = play.town, play.objection
    town.clock.go_to("2020-11-12 15:00")
    await town.post(ZHAO, f"{path}/owner", {"version": await _version(play), "owner": ZHAO})
    upheld = {"decision": "upheld", "reply": "经核查属实，将调整名单。", "remedy": "list_change"}
    await town.post(ZHAO, f"{path}/decision", upheld | {"version": await _version(play)})
    signature = {"version": await _version(play)}
    await town.refused(ZHAO, "POST", f"{path}/decision/confirmation", signature, status=409, reason="same_person")
    await town.post(LI, f"{path}/decision/confirmation", signature)
    told = await town.get("", path)
    assert (told["state"], told["reply"]) == ("upheld", upheld["reply"])


async def _version(play: Play) -> int:
    return int((await play.town.get(ZHAO, f"{play.objection}/file"))["version"])


async def the_list_changes_in_the_open(play: Play) -> None:
    """Who would move is previewed; one proposes, another confirms; version 2 shows the difference, version 1 stays."""
    town = play.town
    entries = (await town.get("", f"{LISTS}/1"))["entries"]
    reserve = next(each["candidate"] for each in entries if (each["outcome"], each["level"]) == ("reserve", "major"))
    changes = [
        {"kind": "remove", "candidate": play.removed, "reason": "untrue", "text": "经核查，覆盖院落数不实。"},
        {"kind": "promote_reserve", "candidate": reserve, "reason": "vacancy", "text": "按名次递补。"},
    ]
    wanted: dict[str, Any] = {"version": 1, "changes": changes, "objection": play.objection.rpartition("/")[2]}
    preview = await town.post(ZHAO, f"{LISTS}/preview", wanted)
    moves = {each["candidate"]: each["move"] for each in preview["difference"]}
    assert moves == {play.removed: "left", reserve: "promoted"}
    proposal = (await town.post(WANG, f"{LISTS}/proposals", wanted))["proposal"]
    signature = f"{LISTS}/proposals/{proposal}/confirmation"
    await town.refused(WANG, "POST", signature, status=409, reason="same_person")
    assert (await town.post(LI, signature))["newest_list"] == 2
    second = await town.get("", f"{LISTS}/2")
    assert {each["candidate"]: each["move"] for each in second["difference"]} == moves
    assert play.removed not in {each["candidate"] for each in second["entries"]}
    assert play.removed in {each["candidate"] for each in (await town.get("", f"{LISTS}/1"))["entries"]}
    assert "递补入选" in (await town.call("", "GET", f"/notices/{ROUND}")).text


async def a_meeting_confirms_the_list(play: Play) -> None:
    """When every window has closed and every objection is answered: with number, date and minutes, by two."""
    town = play.town
    minutes = await town.attach(WANG, f"{LISTS}/2", pdf("会议纪要"), purpose="minutes")
    meeting = {"meeting_number": "市社建领导小组第3次会议", "held_on": "2020-11-12", "minutes": minutes}
    await town.refused(WANG, "POST", f"{LISTS}/2/confirmation", meeting, status=409, reason="notice_open")
    with pytest.raises(CommandFailed, match="not confirmed yet: objections are taken until 2020-11-"):
        await asyncio.to_thread(_archive_reader(play).read)
    town.clock.go_to("2020-11-23 16:00")
    meeting["held_on"] = "2020-11-23"
    proposal = (await town.post(WANG, f"{LISTS}/2/confirmation", meeting))["proposal"]
    assert (await town.post(LI, f"{LISTS}/proposals/{proposal}/confirmation"))["state"] == "done"
    assert (await town.get("", f"{LISTS}/2"))["meeting_number"] == meeting["meeting_number"]


async def the_list_is_issued_on_paper(play: Play) -> None:
    """With its document number, as PDF and as a Word file; the stamped scan is public."""
    town = play.town
    await town.post(WANG, f"{LISTS}/2/document", {"document_number": "昆社建办通〔2020〕11号"})
    assert (await town.paper("", f"{LISTS}/2.docx")).startswith(b"PK")
    printed = await town.paper("", f"{LISTS}/2.pdf")
    assert printed.startswith(b"%PDF")
    await town.attach(LI, f"{LISTS}/2", printed, purpose="stamped_list")
    assert await town.paper("", f"{LISTS}/2/scan") == printed


async def projects_open_with_their_lines_and_targets(play: Play) -> None:
    """Each selected candidate becomes a project of twelve months, accepted before December, as the notice says."""
    town = play.town
    second = await town.get("", f"{LISTS}/2")
    opened = (await town.post(WANG, PROJECTS, {}))["opened"]
    assert sorted(opened) == sorted(each["candidate"] for each in second["entries"] if each["outcome"] == "selected")
    play.winner = _selected(second, "major")[0]
    project = await town.get(play.applicant_of(play.winner), _project(play))
    assert (project["starts_on"], project["ends_on"], project["accept_before"]) == (
        "2021-01-01", "2021-12-31", "2021-12-01",
    )  # fmt: skip


def _project(play: Play) -> str:
    return f"{PROJECTS}/{play.winner}"


async def _signed(play: Play, kind: str, body: Any, *signers: str) -> None:
    """What one of the office proposes takes effect when a colleague signs."""
    made = await play.town.post(signers[0], f"{_project(play)}/{kind}", body)
    path = f"{_project(play)}/proposals/{made['proposal']}/decisions"
    await play.town.refused(signers[0], "POST", path, {"decision": "approve"}, status=409, reason="same_person")
    signed = await play.town.post(signers[1], path, {"decision": "approve"})
    assert signed["state"] == "effective"


async def a_grant_is_approved_line_by_line_and_paid(play: Play) -> None:
    """No line is granted more than it asked for; instalments come to the grant."""
    town = play.town
    town.clock.go_to("2021-01-05 09:00")
    lines = (await town.get(WANG, _project(play)))["lines"]
    total = str(sum(Decimal(each["requested"]) for each in lines))
    grant = {
        "lines": [{"line": each["line"], "amount": each["requested"]} for each in lines],
        "instalments": [{"amount": total, "planned_on": "2021-01-15"}], "reason": "按申报预算",
    }  # fmt: skip
    await _signed(play, "grants", grant, WANG, QIAN)
    town.clock.go_to("2021-01-15 09:00")
    payment = {
        "payment": str(uuid4()), "kind": "instalment", "instalment": 1, "amount": total, "paid_on": "2021-01-15",
        "document_number": "昆财〔2021〕3号",
    }  # fmt: skip
    await town.post(WANG, f"{_project(play)}/payments", payment)
    assert (await town.get(WANG, _project(play)))["state"] == "running"


async def money_is_spent_against_a_line_with_its_voucher(play: Play) -> None:
    """A voucher counts once, whatever its file is called; what the unit booked the office checks."""
    town, applicant, path = play.town, play.applicant_of(play.winner), _project(play)
    town.clock.go_to("2021-03-02 10:00")
    voucher = await town.attach(applicant, path, pdf("发票 0001"), purpose="voucher")
    booking = {
        "booking": str(uuid4()), "kind": "expenditure", "line": 1, "amount": "1200.00", "spent_on": "2021-03-01",
        "purpose": "两场培训", "voucher": voucher,
    }  # fmt: skip
    booked = await town.post(applicant, f"{path}/bookings", booking)
    assert (booked["line"]["spent"], booked["line"]["is_overspent"]) == ("1200.00", False)
    copy = await town.attach(applicant, path, pdf("发票 0001"), purpose="voucher")
    again = booking | {"booking": str(uuid4()), "voucher": copy}
    await town.refused(applicant, "POST", f"{path}/bookings", again, status=409, reason="voucher_used")
    check = f"{path}/bookings/{booking['booking']}/checks"
    assert (await town.post(ZHAO, check, {"outcome": "confirmed"}))["state"] == "confirmed"


async def an_inspection_is_followed_until_its_findings_are_closed(play: Play) -> None:
    """What was found is put right by the unit, with evidence, and closed by the office."""
    town, applicant, path = play.town, play.applicant_of(play.winner), _project(play)
    town.clock.go_to("2021-06-10 09:00")
    plan = {"planned_on": "2021-06-10", "topic": "中期检查"}
    inspection = (await town.post(QIAN, f"{path}/inspections", plan))["inspection"]
    finding = {"text": "台账缺两个月", "remedy": "补齐", "due_on": "2021-06-30"}
    report = {"outcome": "findings", "held_on": "2021-06-10", "summary": "总体有序，台账需补。", "findings": [finding]}
    project = await town.post(QIAN, f"{path}/inspections/{inspection}/reports", report)
    steps = f"{path}/findings/{project['inspections'][0]['findings'][0]['finding']}/steps"
    town.clock.go_to("2021-06-21 09:00")
    evidence = await town.attach(applicant, path, pdf("补齐的台账"), purpose="evidence")
    await town.post(applicant, steps, {"step": "remedied", "text": "已补齐", "evidence": evidence})
    assert (await town.post(QIAN, steps, {"step": "closed", "text": "已核"}))["state"] == "closed"


async def a_project_is_accepted_target_by_target_and_settled(play: Play) -> None:
    """Every target of the application is answered with evidence; two sign the opinion, and the settlement."""
    town, applicant, path = play.town, play.applicant_of(play.winner), _project(play)
    town.clock.go_to("2021-11-25 09:00")
    evidence = await town.attach(applicant, path, pdf("绩效材料"), purpose="evidence")
    targets = [
        {"target": each["target"], "outcome": "met", "remark": "见材料", "evidence": [evidence]}
        for each in (await town.get(WANG, path))["targets"]
    ]
    await _signed(play, "acceptances", {"targets": targets, "opinion": "passed", "reason": "达到申报目标"}, WANG, ZHAO)
    await _signed(play, "settlements", {"reason": "结余按规定退回"}, WANG, LI)
    assert (await town.get(applicant, path))["state"] == "settled"


async def the_public_follows_a_project_on_its_page(play: Play) -> None:
    """What was granted, spent and reached, and no person's name."""
    project = await play.town.get(WANG, _project(play))
    page = (await play.town.call("", "GET", f"/projects/{ROUND}/{play.winner}")).text
    assert all(text in page for text in (project["title"], project["unit_name"], "1,200.00", "总体有序"))
    assert not any(text in page for text in (play.applicant_of(play.winner), "发票"))


async def the_archive_office_takes_the_round(play: Play) -> None:
    """Prints are PDF/A-2b, an index names every piece, the objector is nowhere; again it is the same to the byte."""
    reader = _archive_reader(play)
    with pytest.raises(CommandFailed, match=r"the statistics of ranking 1 of .* are still being made"):
        await asyncio.to_thread(_archive_reader(play, before=f"{SCORING}/rounds/{ROUND}/rankings/1/statistics").read)
    await play.town.until(WANG, f"{SCORING}/rounds/{ROUND}/rankings/1/statistics", bool, "the statistics are made")
    found = await asyncio.to_thread(reader.read)
    entries = await asyncio.to_thread(archive.entries_of, found)
    forms = {each.piece.name: each.form for each in entries}
    assert {name for name, form in forms.items() if form != "PDF/A-2b" and name.endswith("form.pdf")} == set()
    assert {
        "1-rules/rules.toml", f"2-applications/{play.winner}/form.pdf", "3-results/ranking-1.pdf",
        "3-results/statistics-1.json", "3-results/bundle-1.zip", "4-lists/list-1.pdf", "4-lists/list-2.pdf",
        "4-lists/list-2-stamped.pdf", "4-lists/minutes-2.pdf", f"5-objections/{play.objection.rpartition('/')[2]}.json",
        f"6-projects/{play.winner}/project.json", "7-log/log.jsonl",
    } <= forms.keys()  # fmt: skip
    files = await asyncio.to_thread(archive.files_of, found, entries, "J001-2020-评选")
    index = files["index.csv"].decode("utf-8-sig").splitlines()
    assert len(index) == len(entries) + 1
    assert "昆社建办通〔2020〕11号" in files["index.csv"].decode()
    assert pdfa.departures(files["index.pdf"]) == []
    assert [name for name, content in files.items() if "李·小满".encode() in content or b"138-0000" in content] == []
    again = await asyncio.to_thread(reader.read)
    made_again = archive.files_of(again, archive.entries_of(again), "J001-2020-评选")
    assert [name for name in files.keys() | made_again.keys() if made_again.get(name) != files.get(name)] == []


def _archive_reader(play: Play, before: str = "") -> RoundReader:
    """Reads as an administrator, from a thread of its own, as the command does; as if it were before `before`."""
    loop = asyncio.get_running_loop()

    def fetch(path: str) -> tuple[int, bytes]:
        if path == before:
            return 404, b"{}"
        answer = asyncio.run_coroutine_threadsafe(play.town.call(WANG, "GET", path), loop).result(30)
        return answer.status_code, answer.content

    return RoundReader(fetch, ROUND, "评选工作办公室")


async def everything_is_in_the_log_and_its_chain_holds(play: Play) -> None:
    """Anybody with the export checks it: each line's hash is made of the hash before it and the line itself."""
    town, path = play.town, f"{REGISTRY}/log/export"
    newest = f"{REGISTRY}/log?action=project.settlement_effective"
    await town.until(SHEN, newest, lambda found: found["items"][0]["hash"], "the last act is chained")
    export = (await town.paper(SHEN, path)).decode()
    previous, actions = bytes(32), set()
    for place, line in enumerate(export.splitlines(), start=1):
        entry = line.partition('"entry": ')[2].removesuffix("}")
        told = json.loads(line)
        previous = sha256(previous + entry.encode()).digest()
        assert (told["n"], told["hash"]) == (place, previous.hex())
        actions.add(told["entry"][4])
    assert {
        "call.announced", "unit.approved", "application.submitted", "exemption.confirmed", "appeal.decided",
        "call.frozen", "objection.upheld", "list_change.confirmed", "project.settlement_effective",
    } <= actions  # fmt: skip


async def every_invariant_holds(play: Play) -> None:
    """`pingxuan audit` is silent over all three databases."""
    await play.town.until_audited()


STEPS = (
    a_citizen_objects_and_stays_hidden,
    an_objection_is_upheld_by_two,
    the_list_changes_in_the_open,
    a_meeting_confirms_the_list,
    the_list_is_issued_on_paper,
    projects_open_with_their_lines_and_targets,
    a_grant_is_approved_line_by_line_and_paid,
    money_is_spent_against_a_line_with_its_voucher,
    an_inspection_is_followed_until_its_findings_are_closed,
    a_project_is_accepted_target_by_target_and_settled,
    the_public_follows_a_project_on_its_page,
    the_archive_office_takes_the_round,
    everything_is_in_the_log_and_its_chain_holds,
    every_invariant_holds,
)
