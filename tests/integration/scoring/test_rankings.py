"""From sealed votes and submitted sheets to a published ranking that anybody can recompute."""

from __future__ import annotations

import asyncio
import io
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.scoring.audit import INVARIANTS
from services.shared.messages import SCORING_RANKINGS, RankingMessage, decode
from services.shared.outbox import lag_s
from services.shared.ranking.bundle import rank_bundle, read_bundle
from services.shared.ranking.ranking import ranking_csv
from tests.integration.scoring.conftest import Scoring, agree, scored_rules
from tests.support.waiting import wait_until

RANKINGS = "/rounds/small/rankings"
VOTES = {"c1": 8613, "c2": 7771, "c3": 3009}


@pytest.fixture
async def scored(office: Scoring) -> Scoring:
    """A panel of two who scored everything: c1 and c3 are `major`, c2 is alone in `key`."""
    await office.add_round(scored_rules(), experts=["xu", "li"])
    for expert, marks in (("xu", ("90", "80")), ("li", ("70", "71.5"))):
        for candidate in ("c1", "c2", "c3"):
            await office.score(expert, candidate, *marks)
    return office


@pytest.fixture
async def sealed(scored: Scoring) -> Scoring:
    await scored.add_tally(VOTES)
    return scored


async def publish(office: Scoring, recomputation: dict[str, str] | None = None) -> int:
    proposed = await office.call("POST", RANKINGS, "ann", json=recomputation)
    assert proposed.status_code == 201, proposed.text
    version = int(proposed.json()["version"])
    confirmed = await office.call("POST", f"{RANKINGS}/{version}/confirmations", "bob")
    assert confirmed.status_code == 201, confirmed.text
    return version


async def test_two_administrators_publish_and_the_bundle_gives_the_same_bytes(sealed: Scoring, tmp_path: Path) -> None:
    version = await publish(sealed)
    csv = (await sealed.call("GET", f"{RANKINGS}/{version}.csv")).content
    # c1: votes 8613/8613 → 100 × 0.3 = 30; experts 0.5 · 80 + 0.5 · 75.75 = 77.875, × 0.7 = 54.5125; 84.5125 → 84.51.
    assert csv.decode().splitlines()[:2] == [
        "group,place,candidate,total,vote_points,expert_points,tie_break,outcome",
        "level=key,1,c2,84.51,100.00,77.875,,",
    ]
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes((await sealed.call("GET", "/rounds/small/bundle.zip")).content)
    assert ranking_csv(rank_bundle(read_bundle(bundle))) == csv
    with zipfile.ZipFile(bundle) as archive:
        assert archive.read("ranking.csv") == csv
        assert sorted(archive.namelist()) == [
            "candidates.csv", "exclusions.csv", "manifest.json", "ranking.csv", "rules.toml", "scores.csv", "votes.csv",
        ]  # fmt: skip
    assert (await sealed.call("GET", "/rounds/small/bundle.zip")).content == bundle.read_bytes()


@pytest.mark.parametrize("body", [b"", b"{}"])
async def test_a_first_ranking_needs_no_reason(sealed: Scoring, body: bytes) -> None:
    """As pages and the command line propose it."""
    headers = {"content-type": "application/json"}
    proposed = await sealed.call("POST", RANKINGS, "ann", content=body, headers=headers)
    assert (proposed.status_code, proposed.json()["version"]) == (201, 1)


async def test_the_publication_goes_out_as_a_message(sealed: Scoring) -> None:
    version = await publish(sealed)

    async def sent() -> bool:
        return bool(await sealed.redis.xlen(SCORING_RANKINGS))

    await wait_until(sent, 10, "the ranking is in the stream")
    entries: Any = await sealed.redis.xrange(SCORING_RANKINGS)
    message = decode(entries[0][1][b"body"])
    assert len(entries) == 1
    assert isinstance(message, RankingMessage)
    assert (message.round, message.version, message.published_by) == ("small", version, ["ann", "bob"])
    assert message.ranking_csv.encode() == (await sealed.call("GET", f"{RANKINGS}/{version}.csv")).content


