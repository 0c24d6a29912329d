"""A whole round, part one: the call, the units, their applications, what the districts recommend."""

from __future__ import annotations

from typing import Any

from services.cli.people import REGISTRY
from tests.guide.kunming import call_files, form, pdf, registration
from tests.guide.round_play import CALL, LI, OFFICE, WANG, ZHAO, Play, officer

LEADS = ("K01", "K02", "K03", "K04", "K09", "K10", "K19", "K20", "K22", "K29", "K30", "K50")
DISTRICTS = ("wuhua", "guandu", "chenggong", "jinning", "shilin")
# What the districts recommend, best first; K50 is a municipal unit's, which applies directly.
RANKED = ("K01", "K03", "K04", "K02", "K15", "K09", "K19", "K22", "K29", "K30")
PROOFS = (
    "registration_certificate", "annual_inspection", "financial_statements", "staff_contracts", "office_proof",
    "funds_commitment",
)  # fmt: skip


async def the_office_gets_its_accounts(play: Play) -> None:
    """Two administrators, three reviewers, an auditor and nine experts are made by whoever runs the platform."""
    experts = {f"expert{number}": "expert" for number in range(1, 10)}
    for name, role in (OFFICE | experts).items():
        await play.town.post("platform", f"{REGISTRY}/staff", {"username": name, "roles": [role]})


async def the_call_is_drafted_checked_and_announced(play: Play) -> None:
    """A draft is the office's own. The announcement commits to the seed that will draw the candidates' numbers."""
    town, files = play.town, call_files()
    assert (await town.post(ZHAO, f"{REGISTRY}/calls/check", {"files": files}))["problems"] == []
    draft = await town.post(WANG, f"{REGISTRY}/calls", {"files": files})
    await town.refused("", "GET", CALL, status=404, reason="unknown_call")
    await town.post(WANG, f"{CALL}/announce", {"version": draft["version"]})
    announced = await town.get("", CALL)
    assert (announced["phase"], announced["quotas"]["district"]) == ("announced", 4)
    play.commitment = announced["number_commitment"]


async def districts_get_their_officers(play: Play) -> None:
    """Each county, district or zone takes in the applications of its area."""
    for channel in DISTRICTS:
        body = {"username": officer(channel), "roles": ["channel_officer"], "channel": channel}
        await play.town.post("platform", f"{REGISTRY}/staff", body)


async def units_register_and_their_district_approves(play: Play) -> None:
    """A unit registers by its credit code without an account; whoever approves it hands out a link to the first one."""
    town = play.town
    town.clock.go_to("2020-09-08 09:00")
    wrong = registration("K01") | {"credit_code": "11530102MBPX00014X"}
    await town.refused("", "POST", f"{REGISTRY}/units", wrong, status=422, reason="bad_unit")
    for place, name in enumerate(LEADS, start=1):
        told = registration(name)
        made = await town.post("", f"{REGISTRY}/units", told, headers={"x-forwarded-for": f"198.18.0.{place}"})
        play.units[name] = made["unit"]
        approver = officer(told["channel"]) if told["channel"] in DISTRICTS else WANG
        decision = {"decision": "approved", "version": made["version"]}
        approved = await town.post(approver, f"{REGISTRY}/units/{made['unit']}/decisions", decision)
        await _account_from_link(play, approved["link"], play.applicant(name))


async def _account_from_link(play: Play, link: str, username: str) -> None:
    """The link's token stands behind the #, where no server's log sees it; the account's owner chooses a password."""
    password = f"Cuihu-{username}-2020"
    accepted = {"token": link.partition("#")[2], "password": password, "username": username}
    await play.town.post("", f"{REGISTRY}/staff/invitations/accept", accepted)
    session = await play.town.post("", f"{REGISTRY}/sessions", {"username": username, "password": password})
    assert session["roles"] == ["applicant"]


async def an_application_is_saved_as_it_grows(play: Play) -> None:
    """A draft may lack anything; the check says what is missing, and nobody overwrites what they have not read."""
    town, applicant = play.town, play.applicant("K01")
    draft = await town.post(applicant, f"{CALL}/applications", {"content": {"title": form("K01")["title"]}})
    play.applications["K01"] = draft["application"]
    missing = {each["field"] for each in (await town.get(applicant, f"{play.path('K01')}/check"))["problems"]}
    assert {"summary", "sections.work_plan", "budget", "targets"} <= missing
    saved = {"version": draft["version"], "content": form("K01")}
    await town.put(applicant, play.path("K01"), saved)
    await town.refused(applicant, "PUT", play.path("K01"), saved, status=409, reason="stale_version")
    await town.refused(play.applicant("K02"), "GET", play.path("K01"), status=404, reason="unknown_application")


async def partners_consent_by_link_or_on_paper(play: Play) -> None:
    """Every partner consents; a social organisation that takes part hands in six proofs besides."""
    town, applicant, path = play.town, play.applicant("K01"), play.path("K01")
    await town.refused(applicant, "POST", f"{path}/submit", {}, status=422, reason="consent_missing")
    institute, society = (each["credit_code"] for each in form("K01")["partners"])
    asked = await town.post(applicant, f"{path}/consents", {"partner": institute})
    token = asked["link"].partition("#")[2]
    assert (await town.post("", f"{REGISTRY}/consents", {"token": token}))["lead"] == registration("K01")["name"]
    answer = {"token": token, "agree": True, "name": "木丽娟", "position": "院长"}
    assert (await town.post("", f"{REGISTRY}/consents/answers", answer))["answer"] == "given"
    await town.attach(applicant, path, pdf("盖章的同意书"), purpose="consent", partner=society)
    await town.refused(applicant, "POST", f"{path}/submit", {}, status=422, reason="proofs_missing")
    await _prove(play, "K01")
    await town.post(applicant, f"{path}/submit", {})


