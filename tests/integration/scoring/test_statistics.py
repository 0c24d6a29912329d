"""The statistics beside a ranking: made in the background, hidden until publication, naming nobody."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.scoring import statistics, store
from services.scoring.reasons import Reason
from services.scoring.store import ranking_files
from services.shared.errors import Refusal
from tests.integration.scoring.conftest import Scoring, agree, scored_rules
from tests.support.waiting import wait_until

RANKINGS = "/rounds/small/rankings"
STATISTICS = f"{RANKINGS}/1/statistics"
VOTES = {"c1": 8613, "c2": 7771, "c3": 3009}
MARKS = {"xu": ("90", "80"), "li": ("70", "71.5"), "wu": ("60", "61")}


async def propose(office: Scoring, more: str = "") -> None:
    """Three experts score three candidates; `ann` proposes the ranking."""
    await office.add_staff("wu", "expert")
    await office.add_round(scored_rules(more=more), experts=list(MARKS))
    for expert, marks in MARKS.items():
        for candidate in VOTES:
            await office.score(expert, candidate, *marks)
    await office.add_tally(VOTES)
    assert (await office.call("POST", RANKINGS, "ann")).status_code == 201


async def made(office: Scoring) -> Any:
    """What an administrator sees once the background step has made it."""

    async def is_made() -> bool:
        return (await office.call("GET", STATISTICS, "ann")).status_code == 200

    await wait_until(is_made, 30, "the statistics are made")
    return (await office.call("GET", STATISTICS, "ann")).json()


async def test_administrators_see_them_before_the_public(office: Scoring) -> None:
    await propose(office)
    document = await made(office)
    assert document["intervals"]["draws"] == 2_000
    assert (await office.call("GET", STATISTICS, "eve")).json() == document
    for username in ("", "xu"):
        answer = await office.call("GET", STATISTICS, username)
        assert (answer.status_code, answer.json()["reason"]) == (404, "unknown_ranking")
    assert (await office.call("POST", f"{RANKINGS}/1/confirmations", "bob")).status_code == 201
    public = await office.call("GET", STATISTICS)
    assert (public.status_code, public.json()) == (200, document)
    assert public.headers["cache-control"] == "no-cache"


async def test_no_experts_name_and_no_link_between_public_sheets(office: Scoring) -> None:
    await propose(office)
    document = await made(office)
    assert document["experts_linked"]
    told = json.dumps(document)
    assert not any(f'"{name}"' in told for name in MARKS)
    files = await ranking_files(office.desk.pool, "small", 1)
    on_sheets = {line.partition(",")[0] for line in files["scores.csv"].decode().splitlines()[1:]}
    over_the_round = {each["expert"] for each in document["experts"]}
    assert len(over_the_round) == len(MARKS)
    assert not over_the_round & on_sheets


async def test_they_are_the_same_whenever_they_are_made(office: Scoring) -> None:
    await propose(office)
    document = await made(office)
    files = await ranking_files(office.desk.pool, "small", 1)
    affiliations = await statistics.affiliations_of(office.desk, "small")
    work = statistics.Work("small", files, affiliations, office.desk.keys.pseudonyms)
    again = await asyncio.to_thread(statistics.make, work)
    assert json.loads(again) == document
    assert await statistics.attach_once(office.desk) == 0


async def test_until_they_are_made_the_answer_says_so(office: Scoring) -> None:
    """The background step is too quick to catch: ask for those of a version that is not there yet."""
    await propose(office)
    ranking = await store.ranking(office.desk.pool, "small", 1)
    found = await office.desk.round("small")
    assert ranking is not None
    with pytest.raises(Refusal) as refused:
        await statistics.document_of(office.desk, found.rules, replace(ranking, version=2), sees_all=True)
    assert (refused.value.reason, refused.value.retry_after_s) == (Reason.STATISTICS_PENDING, 15)


async def test_where_only_the_selected_are_published_the_public_reads_of_nobody_else(office: Scoring) -> None:
    more = '[selection]\nplaces = { major = 1, key = 1 }\n[publication]\nranking = "selected"\n'
    await propose(office, more)
    document = await made(office)
    await office.call("POST", f"{RANKINGS}/1/confirmations", "bob")
    public = (await office.call("GET", STATISTICS)).json()
    assert [each["candidate"] for each in document["own_sheets"]] == ["c3"]
    assert '"c3"' not in json.dumps(public)
    assert {each["candidate"] for each in public["marks"]} == {"c1", "c2"}
    assert (await office.call("GET", STATISTICS, "ann")).json() == document


async def test_whom_facts_tie_to_a_candidate_counts_as_affiliated_also_where_that_was_lifted(office: Scoring) -> None:
    await office.add_round(scored_rules())
    await office.add_staff("xu", "expert", version=2, channel="区1")
    assert await statistics.affiliations_of(office.desk, "small") == {"xu": {"c1"}}
    body = {"kind": "lift_conflict", "candidate": "c1", "expert": "xu", "reason": "已调离"}
    await agree(office, await office.call("POST", "/rounds/small/proposals", "ann", json=body))
    assert not (await office.desk.round("small")).is_tied("xu", "c1")
    assert await statistics.affiliations_of(office.desk, "small") == {"xu": {"c1"}}


async def test_they_cannot_be_changed(office: Scoring) -> None:
    await propose(office)
    await made(office)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await office.desk.pool.execute("UPDATE ranking_statistics SET body = ''")


async def test_a_stopping_service_does_not_wait_for_them(office: Scoring) -> None:
    await propose(office)
    await made(office)
    files = await ranking_files(office.desk.pool, "small", 1)
    before = set(children())
    making = asyncio.create_task(statistics.made_apart(statistics.Work("small", files, {}, b"key", 10**9)))
    await wait_until(lambda: set(children()) != before, 10, "a process of its own makes them")
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    assert set(children()) <= before


def children() -> list[str]:
    """Processes that this one started and has not taken leave of."""
    return [pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()]


async def test_what_the_rules_refuse_is_told_once(office: Scoring) -> None:
    await propose(office)
    files = await ranking_files(office.desk.pool, "small", 1)
    broken = files | {"auditors/scores.csv": b"expert,candidate,criterion,score\nxu,c1,innovation,101\n"}
    document = json.loads(statistics.make(statistics.Work("small", broken, {}, b"key")))
    assert document == {"refused": "score 101 is outside 0 to 100; correct the mark"}