async def test_before_publication_only_administrators_and_auditors_see_anything(sealed: Scoring) -> None:
    version = (await sealed.call("POST", RANKINGS, "ann")).json()["version"]
    for path in (RANKINGS, *(f"{RANKINGS}/{version}{kind}" for kind in ("", ".csv", ".json", ".xlsx"))):
        for username in ("", "xu"):
            answer = await sealed.call("GET", path, username)
            assert (answer.status_code, answer.json()["reason"]) == (404, "unknown_ranking"), path
        for username in ("ann", "eve"):
            assert (await sealed.call("GET", path, username)).status_code == 200, path
    assert (await sealed.call("GET", "/rounds/small/bundle.zip")).status_code == 404
    assert (await sealed.call("GET", "/rounds/small/bundle.zip?auditor=true", "xu")).status_code == 403
    assert (await sealed.call("GET", "/rounds/small/bundle.zip?auditor=true", "eve")).status_code == 200
    page = await sealed.http.get("/results/small", headers={"accept": "text/html"})
    assert page.status_code == 200
    told = page.text + (await sealed.call("GET", "/rounds/small")).text
    told += (await sealed.call("GET", "/rounds/small/state", "ann")).text
    for secret in ("8613", "8,613", "7771", "84.51"):
        assert secret not in told


async def test_no_mark_or_count_stands_readable_in_stream_or_tally_table(scored: Scoring) -> None:
    await scored.add_tally({"c1": 987654})
    body = await scored.desk.pool.fetchval("SELECT sealed FROM tallies")
    assert b"987654" not in body
    assert await scored.redis.exists(SCORING_RANKINGS) == 0


async def test_the_proposer_cannot_confirm(sealed: Scoring) -> None:
    await sealed.call("POST", RANKINGS, "ann")
    own = await sealed.call("POST", f"{RANKINGS}/1/confirmations", "ann")
    assert (own.status_code, own.json()["reason"]) == (409, "same_person")
    assert (await sealed.call("POST", f"{RANKINGS}/1/confirmations", "eve")).status_code == 403
    assert (await sealed.call("POST", f"{RANKINGS}/1/confirmations")).status_code == 401
    assert (await sealed.call("POST", f"{RANKINGS}/2/confirmations", "bob")).status_code == 404


async def test_confirming_twice_publishes_once(sealed: Scoring) -> None:
    version = await publish(sealed)
    again = await sealed.call("POST", f"{RANKINGS}/{version}/confirmations", "bob")
    assert again.json()["state"] == "published"
    assert await sealed.desk.pool.fetchval("SELECT count(*) FROM outbox") == 1
    repeated = await sealed.call("POST", RANKINGS, "bob")
    assert repeated.json()["version"] == version


async def test_nothing_is_published_while_staff_records_lag(sealed: Scoring) -> None:
    await sealed.call("POST", RANKINGS, "ann")
    await sealed.redis.delete("registry.staff:heartbeat")
    quiet = 0

    async def lags() -> bool:
        """A run of the follower may still be under way: the lag must have stayed for a few of them."""
        nonlocal quiet
        quiet += 1
        if await lag_s(sealed.desk.pool, "registry.staff") < 60:
            quiet = 0
            await sealed.desk.pool.execute(
                "UPDATE stream_checkpoints SET complete_at = now() - interval '2 minutes'"
                " WHERE stream = 'registry.staff'"
            )
        return quiet > 3

    await wait_until(lags, 20, "the follower of accounts lags", every_s=0.5)
    refused = await sealed.call("POST", f"{RANKINGS}/1/confirmations", "bob")
    assert (refused.status_code, refused.json()["reason"]) == (503, "staff_stale")


async def test_an_open_sheet_is_named(office: Scoring) -> None:
    await office.add_round(scored_rules())
    await office.add_tally(VOTES)
    await office.score("xu", "c1", "90", "80")
    await office.call("PUT", "/rounds/small/sheets/c2", "li", json={"marks": {"effect": "1"}})
    refused = await office.call("POST", RANKINGS, "ann")
    assert (refused.status_code, refused.json()["reason"]) == (409, "sheet_open")
    assert refused.json()["sheets"] == [{"expert": "li", "candidate": "c2"}]