async def _prove(play: Play, name: str) -> None:
    """The six proofs of each social organisation among the partners."""
    for partner in form(name)["partners"]:
        if partner["kind"] == "social_organisation":
            code = partner["credit_code"]
            for proof in PROOFS:
                content = pdf(f"{proof} {code} {name}")
                await play.town.attach(play.applicant(name), play.path(name), content, purpose=proof, partner=code)


async def the_others_apply(play: Play) -> None:
    """One form for each project: K02's unit hands in two. K20 stays a draft."""
    for name in (*LEADS[1:], "K15"):
        applicant = play.applicant(name)
        draft = await play.town.post(applicant, f"{CALL}/applications", {"content": form(name)})
        play.applications[name] = draft["application"]
        for partner in form(name)["partners"]:
            scan = pdf(f"同意书 {partner['name']} {name}")
            code = partner["credit_code"]
            await play.town.attach(applicant, play.path(name), scan, purpose="consent", partner=code)
        await _prove(play, name)
        if name != "K20":
            submitted = await play.town.post(applicant, f"{play.path(name)}/submit", {})
            assert submitted["stage"] == "submitted"


async def the_stamped_scan_bears_the_code_of_what_was_handed_in(play: Play) -> None:
    """The form is printed, stamped and scanned; a scan of another version is refused."""
    town, applicant, path = play.town, play.applicant("K01"), play.path("K01")
    assert (await town.paper(applicant, f"{path}/form.pdf")).startswith(b"%PDF")
    code = (await town.get(applicant, path))["version_code"]
    scan = {"files": {"file": ("盖章.pdf", pdf("盖章"), "application/pdf")}}
    other = await town.call(
        applicant, "POST", f"{path}/attachments", data={"purpose": "stamped_form", "version_code": "AAAA-AAAA"}, **scan
    )
    assert other.json()["reason"] == "version_code_mismatch"
    await town.attach(applicant, path, pdf("盖章"), purpose="stamped_form", version_code=code)


async def a_unit_takes_its_application_back(play: Play) -> None:
    """Until it is a candidate, an application can be withdrawn, for good and with a reason."""
    applicant, path = play.applicant("K10"), f"{play.path('K10')}/withdraw"
    await play.town.refused(applicant, "POST", path, {}, status=422, reason="reason_missing")
    taken_back = await play.town.post(applicant, path, {"reason": "场地另有安排"})
    assert (taken_back["stage"], taken_back["actions"]) == ("withdrawn", [])


async def a_second_too_late_is_too_late(play: Play) -> None:
    """The window is half-open: at midnight of 1 October it is closed, and the refusal says since when."""
    town, applicant = play.town, play.applicant("K20")
    town.clock.go_to("2020-10-01 00:00")
    await town.refused(applicant, "POST", f"{play.path('K20')}/submit", {}, status=403, reason="deadline_passed")
    late = {"content": form("K20")}
    await town.refused(applicant, "POST", f"{CALL}/applications", late, status=403, reason="deadline_passed")


async def districts_recommend_within_their_quota(play: Play) -> None:
    """Four for a district; a fifth needs a named exemption, signed by two administrators. The office sees who waits."""
    town, mine = play.town, f"{CALL}/channels/wuhua/recommendations"
    town.clock.go_to("2020-10-09 09:30")
    wuhua = play.in_channel("wuhua", *RANKED)
    too_many = {"ranked": wuhua, "version": 0}
    await town.refused(officer("guandu"), "GET", mine, status=404, reason="unknown_channel")
    await town.refused(officer("wuhua"), "PUT", mine, too_many, status=409, reason="quota_full")
    wanted = {"channel": "wuhua", "places": 1, "reason": "两个街道的项目互为前提"}
    exemption = (await town.post(WANG, f"{CALL}/exemptions", wanted))["exemption"]
    signature = f"{CALL}/exemptions/{exemption}/confirm"
    await town.refused(WANG, "POST", signature, status=409, reason="same_person")
    await town.post(LI, signature)
    for channel in DISTRICTS:
        await _recommend(play, channel, play.in_channel(channel, *RANKED))
    left_out = (await town.get(WANG, f"{CALL}/recommendations"))["left_out"]
    assert [each["application"] for each in left_out] == [play.applications["K50"]]
    assert (await town.paper(officer("wuhua"), f"{CALL}/channels/wuhua/summary.xlsx")).startswith(b"PK")
    assert (await town.paper(officer("wuhua"), f"{play.path('K01')}/recommendation.pdf")).startswith(b"%PDF")


async def _recommend(play: Play, channel: str, ranked: list[str]) -> None:
    path = f"{CALL}/channels/{channel}/recommendations"
    known: dict[str, Any] = await play.town.get(officer(channel), path)
    body = {"ranked": ranked, "version": known["version"], "opinions": dict.fromkeys(ranked, "同意推荐")}
    saved = await play.town.put(officer(channel), path, body)
    await play.town.post(officer(channel), f"{path}/send", {"version": saved["version"]})


STEPS = (
    the_office_gets_its_accounts,
    the_call_is_drafted_checked_and_announced,
    districts_get_their_officers,
    units_register_and_their_district_approves,
    an_application_is_saved_as_it_grows,
    partners_consent_by_link_or_on_paper,
    the_others_apply,
    the_stamped_scan_bears_the_code_of_what_was_handed_in,
    a_unit_takes_its_application_back,
    a_second_too_late_is_too_late,
    districts_recommend_within_their_quota,
)
