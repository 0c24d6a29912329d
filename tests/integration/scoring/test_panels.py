"""Panels drawn on the record, conflicts that facts tell, reserves, and the letter before the first mark."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import asyncpg
import pytest

from services.scoring.audit import INVARIANTS
from services.scoring.panels.drawing import Need, PoolExpert, draw, final_seed
from services.shared.messages import REGISTRY_STAFF
from tests.integration.scoring.conftest import Scoring, account, agree, scored_rules

ROUND = "/rounds/small"
NAMES = [f"p{k}" for k in range(12)]
# c1 and c3 are major, c2 is key; c1 and c3 come from 单位1, channels 区1 and 区0.
PLAN = {
    "needs": [
        {"group": "level=major", "seats": 3, "reserves": 2},
        {"group": "level=key", "seats": 3, "reserves": 1},
    ]
}


@pytest.fixture
async def pooled(office: Scoring) -> Scoring:
    """A round with a pool of twelve, whose p0 comes from the unit of c1 and c3."""
    await office.add_round(scored_rules())
    await office.send(REGISTRY_STAFF, *(account(name, "expert") for name in NAMES))
    experts = [{"expert": name, "unit": f"大学{name}", "fields": ["law"]} for name in NAMES]
    experts[0]["unit"] = "单位1"
    put = await office.call("POST", f"{ROUND}/pool", "ann", json={"experts": experts})
    assert (put.status_code, put.json()["listed"]) == (200, 12), put.text
    return office


@pytest.fixture
async def drawn(pooled: Scoring) -> Scoring:
    await pooled.call("POST", f"{ROUND}/draws", "ann", json=PLAN)
    done = await pooled.call("POST", f"{ROUND}/draws/1/reveals", "bob", json={"word": "3402.19"})
    assert done.status_code == 201, done.text
    return pooled


async def record(office: Scoring, username: str = "eve") -> dict[str, Any]:
    body: dict[str, Any] = (await office.call("GET", f"{ROUND}/draws", username)).json()
    return body


async def panel_of(office: Scoring, group: str) -> dict[str, Any]:
    [found] = [each for each in (await record(office))["draws"][0]["panels"] if each["group"] == group]
    return dict(found)


async def sign(office: Scoring, expert: str) -> None:
    letter = (await office.call("GET", f"{ROUND}/letter", expert)).json()
    signed = await office.call("POST", f"{ROUND}/letter", expert, json={"version": letter["version"]})
    assert signed.status_code == 201, signed.text


async def test_the_pool_is_listed_in_pages_and_for_the_office_only(pooled: Scoring) -> None:
    page = (await pooled.call("GET", f"{ROUND}/pool?limit=5", "eve")).json()
    assert ([each["expert"] for each in page["items"]], page["next"]) == (sorted(NAMES)[:5], sorted(NAMES)[4])
    rest = (await pooled.call("GET", f"{ROUND}/pool?limit=10&after={page['next']}", "ann")).json()
    assert (len(rest["items"]), rest["next"]) == (7, None)
    for username, status in (("p1", 403), ("", 401)):
        assert (await pooled.call("GET", f"{ROUND}/pool", username)).status_code == status
    twice = {"experts": [{"expert": "p1"}, {"expert": "p1"}]}
    wrong = await pooled.call("POST", f"{ROUND}/pool", "ann", json=twice)
    assert (wrong.status_code, wrong.json()["reason"]) == (422, "bad_pool")


async def test_an_expert_is_taken_off_the_list(pooled: Scoring) -> None:
    put = await pooled.call("POST", f"{ROUND}/pool", "ann", json={"experts": [{"expert": "p1", "listed": False}]})
    assert put.json()["listed"] == 11


async def test_a_promise_shows_its_digest_and_hides_the_seed_until_the_draw(pooled: Scoring) -> None:
    promised = await pooled.call("POST", f"{ROUND}/draws", "ann", json=PLAN)
    assert (promised.status_code, promised.json()["seed"]) == (201, "")
    told = await pooled.call("GET", f"{ROUND}/draws")
    assert told.json()["draws"][0]["commitment"] == promised.json()["commitment"]
    seed = await pooled.desk.pool.fetchval("SELECT seed FROM draws")
    assert seed not in told.text + (await pooled.call("GET", f"{ROUND}/draws", "ann")).text
    frozen = await pooled.call("POST", f"{ROUND}/pool", "ann", json={"experts": [{"expert": "p99"}]})
    assert (frozen.status_code, frozen.json()["reason"]) == (409, "pool_frozen")


async def test_the_draw_takes_a_second_person_and_a_word(pooled: Scoring) -> None:
    await pooled.call("POST", f"{ROUND}/draws", "ann", json=PLAN)
    path = f"{ROUND}/draws/1/reveals"
    own = await pooled.call("POST", path, "ann", json={"word": "x"})
    assert (own.status_code, own.json()["reason"]) == (409, "same_person")
    silent = await pooled.call("POST", path, "bob", json={"word": " "})
    assert (silent.status_code, silent.json()["reason"]) == (422, "reason_missing")
    other = await pooled.call("POST", f"{ROUND}/draws/2/reveals", "bob", json={"word": "x"})
    assert (other.status_code, other.json()["reason"]) == (404, "unknown_draw")
    assert (await pooled.call("POST", path, "bob", json={"word": "x"})).status_code == 201
    for again in (
        await pooled.call("POST", path, "bob", json={"word": "y"}),
        await pooled.call("POST", f"{ROUND}/draws", "ann", json=PLAN),
    ):
        assert (again.status_code, again.json()["reason"]) == (409, "panel_drawn")


async def test_a_pool_changed_behind_the_promise_is_refused(pooled: Scoring) -> None:
    await pooled.call("POST", f"{ROUND}/draws", "ann", json=PLAN)
    await pooled.desk.pool.execute("UPDATE pool_experts SET unit = '别的大学' WHERE expert = 'p5'")
    changed = await pooled.call("POST", f"{ROUND}/draws/1/reveals", "bob", json={"word": "x"})
    assert (changed.status_code, changed.json()["reason"]) == (409, "pool_changed")


async def test_anybody_with_the_record_draws_the_same_panel(drawn: Scoring) -> None:
    [told] = (await record(drawn))["draws"]
    assert sha256(told["seed"].encode()).hexdigest() == told["commitment"]
    items = (await drawn.call("GET", f"{ROUND}/pool?limit=200", "eve")).json()["items"]
    pool = [PoolExpert(each["expert"]) for each in items]
    needs = [Need(each["group"], each["seats"], each["reserves"], unit_max=0) for each in told["plan"]["needs"]]
    again = draw(pool, needs, final_seed(told["seed"], told["word"]), {"level=major": {"p0": 2}})
    assert isinstance(again, list)
    shown = [(each["group"], each["members"], each["reserves"]) for each in told["panels"]]
    assert shown == [(each.group, list(each.members), list(each.reserves)) for each in again]
    assert "p0" not in again[0].members + again[0].reserves
    public = await drawn.call("GET", f"{ROUND}/draws")
    assert "panels" not in public.json()["draws"][0]
    assert "ann" not in public.text


@pytest.mark.parametrize(
    ("plan", "status", "reason"),
    [
        ({"needs": PLAN["needs"][:1]}, 422, "bad_plan"),
        ({"needs": [{**each, "seats": 2} for each in PLAN["needs"]]}, 422, "bad_plan"),
        ({"needs": [{**each, "unit_max": -1} for each in PLAN["needs"]]}, 422, "bad_plan"),
        ({**PLAN, "assignment": "balanced", "marks_each": 4}, 422, "bad_plan"),
        ({"needs": [{**each, "seats": 9} for each in PLAN["needs"]]}, 409, "panel_unfilled"),
        ({"needs": [{**each, "fields": {"art": 1}} for each in PLAN["needs"]]}, 409, "panel_unfilled"),
    ],
)
async def test_a_plan_that_cannot_be_drawn_is_refused(
    pooled: Scoring, plan: dict[str, Any], status: int, reason: str
) -> None:
    refused = await pooled.call("POST", f"{ROUND}/draws", "ann", json=plan)
    assert (refused.status_code, refused.json()["reason"]) == (status, reason)


async def test_seats_decide_who_scores_what(drawn: Scoring) -> None:
    major, key = await panel_of(drawn, "level=major"), await panel_of(drawn, "level=key")
    queue = (await drawn.call("GET", f"{ROUND}/sheets", major["members"][0])).json()["sheets"]
    assert [each["candidate"] for each in queue] == ["c1", "c3"]
    foreign = await drawn.call("GET", f"{ROUND}/sheets/c2", major["members"][0])
    assert (foreign.status_code, foreign.json()["reason"]) == (403, "not_assigned")
    reserve = await drawn.call("GET", f"{ROUND}/sheets", key["reserves"][0])
    assert (reserve.status_code, reserve.json()["reason"]) == (403, "not_on_panel")


async def test_the_letter_is_signed_before_the_first_mark(drawn: Scoring) -> None:
    expert = (await panel_of(drawn, "level=key"))["members"][0]
    body = {"marks": {"effect": "50"}}
    early = await drawn.call("PUT", f"{ROUND}/sheets/c2", expert, json=body)
    assert (early.status_code, early.json()["reason"]) == (403, "letter_unsigned")
    other = await drawn.call("POST", f"{ROUND}/letter", expert, json={"version": "old"})
    assert (other.status_code, other.json()["reason"]) == (409, "letter_changed")
    await sign(drawn, expert)
    letter = (await drawn.call("GET", f"{ROUND}/letter", expert)).json()
    assert "承诺" in letter["text"]
    await sign(drawn, expert)
    assert (await drawn.call("GET", f"{ROUND}/letter", expert)).json()["signed_at"] == letter["signed_at"]
    assert (await drawn.call("PUT", f"{ROUND}/sheets/c2", expert, json=body)).status_code == 200
    assert (await drawn.call("POST", f"{ROUND}/letter", "xu", json={"version": "x"})).status_code == 403


async def test_below_three_marks_the_first_reserve_is_called(drawn: Scoring) -> None:
    panel = await panel_of(drawn, "level=major")
    out, reserves = panel["members"][0], panel["reserves"]
    gone = await drawn.call("POST", f"{ROUND}/sheets/c1/recusals", out, json={"reason": "同事"})
    assert gone.status_code == 201, gone.text
    [called] = (await record(drawn))["called"]
    assert (called["candidate"], called["expert"], called["called_for"]) == ("c1", reserves[0], out)
    queue = (await drawn.call("GET", f"{ROUND}/sheets", reserves[0])).json()["sheets"]
    assert [each["candidate"] for each in queue] == ["c1"]
    for member in panel["members"][1:]:
        await drawn.call("POST", f"{ROUND}/sheets/c1/recusals", member, json={"reason": "同事"})
    assert [each["expert"] for each in (await record(drawn))["called"]] == reserves
    progress = (await drawn.call("GET", f"{ROUND}/progress", "ann")).json()["panels"]
    assert {each["group"]: each["short_of_marks"] for each in progress}["level=major"] == ["c1"]


async def test_whom_facts_tie_to_a_candidate_neither_sees_nor_scores_it(office: Scoring) -> None:
    await office.add_round(scored_rules(), experts=["xu", "li"])
    await office.score("xu", "c1", "90", "80")
    await office.add_staff("xu", "expert", version=2, channel="区1")
    for method, path in (("GET", "c1"), ("PUT", "c1"), ("POST", "c1/submit"), ("GET", "c1/versions")):
        body: dict[str, Any] = {"json": {"marks": {}}} if method == "PUT" else {}
        refused = await office.call(method, f"{ROUND}/sheets/{path}", "xu", **body)
        assert (refused.status_code, refused.json()["reason"]) == (403, "conflict_of_interest"), path
    queue = (await office.call("GET", f"{ROUND}/sheets", "xu")).json()["sheets"]
    assert [each["candidate"] for each in queue] == ["c2", "c3"]
    state = (await office.call("GET", f"{ROUND}/state", "ann")).json()
    assert (state["panel"][0]["assigned"], state["panel"][0]["submitted"]) == (2, 0)


async def test_a_conflict_is_lifted_by_two_who_have_none_themselves(office: Scoring) -> None:
    await office.add_round(scored_rules(), experts=["xu", "li"])
    await office.add_staff("xu", "expert", version=2, channel="区1")
    await office.add_staff("cai", "administrator", channel="区1")
    path, body = f"{ROUND}/proposals", {"kind": "lift_conflict", "candidate": "c1", "expert": "xu", "reason": "已调离"}
    tied = await office.call("POST", path, "cai", json=body)
    assert (tied.status_code, tied.json()["reason"]) == (403, "conflict_of_interest")
    proposed = await office.call("POST", path, "ann", json=body)
    second = await office.call("POST", f"{path}/{proposed.json()['proposal']}/confirmations", "cai")
    assert (second.status_code, second.json()["reason"]) == (403, "conflict_of_interest")
    await agree(office, proposed)
    assert (await office.call("GET", f"{ROUND}/sheets/c1", "xu")).status_code == 200
    none = await office.call("POST", path, "ann", json={**body, "candidate": "c2"})
    assert (none.status_code, none.json()["reason"]) == (404, "unknown_sheet")


async def test_an_administrator_touches_no_candidate_of_the_own_unit(office: Scoring) -> None:
    rules = scored_rules()
    await office.add_round(rules)
    await office.score("xu", "c1", "90", "80")
    await office.add_staff("cai", "administrator", "expert", unit="单位1")
    reopening = {"expert": "xu", "reason": "录入错误"}
    for path, body in (
        ("sheets/c1/reopenings", reopening),
        ("sheets/c1/recusals", reopening),
        ("papers", {"candidate": "c1", "expert": "li"}),
        ("proposals", {"kind": "reopen_sheet", "candidate": "c1", **reopening}),
    ):
        refused = await office.call("POST", f"{ROUND}/{path}", "cai", json=body)
        assert (refused.status_code, refused.json()["reason"]) == (403, "conflict_of_interest"), path


async def test_the_audit_of_a_drawn_panel_is_silent_and_finds_a_changed_seed(drawn: Scoring) -> None:
    expert = (await panel_of(drawn, "level=key"))["members"][0]
    await sign(drawn, expert)
    await drawn.score(expert, "c2", "50", "60")
    owner = await asyncpg.connect(drawn.database.owner_url)
    try:
        for name, query in INVARIANTS.items():
            assert await owner.fetch(query) == [], name
        await owner.execute("ALTER TABLE draws DISABLE TRIGGER USER")
        await owner.execute("ALTER TABLE letters DISABLE TRIGGER USER")
        await owner.execute("UPDATE draws SET seed = 'x'")
        await owner.execute("DELETE FROM letters")
        found = {name for name, query in INVARIANTS.items() if await owner.fetch(query)}
    finally:
        await owner.close()
    assert found == {
        "a draw's seed is the one that was promised",
        "where a panel was drawn, the letter was signed before the first mark",
    }