async def test_while_scoring_is_open_every_assigned_sheet_must_be_in(office: Scoring) -> None:
    await office.add_round(scored_rules(), experts=["xu", "li"], count=1)
    await office.add_tally({"c1": 3})
    await office.score("xu", "c1", "90", "80")
    refused = await office.call("POST", RANKINGS, "ann")
    assert (refused.status_code, refused.json()["reason"]) == (409, "scoring_open")
    await office.call("POST", "/rounds/small/sheets/c1/recusals", "li", json={"reason": "同事"})
    assert (await office.call("POST", RANKINGS, "ann")).status_code == 201


async def test_after_the_window_a_sheet_never_begun_is_only_missing(office: Scoring) -> None:
    rules = scored_rules()
    await office.add_round(rules, experts=["xu", "li"])
    await office.score("xu", "c1", "90", "80")
    await office.add_tally(VOTES)
    await office.add_round(rules, experts=["xu", "li"], closed_early_at=datetime.now(UTC))
    assert (await office.call("POST", RANKINGS, "ann")).status_code == 201
    ranking = (await office.call("GET", f"{RANKINGS}/1", "ann")).json()
    assert [(row["candidate"], row["sheets"]) for row in ranking["rows"]] == [("c2", 0), ("c1", 1), ("c3", 0)]


async def test_an_abandoned_sheet_is_set_aside_after_the_window(office: Scoring) -> None:
    rules = scored_rules()
    await office.add_round(rules)
    await office.add_tally(VOTES)
    await office.call("PUT", "/rounds/small/sheets/c2", "li", json={"marks": {"effect": "1"}})
    body = {"expert": "li", "reason": "专家生病"}
    path = "/rounds/small/sheets/c2/recusals"
    early = await office.call("POST", path, "ann", json=body)
    assert (early.status_code, early.json()["reason"]) == (409, "scoring_open")
    await office.add_round(rules, closed_early_at=datetime.now(UTC))
    assert (await office.call("POST", RANKINGS, "ann")).json()["reason"] == "sheet_open"
    assert (await office.call("POST", path, "ann", json=body)).json()["state"] == "recused"
    assert (await office.call("POST", RANKINGS, "ann")).status_code == 201


async def test_votes_that_count_must_be_sealed(scored: Scoring) -> None:
    refused = await scored.call("POST", RANKINGS, "ann")
    assert (refused.status_code, refused.json()["reason"]) == (409, "tally_missing")


async def test_a_round_of_experts_alone_needs_no_tally(office: Scoring) -> None:
    await office.add_round(scored_rules(votes="0", experts="1"), count=2)
    await office.score("xu", "c1", "90", "80")
    assert await publish(office) == 1
    assert b"c1,85.00,,85," in (await office.call("GET", f"{RANKINGS}/1.csv")).content


async def test_a_proposal_overtaken_by_new_marks_or_votes_is_stale(sealed: Scoring) -> None:
    await sealed.call("POST", RANKINGS, "ann")
    body = {"expert": "xu", "reason": "录入错误"}
    await agree(sealed, await sealed.call("POST", "/rounds/small/sheets/c1/reopenings", "ann", json=body))
    blocked = await sealed.call("POST", f"{RANKINGS}/1/confirmations", "bob")
    assert (blocked.status_code, blocked.json()["reason"]) == (409, "sheet_open")
    await sealed.score("xu", "c1", "60", "60")
    stale = await sealed.call("POST", f"{RANKINGS}/1/confirmations", "bob")
    assert (stale.status_code, stale.json()["reason"]) == (409, "stale")
    assert (await sealed.call("POST", RANKINGS, "ann")).json()["version"] == 2
    await sealed.add_tally({**VOTES, "c1": 5}, version=2)
    later = await sealed.call("POST", f"{RANKINGS}/2/confirmations", "bob")
    assert (later.status_code, later.json()["reason"]) == (409, "stale")


