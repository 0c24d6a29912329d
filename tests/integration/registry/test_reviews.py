"""Preliminary review: opened at the deadline, two checklists, one completion, a decision with its reason, an appeal."""

from __future__ import annotations

import asyncio

from services.registry.audit import INVARIANTS
from services.registry.reviews.opening import open_reviews_once
from tests.integration.registry.application_steps import logged, submitted
from tests.integration.registry.call_steps import (
    CALL,
    DAY_S,
    HOUR_S,
    announced,
    applied,
    checklist,
    decided,
    post,
    recommended,
    stage_of,
)
from tests.integration.registry.conftest import Registry
from tests.support.waiting import wait_until


async def in_review(registry: Registry, count: int = 1) -> list[tuple[str, str]]:
    """(application, applicant) of applications whose review has opened."""
    await announced(registry)
    found = await applied(registry, count)
    await recommended(registry, [each for each, _ in found])
    registry.pass_time(HOUR_S)

    async def opened() -> bool:
        return {await stage_of(registry, each) for each, _ in found} == {"in_review"}

    await wait_until(opened, 10, "reviews are open")
    return found


async def test_reviews_open_at_the_deadline_exactly_once(registry: Registry) -> None:
    [(application, _)] = await in_review(registry)
    now = registry.parts.clock.now()
    again = await asyncio.gather(*(open_reviews_once(registry.parts.pool, now) for _ in range(3)))
    assert again == [0, 0, 0]
    assert (await logged(registry, application)).count("review.opened") == 1
    page = (await registry.call("GET", f"/calls/{CALL}/reviews", "rev1")).json()
    assert [each["application"] for each in page["items"]] == [application]
    line = page["items"][0]
    assert (line["days_left"], line["paused"], line["late"]) == (5, False, False)
    registry.pass_time(30 * DAY_S)
    late = (await registry.call("GET", f"/applications/{application}/review", "rev1")).json()
    assert late["days_left"] < 0
    assert late["late"]


async def test_a_decision_follows_two_checklists_that_agree(registry: Registry) -> None:
    [(application, applicant)] = await in_review(registry)
    path = f"/applications/{application}/review"
    assert (await post(registry, f"{path}/decision", "rev1", outcome="accepted")).json()[
        "reason"
    ] == "checklists_missing"
    gap = await post(registry, f"{path}/checklists", "rev1", items={}, verdict="accepted")
    assert (gap.status_code, gap.json()["reason"]) == (422, "bad_review")
    first = await post(registry, f"{path}/checklists", "rev1", **checklist())
    assert first.status_code == 201, first.text
    assert (await post(registry, f"{path}/checklists", "rev1", **checklist())).json()["reason"] == "already_decided"
    await post(registry, f"{path}/checklists", "rev2", **checklist())
    assert (await post(registry, f"{path}/checklists", "rev3", **checklist())).json()["reason"] == "already_decided"
    other = await post(registry, f"{path}/decision", "rev1", outcome="not_accepted", reason="untrue", text="x")
    assert other.json()["reason"] == "checklists_disagree"
    done = await post(registry, f"{path}/decision", "rev1", outcome="accepted")
    assert (done.status_code, done.json()["decision"]["basis"]) == (201, "agreed")
    seen = (await registry.call("GET", path, applicant)).json()
    assert (seen["stage"], seen["decision"]["outcome"]) == ("accepted", "accepted")
    assert not {"filled", "joint_checks", "decided_by"} & seen.keys()


async def test_not_accepted_needs_one_of_the_three_reasons_and_a_text(registry: Registry) -> None:
    [(application, _)] = await in_review(registry)
    path = f"/applications/{application}/review/decision"
    for body in ({"reason": ""}, {"reason": "ugly", "text": "x"}, {"reason": "untrue"}):
        refused = await post(registry, path, "rev1", outcome="not_accepted", **body)
        assert (refused.status_code, refused.json()["reason"]) == (422, "bad_review")
    bare = await post(
        registry, f"/applications/{application}/review/checklists", "rev1", **checklist("not_accepted", reason="untrue")
    )
    assert bare.json()["reason"] == "bad_review"


async def test_where_reviewers_disagree_an_administrator_decides_with_a_text(registry: Registry) -> None:
    [(application, _)] = await in_review(registry)
    path = f"/applications/{application}/review"
    await post(registry, f"{path}/checklists", "rev1", **checklist())
    no = checklist("not_accepted", reason="disputed", comment="有争议")
    await post(registry, f"{path}/checklists", "rev2", **no)
    assert (await post(registry, f"{path}/decision", "rev1", outcome="accepted")).status_code == 403
    mute = await post(registry, f"{path}/decision", "admin1", outcome="accepted")
    assert mute.json()["reason"] == "bad_review"
    done = await post(registry, f"{path}/decision", "admin1", outcome="accepted", text="材料已核实")
    assert done.json()["decision"]["basis"] == "administrator"


