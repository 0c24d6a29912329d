"""A whole round, part two: preliminary review, the frozen rules, the vote, the experts, the ranking and its notice."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

from services.cli.people import REGISTRY, SCORING, VOTING, Citizen, valid_choices
from services.shared.ranking.bundle import rank_bundle, read_bundle
from services.shared.ranking.ranking import ranking_csv
from tests.guide.kunming import ROUND
from tests.guide.round_applying import RANKED
from tests.guide.round_play import CALL, LI, QIAN, ROUNDS, SHEN, SUN, WANG, ZHAO, Play
from tests.guide.town import at

CITIZENS = 12
EXPERTS = tuple(f"expert{number}" for number in range(1, 10))
OF_SCORING, OF_VOTING = f"{SCORING}/rounds/{ROUND}", f"{VOTING}/rounds/{ROUND}"


async def reviews_open_when_recommendation_has_closed(play: Play) -> None:
    """Nobody presses a button. A municipal unit applies directly and comes along. Five working days are left."""
    play.town.clock.go_to("2020-10-12 18:00")
    wanted = {play.applications[name] for name in (*RANKED, "K50")}

    def all_there(found: Any) -> bool:
        return {each["application"] for each in found["items"]} == wanted

    reviews = await play.town.until(ZHAO, f"{CALL}/reviews", all_there, "every recommended application is in review")
    assert {(each["due_on"], each["days_left"]) for each in reviews["items"]} == {("2020-10-19", 5)}


async def completion_is_asked_for_once_and_stops_the_clock(play: Play) -> None:
    """What is to be completed is said; the unit edits and hands in again; the days of the review stand still."""
    town, path, applicant = play.town, play.path("K30"), play.applicant("K30")
    town.clock.go_to("2020-10-13 09:00")
    asked = {"text": "请写明第三项指标的衡量办法。", "working_days": 2}
    review = await town.post(ZHAO, f"{path}/completion", asked)
    assert (review["paused"], review["completion"]["due_on"]) == (True, "2020-10-15")
    town.clock.go_to("2020-10-14 10:00")
    known = await town.get(applicant, path)
    targets = [{**each, "measure": f"{each['measure']}，另附签到表"} for each in known["content"]["targets"]]
    await town.put(applicant, path, {"version": known["version"], "content": {"targets": targets}})
    assert (await town.post(applicant, f"{path}/submit", {}))["stage"] == "in_review"
    await town.refused(QIAN, "POST", f"{path}/completion", asked, status=409, reason="already_asked")


async def other_departments_are_asked(play: Play) -> None:
    """Accepting waits for those who were asked, as long as they have time."""
    town, path = play.town, play.path("K01")
    asked = ("discipline", "civil_affairs")
    await town.post(ZHAO, f"{path}/review/joint-checks", {"departments": asked, "working_days": 3})
    await _fill_checklists(play, "K01", "accepted")
    accept = {"outcome": "accepted"}
    await town.refused(ZHAO, "POST", f"{path}/review/decision", accept, status=409, reason="joint_checks_open")
    for department in asked:
        await town.put(ZHAO, f"{path}/review/joint-checks/{department}", {"result": "clear"})
    assert (await town.post(ZHAO, f"{path}/review/decision", accept))["stage"] == "accepted"


async def two_reviewers_check_every_application(play: Play) -> None:
    """Each fills a checklist of their own; where both agree, that is the decision."""
    for name in (*RANKED[1:], "K50"):
        if name != "K22":
            await _fill_checklists(play, name, "accepted")
            decided = await play.town.post(ZHAO, f"{play.path(name)}/review/decision", {"outcome": "accepted"})
            assert (decided["stage"], decided["decision"]["basis"]) == ("accepted", "agreed")


async def not_accepted_needs_one_of_three_reasons_and_can_be_appealed(play: Play) -> None:
    """The applicant reads why, appeals within three working days, and somebody who did not review decides."""
    town, path, applicant = play.town, play.path("K22"), play.applicant("K22")
    why = {"reason": "untrue", "comment": "参与户数和台账不一致。"}
    await _fill_checklists(play, "K22", "not_accepted", **why)
    refusal = {"outcome": "not_accepted", "reason": "untrue"}
    await town.refused(ZHAO, "POST", f"{path}/review/decision", refusal, status=422, reason="bad_review")
    await town.post(ZHAO, f"{path}/review/decision", refusal | {"text": why["comment"]})
    seen = await town.get(applicant, f"{path}/review")
    assert (seen["decision"]["reason_name"], seen["appeal"]["until"]) == ("申报内容不真实", "2020-10-19")
    assert "filled" not in seen
    frozen_too_early = {"version": (await town.get("", CALL))["version"]}
    await town.refused(WANG, "POST", f"{CALL}/freeze", frozen_too_early, status=409, reason="undecided")
    await town.post(applicant, f"{path}/appeal", {"text": "台账按户登记，申报书按人数填写，附说明。"})
    answer = {"outcome": "accepted", "reply": "复核属实，予以受理。"}
    await town.refused(QIAN, "POST", f"{path}/appeal/decision", answer, status=409, reason="same_person")
    assert (await town.post(SUN, f"{path}/appeal/decision", answer))["stage"] == "accepted"


async def _fill_checklists(play: Play, name: str, verdict: str, **why: str) -> None:
    for reviewer in (ZHAO, QIAN):
        items = (await play.town.get(reviewer, f"{play.path(name)}/review"))["items"]
        answers = dict.fromkeys((each["item"] for each in items), "met")
        if verdict == "not_accepted":
            answers["content_true"] = "not_met"
        filled = {"items": answers, "verdict": verdict, **why}
        await play.town.post(reviewer, f"{play.path(name)}/review/checklists", filled)


async def rules_are_frozen_and_numbers_drawn(play: Play) -> None:
    """Before the vote opens: accepted applications become candidates, the committed seed is told and draws."""
    town = play.town
    town.clock.go_to("2020-10-20 15:00")
    frozen = await town.post(WANG, f"{CALL}/freeze", {"version": (await town.get("", CALL))["version"]})
    seed = frozen["number_seed"]
    assert sha256(seed.encode()).hexdigest() == play.commitment
    assert frozen["digest"] == sha256(frozen["rules"].encode()).hexdigest()
    numbers = {card["candidate"]: card["number"] for card in frozen["candidates"]}
    assert numbers.keys() == {play.applications[name] for name in (*RANKED, "K50")}
    drawn = sorted(numbers, key=lambda candidate: sha256(f"{seed}:{candidate}".encode()).hexdigest())
    assert [numbers[candidate] for candidate in drawn] == list(range(1, 12))
    change = {"content": frozen["rules"], "version": 1, "reason": "改"}
    await town.refused(WANG, "PUT", f"{CALL}/files/rules.toml", change, status=409, reason="wrong_state")
    for service in (OF_VOTING, OF_SCORING):
        await town.until("", service, bool, "every service knows the round")


async def citizens_vote(play: Play) -> None:
    """From the ninth hour on, one ballot for each phone; the town sees how many voted and nothing else."""
    town = play.town
    town.clock.go_to("2020-10-22 09:00")
    await town.until("", f"{OF_VOTING}/results", lambda found: found["state"] == "open", "the vote is open")
    facts = await town.get("", OF_VOTING)
    chance = random.Random(36)
    citizens = [Citizen(town.http["voting"], ROUND, address=f"203.0.113.{k}") for k in range(CITIZENS)]
    picks = [valid_choices(facts, chance) for _ in citizens]
    ballots = await asyncio.gather(*map(_vote, citizens, picks))
    assert {status for status, _ in ballots} == {201}
    assert (await citizens[0].vote(picks[1])).json()["reason"] == "already_voted"
    path = f"{OF_VOTING}/results"
    results = await town.until("", path, lambda found: found["turnout"] == CITIZENS, "every voter is counted")
    assert "candidates" not in results
    assert (await town.get("", f"{VOTING}/receipts/{ballots[0][1]}"))["state"] == "recorded"


async def _vote(citizen: Citizen, picks: list[str]) -> tuple[int, str]:
    await citizen.sign_in()
    answer = await citizen.vote(picks)
    return answer.status_code, answer.json().get("receipt", answer.text)


async def the_vote_closes_and_is_sealed(play: Play) -> None:
    """After close and grace the tally is sealed by itself, and handed to scoring so that nobody sees a count."""
    play.town.clock.go_to("2020-10-30 12:01")
    state = await play.town.until(WANG, f"{OF_SCORING}/state", lambda found: found["tally"], "scoring has the tally")
    assert state["tally"]["version"] == 1
    results = await play.town.until(
        "", f"{OF_VOTING}/results", lambda found: found["state"] == "sealed", "voting tells that it sealed"
    )
    assert "candidates" not in results


async def experts_score_every_candidate(play: Play) -> None:
    """Nine experts mark five criteria; whoever has an interest in a candidate declares it and leaves it out."""
    town, chance = play.town, random.Random(7)
    town.clock.go_to("2020-11-02 09:30")
    for expert in EXPERTS:
        queue = await town.get(expert, f"{OF_SCORING}/sheets")
        for sheet in queue["sheets"]:
            path = f"{OF_SCORING}/sheets/{sheet['candidate']}"
            if (expert, sheet["candidate"]) == ("expert4", play.applications["K02"]):
                await town.post(expert, f"{path}/recusals", {"reason": "曾为该社区提供咨询"})
                continue
            marks = {each["criterion"]: str(chance.randint(60, 95)) for each in queue["criteria"]}
            await town.put(expert, path, {"marks": marks})
            await town.post(expert, f"{path}/submit")


async def two_people_publish_the_ranking(play: Play) -> None:
    """One administrator has it computed and proposes it; a different one publishes it."""
    town = play.town
    town.clock.go_to("2020-11-06 18:30")
    proposed = await town.post(WANG, f"{OF_SCORING}/rankings")
    confirmation = f"{OF_SCORING}/rankings/{proposed['version']}/confirmations"
    await town.refused("", "GET", f"{OF_SCORING}/rankings/1", status=404, reason="unknown_ranking")
    await town.refused(WANG, "POST", confirmation, status=409, reason="same_person")
    await town.post(LI, confirmation)
    path = f"{OF_VOTING}/results"
    results = await town.until("", path, lambda found: found["state"] == "published", "voting shows the counts")
    assert len(results["candidates"]) == len(RANKED) + 1


async def anybody_computes_the_ranking_again(play: Play) -> None:
    """The bundle is a folder of plain files; with it alone the same bytes come out."""
    archive = await play.town.paper("", f"{OF_SCORING}/bundle.zip")
    published = await play.town.paper("", f"{OF_SCORING}/rankings/1.csv")
    with TemporaryDirectory() as folder:
        await asyncio.to_thread(ZipFile(BytesIO(archive)).extractall, folder)
        computed = ranking_csv(rank_bundle(read_bundle(Path(folder))))
    assert computed == published


async def the_list_is_noticed(play: Play) -> None:
    """The ranking becomes list 1 with its public notice, open to objections for five working days."""
    town, lists = play.town, f"{ROUNDS}/lists"
    await town.until("", lists, lambda found: found["items"], "the ranking becomes a list")
    first = await town.get("", f"{lists}/1")
    outcomes = [each["outcome"] for each in first["entries"] if each["level"] == "major"]
    assert outcomes == ["selected"] * 3 + ["reserve"] * 2
    window = [datetime.fromisoformat(first[key]) for key in ("objections_open_at", "objections_close_at")]
    assert window == [at("2020-11-07 00:00"), at("2020-11-14 00:00")]
    page = (await town.call("", "GET", f"/notices/{ROUND}")).text
    assert all(entry["title"] in page for entry in first["entries"])
    assert (await town.get(SHEN, f"{REGISTRY}/rounds/{ROUND}"))["phase"] == "published"


STEPS = (
    reviews_open_when_recommendation_has_closed,
    completion_is_asked_for_once_and_stops_the_clock,
    other_departments_are_asked,
    two_reviewers_check_every_application,
    not_accepted_needs_one_of_three_reasons_and_can_be_appealed,
    rules_are_frozen_and_numbers_drawn,
    citizens_vote,
    the_vote_closes_and_is_sealed,
    experts_score_every_candidate,
    two_people_publish_the_ranking,
    anybody_computes_the_ranking_again,
    the_list_is_noticed,
)