async def test_a_proposer_who_lost_the_role_no_longer_signs(sealed: Scoring) -> None:
    await sealed.call("POST", RANKINGS, "ann")
    await sealed.add_staff("ann", "auditor", version=2)
    answer = await sealed.call("POST", f"{RANKINGS}/1/confirmations", "bob")
    assert (answer.status_code, answer.json()["reason"]) == (409, "stale")


async def test_marks_cannot_follow_a_publication(office: Scoring) -> None:
    """The panel is open to any expert, so that the window alone would still let a mark in."""
    await office.add_round(scored_rules())
    await office.add_tally(VOTES)
    await office.score("xu", "c1", "90", "80")
    await publish(office)
    late = await office.call("PUT", "/rounds/small/sheets/c2", "li", json={"marks": {"effect": "1"}})
    assert (late.status_code, late.json()["reason"]) == (409, "round_published")


async def test_experts_are_pseudonyms_that_differ_between_candidates(sealed: Scoring) -> None:
    await publish(sealed)

    async def experts(path: str, username: str = "") -> dict[str, set[str]]:
        data = (await sealed.call("GET", path, username)).content
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            rows = archive.read("scores.csv").decode().splitlines()[1:]
        found: dict[str, set[str]] = {}
        for row in rows:
            expert, candidate, *_ = row.split(",")
            found.setdefault(candidate, set()).add(expert)
        return found

    public = await experts("/rounds/small/bundle.zip")
    assert all(len(names) == 2 for names in public.values())
    assert len(set().union(*public.values())) == 6
    assert "xu" not in set().union(*public.values())
    assert set().union(*(await experts("/rounds/small/bundle.zip?auditor=true", "eve")).values()) == {"xu", "li"}


async def test_the_workbook_neutralises_formulas(office: Scoring) -> None:
    import msgspec

    from services.shared.messages import REGISTRY_ROUNDS

    message = await office.add_round(scored_rules(votes="1", experts="0"), count=2)
    bad = [msgspec.structs.replace(card, title="=HYPERLINK(1)", unit="+1") for card in message.candidates]
    await office.send(REGISTRY_ROUNDS, msgspec.structs.replace(message, version=2, candidates=bad))
    await office.add_tally({"c1": 5, "c2": 3})
    await publish(office)
    data = (await office.call("GET", f"{RANKINGS}/1.xlsx")).content
    assert data == (await office.call("GET", f"{RANKINGS}/1.xlsx")).content
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in sheet
        assert "=HYPERLINK(1)" in archive.read("xl/sharedStrings.xml").decode()


async def test_the_state_page_tells_progress_without_marks(scored: Scoring) -> None:
    for username, status in (("ann", 200), ("eve", 200), ("xu", 403), ("", 401)):
        assert (await scored.call("GET", "/rounds/small/state", username)).status_code == status
    state = (await scored.call("GET", "/rounds/small/state", "ann")).json()
    assert state["panel"][0] == {
        "expert": "xu", "assigned": 3, "saved": 0, "submitted": 3, "recused": 0, "name": "姓名xu",
    }  # fmt: skip
    assert (state["tally"], state["rankings"], state["window"]["state"]) == (None, [], "open")


async def test_the_audit_is_silent_and_finds_what_is_wrong(sealed: Scoring) -> None:
    await publish(sealed)
    owner = await asyncpg.connect(sealed.database.owner_url)
    try:
        for name, query in INVARIANTS.items():
            assert await owner.fetch(query) == [], name
        await owner.execute("UPDATE sheets SET marks = marks - 'effect' WHERE expert = 'xu' AND candidate = 'c1'")
        await owner.execute("DELETE FROM outbox")
        found = {name for name, query in INVARIANTS.items() if await owner.fetch(query)}
    finally:
        await owner.close()
    assert found == {
        "a submitted sheet has a mark for every criterion",
        "a sheet is what its newest version says",
        "every publication left exactly one message",
    }