async def test_nobody_reviews_their_own_unit_or_channel(registry: Registry) -> None:
    [(application, applicant)] = await in_review(registry)
    unit = await registry.parts.pool.fetchval("SELECT unit FROM applications WHERE application = $1", application)
    await registry.add_staff("kin", "reviewer", unit=unit)
    await registry.add_staff("near", "reviewer", channel="wuhua")
    await registry.add_staff("boss", "administrator", channel="wuhua")
    path = f"/applications/{application}"
    for who in ("kin", "near"):
        refused = await post(registry, f"{path}/review/checklists", who, **checklist())
        assert (refused.status_code, refused.json()["reason"]) == (403, "conflict_of_interest")
    for sub, body in (
        ("completion", {"text": "x", "working_days": 3}),
        ("review/decision", {"outcome": "accepted"}),
        ("review/joint-checks", {"departments": ["petitions"], "working_days": 3}),
    ):
        assert (await post(registry, f"{path}/{sub}", "boss", **body)).json()["reason"] == "conflict_of_interest"
    assert (await post(registry, f"{path}/review/checklists", applicant, **checklist())).status_code == 403


async def test_completion_is_asked_once_and_pauses_the_days(registry: Registry) -> None:
    [(application, applicant)] = await in_review(registry)
    path = f"/applications/{application}"
    await post(registry, f"{path}/review/checklists", "rev1", **checklist())
    asked = await post(registry, f"{path}/completion", "rev1", text="请补预算测算依据", working_days=5)
    assert asked.status_code == 201, asked.text
    before = asked.json()
    assert (before["stage"], before["paused"], before["days_left"]) == ("completion", True, 5)
    twice = await post(registry, f"{path}/completion", "rev2", text="还有", working_days=5)
    assert (twice.status_code, twice.json()["reason"]) == (409, "already_asked")
    registry.pass_time(3 * DAY_S)
    waiting = (await registry.call("GET", f"{path}/review", applicant)).json()
    assert waiting["due_on"] > before["due_on"]
    assert waiting["completion"]["text"] == "请补预算测算依据"
    await submitted(registry, applicant, application)
    filled = await post(registry, f"{path}/review/checklists", "rev1", **checklist())
    assert (filled.status_code, filled.json()["cycle"], filled.json()["checklists"]) == (201, 2, 1), filled.text
    assert filled.json()["completion"]["answered"]
    assert (await post(registry, f"{path}/completion", "rev2", text="x", working_days=5)).status_code == 409


async def test_a_completion_that_never_comes_ends_on_its_day(registry: Registry) -> None:
    [(application, applicant)] = await in_review(registry)
    await post(registry, f"/applications/{application}/completion", "rev1", text="请补", working_days=1)
    registry.pass_time(15 * DAY_S)

    async def back() -> bool:
        return await stage_of(registry, application) == "in_review"

    await wait_until(back, 10, "the review goes on")
    late = await registry.call("POST", f"/applications/{application}/submit", applicant)
    assert (late.status_code, late.json()["reason"]) == (409, "wrong_stage")


async def test_accepting_waits_for_the_departments_that_were_asked(registry: Registry) -> None:
    [(application, _)] = await in_review(registry)
    path = f"/applications/{application}/review"
    asked = await post(registry, f"{path}/joint-checks", "rev1", departments=["petitions"], working_days=3)
    assert [each["department_name"] for each in asked.json()["joint_checks"]] == ["信访"]
    for reviewer in ("rev1", "rev2"):
        await post(registry, f"{path}/checklists", reviewer, **checklist())
    waiting = await post(registry, f"{path}/decision", "rev1", outcome="accepted")
    assert (waiting.status_code, waiting.json()["departments"]) == (409, ["petitions"])
    mute = await registry.call("PUT", f"{path}/joint-checks/petitions", "rev1", json={"result": "concern"})
    assert mute.json()["reason"] == "bad_review"
    other = await registry.call("PUT", f"{path}/joint-checks/discipline", "rev1", json={"result": "clear"})
    assert other.status_code == 404
    await registry.call("PUT", f"{path}/joint-checks/petitions", "rev1", json={"result": "clear"})
    assert (await post(registry, f"{path}/decision", "rev1", outcome="accepted")).status_code == 201


async def test_an_appeal_is_decided_by_somebody_else(registry: Registry) -> None:
    [(application, applicant)] = await in_review(registry)
    await decided(registry, application, "not_accepted", "untrue", "数据对不上")
    path = f"/applications/{application}/appeal"
    assert (await post(registry, path, "rev1", text="x")).status_code == 403
    filed = await post(registry, path, applicant, text="数据来自统计年鉴")
    assert (filed.status_code, filed.json()["appeal"]["text"]) == (201, "数据来自统计年鉴"), filed.text
    assert (await post(registry, path, applicant, text="再来")).json()["reason"] == "already_decided"
    own = await post(registry, f"{path}/decision", "rev2", outcome="rejected", reply="维持")
    assert (own.status_code, own.json()["reason"]) == (409, "same_person")
    done = await post(registry, f"{path}/decision", "rev3", outcome="review_again", reply="重审")
    assert (done.status_code, done.json()["stage"], done.json()["cycle"]) == (201, "in_review", 2), done.text
    await decided(registry, application)
    assert await stage_of(registry, application) == "accepted"


async def test_an_appeal_has_its_days(registry: Registry) -> None:
    [(application, applicant)] = await in_review(registry)
    await decided(registry, application, "not_accepted", "untrue", "数据对不上")
    registry.pass_time(20 * DAY_S)
    late = await post(registry, f"/applications/{application}/appeal", applicant, text="x")
    assert (late.status_code, late.json()["reason"]) == (403, "deadline_passed")
    for name in ("reviews_were_opened_with_their_stage", "decisions_rest_on_two_checklists"):
        assert await registry.parts.pool.fetch(INVARIANTS[name]) == []