async def test_lots_that_must_break_a_tie_wait_for_their_seed(office: Scoring) -> None:
    from hashlib import sha256

    commitment = sha256(b"seed").hexdigest()
    more = f'tie_break = ["lots"]\nlots_commitment = "{commitment}"\n'
    rules = scored_rules(votes="1", experts="0", more=more)
    await office.add_round(rules, count=4)
    await office.add_tally({"c1": 5, "c2": 3, "c3": 5, "c4": 1})
    refused = await office.call("POST", RANKINGS, "ann")
    assert (refused.status_code, refused.json()["reason"]) == (409, "lots_missing")
    await office.add_round(rules, count=4, lots_seed="seed")
    assert (await office.call("POST", RANKINGS, "ann")).status_code == 201


async def test_a_withdrawn_candidate_is_in_no_queue_and_in_no_ranking(office: Scoring) -> None:
    import msgspec

    from services.shared.messages import REGISTRY_ROUNDS

    message = await office.add_round(scored_rules(votes="1", experts="0"))
    cards = [msgspec.structs.replace(card, withdrawn_at=datetime.now(UTC)) for card in message.candidates[:1]]
    changed = msgspec.structs.replace(message, version=2, candidates=cards + message.candidates[1:])
    await office.send(REGISTRY_ROUNDS, changed)
    await office.add_tally(VOTES)
    queue = (await office.call("GET", "/rounds/small/sheets", "xu")).json()
    assert [row["candidate"] for row in queue["sheets"]] == ["c2", "c3"]
    await publish(office)
    assert b"c1" not in (await office.call("GET", f"{RANKINGS}/1.csv")).content


async def test_public_facts_name_digest_and_windows(office: Scoring) -> None:
    closes = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    message = await office.add_round(scored_rules(closes=closes))
    facts = (await office.call("GET", "/rounds/small")).json()
    assert facts["digest"] == message.digest
    assert datetime.fromisoformat(facts["windows"]["scoring"]["closes_at"]) == closes


async def test_a_correction_after_publication_is_a_new_version_beside_the_old_one(sealed: Scoring) -> None:
    await publish(sealed)
    first = (await sealed.call("GET", f"{RANKINGS}/1.csv")).content
    body = {"expert": "xu", "reason": "录入错误"}
    await agree(sealed, await sealed.call("POST", "/rounds/small/sheets/c1/reopenings", "ann", json=body))
    await sealed.score("xu", "c1", "60", "60")
    bare = await sealed.call("POST", RANKINGS, "ann")
    assert (bare.status_code, bare.json()["reason"]) == (422, "reason_missing")
    assert "sheet_reopened" in bare.json()["causes"]
    assert await publish(sealed, {"cause": "sheet_reopened", "reason": "录入错误"}) == 2
    listed = (await sealed.call("GET", RANKINGS)).json()["rankings"]
    assert [(each["version"], each["state"]) for each in listed] == [(1, "published"), (2, "published")]
    assert (await sealed.call("GET", f"{RANKINGS}/1.csv")).content == first
    assert (await sealed.call("GET", f"{RANKINGS}/2.csv")).content != first
    old = (await sealed.call("GET", "/rounds/small/bundle.zip?version=1")).content
    assert old != (await sealed.call("GET", "/rounds/small/bundle.zip")).content


async def test_what_experts_read_is_kept_in_no_cache(sealed: Scoring) -> None:
    for path, username in (
        ("/rounds/small/sheets/c1", "xu"),
        ("/rounds/small/sheets", "xu"),
        ("/rounds/small/state", "ann"),
    ):
        answer = await sealed.call("GET", f"/rounds/small{path}", username)
        assert answer.headers["cache-control"] == "no-store", path


async def test_simultaneous_first_saves_make_versions_in_a_row(office: Scoring) -> None:
    await office.add_round(scored_rules())
    path = "/rounds/small/sheets/c1"
    answers = await asyncio.gather(
        *(office.call("PUT", path, "xu", json={"marks": {"effect": str(mark)}}) for mark in range(8))
    )
    assert sorted(answer.json()["version"] for answer in answers) == list(range(1, 9))
