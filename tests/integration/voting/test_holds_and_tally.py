"""After the commit: holds by two people, the sealed tally, and the receipt that tells what happened."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.cli.audit import violations
from services.cli.supervisor import PlatformServers
from services.shared.keys import derive, unseal
from services.shared.messages import TallyContent, TallyMessage, decode
from services.shared.settings import read_secret
from services.voting import tally
from services.voting.identity import RoundKeys
from tests.integration.voting.conftest import Voting
from tests.integration.voting.office import BASE, Office
from tests.support.rounds import round_message, rules_text
from tests.support.waiting import wait_until


@pytest.fixture
async def office(voting: Voting, servers: PlatformServers) -> Office:
    await voting.add_round(round_message(rules_text(ballot="choices_min = 1\nchoices_max = 3\n")))
    office = Office(voting, servers)
    for name in ("ann", "bob"):
        await office.add(name)
    return office


async def _votes(voting: Voting, *ballots: list[str]) -> list[str]:
    receipts = []
    for choices in ballots:
        citizen = voting.citizen()
        await citizen.sign_in()
        receipts.append((await citizen.vote(choices)).json()["receipt"])
    return receipts


async def _hold(office: Office, receipts: list[str], name: str = "ann") -> str:
    form = {"ballots": receipts, "reason": "rented_accounts", "evidence": "payment screenshots"}
    answer = await office.call(name, "POST", "/holds", form)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["hold"])


async def _decide(office: Office, hold: str, decision: str, first: str = "ann", second: str = "bob") -> httpx.Response:
    form = {"decision": decision, "reason": "evidence checked"}
    decided = await office.call(first, "POST", f"/holds/{hold}/decisions", form)
    assert decided.status_code == 201, decided.text
    return await office.call(second, "POST", f"/holds/{hold}/confirmations")


async def _state(voting: Voting, receipt: str) -> dict[str, Any]:
    found: dict[str, Any] = (await voting.http.get(f"/api/voting/v1/receipts/{receipt}")).json()
    return found


async def test_two_people_exclude_and_the_receipt_says_why(voting: Voting, office: Office) -> None:
    receipt, other = await _votes(voting, ["c1"], ["c2"])
    hold = await _hold(office, [receipt])
    assert (await _state(voting, receipt))["state"] == "held"
    assert (await _decide(office, hold, "exclude")).json()["state"] == "excluded"
    found = await _state(voting, receipt)
    assert (found["state"], found["reason"]) == ("excluded", "rented_accounts")
    assert (await _state(voting, other))["state"] == "recorded"


async def test_a_hold_is_shown_on_the_receipt_after_the_rules_delay_only(voting: Voting, servers: Any) -> None:
    rules = rules_text(ballot="choices_min = 1\nchoices_max = 3\nheld_shown_after_h = 24\n")
    await voting.add_round(round_message(rules))
    office = Office(voting, servers)
    await office.add("ann")
    (receipt,) = await _votes(voting, ["c1"])
    await _hold(office, [receipt])
    assert await _state(voting, receipt) == {**await _state(voting, receipt), "state": "recorded"}
    assert "reason" not in await _state(voting, receipt)


async def test_one_person_alone_decides_nothing(voting: Voting, office: Office) -> None:
    (receipt,) = await _votes(voting, ["c1"])
    hold = await _hold(office, [receipt])
    alone = await _decide(office, hold, "exclude", "ann", "ann")
    assert (alone.status_code, alone.json()["reason"]) == (409, "same_person")
    assert (await _state(voting, receipt))["state"] == "held"


async def test_who_belongs_to_a_unit_or_channel_concerned_may_not_touch_it(voting: Voting, office: Office) -> None:
    (receipt,) = await _votes(voting, ["c1"])
    await office.add("cay", unit="单位1")
    await office.add("dan", channel="区1")
    hold = await _hold(office, [receipt])
    for name in ("cay", "dan"):
        form = {"decision": "restore", "reason": "mine"}
        answer = await office.call(name, "POST", f"/holds/{hold}/decisions", form)
        assert (answer.status_code, answer.json()["reason"]) == (403, "conflict_of_interest")


async def test_restored_may_be_held_again_and_excluded_restored(voting: Voting, office: Office) -> None:
    (receipt,) = await _votes(voting, ["c1"])
    first = await _hold(office, [receipt])
    assert (await _decide(office, first, "restore")).status_code == 201
    second = await _hold(office, [receipt])
    assert (await _decide(office, second, "exclude")).status_code == 201
    assert (await _decide(office, second, "restore")).status_code == 201
    assert (await _state(voting, receipt))["state"] == "restored"
    again = await office.call("ann", "POST", f"/holds/{first}/decisions", {"decision": "exclude", "reason": "x"})
    assert again.json()["reason"] == "bad_transition"


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"ballots": ["0" * 20], "reason": "automated", "evidence": "x"}, "bad_hold"),
        ({"ballots": [], "reason": "automated", "evidence": "x"}, "bad_hold"),
        ({"ballots": ["0" * 20], "reason": "automated", "evidence": " "}, "bad_hold"),
        ({"query": {"route": "station"}, "reason": "automated", "evidence": "x"}, "bad_hold"),
    ],
)
async def test_a_hold_that_makes_no_sense_is_refused(office: Office, form: dict[str, Any], reason: str) -> None:
    answer = await office.call("ann", "POST", "/holds", form)
    assert (answer.status_code, answer.json()["reason"]) == (422, reason)


async def test_a_hold_needs_an_administrator_and_a_known_reason(voting: Voting, office: Office) -> None:
    await office.add("eve", role="expert")
    form = {"ballots": ["0" * 20], "reason": "automated", "evidence": "x"}
    assert (await office.call("eve", "POST", "/holds", form)).status_code == 403
    unknown = await office.call("ann", "POST", "/holds", {**form, "reason": "because"})
    assert (unknown.status_code, unknown.json()["reason"]) == (422, "bad_hold")
    assert "stolen_identity" in unknown.json()["detail"]
    assert (await voting.http.post(f"{BASE}/holds", json=form)).status_code == 401


async def test_a_decision_fails_closed_when_staff_records_are_stale(voting: Voting, office: Office) -> None:
    (receipt,) = await _votes(voting, ["c1"])
    hold = await _hold(office, [receipt])
    await voting.context.pool.execute("UPDATE stream_checkpoints SET complete_at = now() - interval '31 seconds'")
    answer = await office.call("ann", "POST", f"/holds/{hold}/decisions", {"decision": "restore", "reason": "x"})
    assert (answer.status_code, answer.json()["reason"]) == (503, "staff_stale")


async def test_sealing_waits_for_close_grace_and_decisions_and_then_is_final(
    voting: Voting, servers: PlatformServers
) -> None:
    closes = (datetime.now(UTC) + timedelta(seconds=6)).replace(microsecond=0)
    await voting.add_round(round_message(rules_text(closes=closes, grace_s=2)))
    office = Office(voting, servers)
    for name in ("ann", "bob"):
        await office.add(name)
    receipts = await _votes(voting, ["c1", "c2"], ["c1"], ["c1"])
    hold = await _hold(office, receipts[2:])
    assert (await office.call("ann", "POST", "/seal")).json()["reason"] == "window_open"
    await asyncio.sleep(max(0.0, (closes - datetime.now(UTC)).total_seconds()) + 0.1)
    assert (await office.call("ann", "POST", "/seal")).json()["reason"] == "grace_running"
    await asyncio.sleep(2)
    assert (await office.call("ann", "POST", "/seal")).json()["reason"] == "holds_open"
    await _decide(office, hold, "exclude")
    # The service seals by itself once nothing stands in the way.
    await wait_until(lambda: _phase(voting, "sealed"), 10, "the tally is sealed")
    assert (await office.call("ann", "POST", "/seal")).json()["reason"] == "already_sealed"
    content = await _sealed_content(voting, servers)
    votes = {count.candidate: count.votes for count in content.counts}
    assert (votes["c1"], votes["c2"], votes["c3"]) == (2, 1, 0)
    assert (content.ballots, content.excluded, content.turnout) == (3, 1, 3)
    assert [(each.reason, each.candidate, each.ballots) for each in content.exclusions] == [
        ("rented_accounts", "c1", 1)
    ]


async def _phase(voting: Voting, wanted: str) -> bool:
    return bool((await voting.http.get(f"{BASE}/results")).json()["state"] == wanted)


async def _sealed_content(voting: Voting, servers: PlatformServers) -> TallyContent:
    import msgspec

    body = await voting.context.pool.fetchval("SELECT body FROM outbox WHERE stream = 'voting.tallies'")
    message = decode(body)
    assert isinstance(message, TallyMessage)
    assert b"counts" not in body
    key = derive(read_secret(servers.environment["TALLY_KEY_FILE"], "key"), "tallies")
    return msgspec.json.decode(unseal(key, message.sealed, b"small"), type=TallyContent)


async def test_turnout_counts_people_and_shows_no_candidate_before_publication(voting: Voting, office: Office) -> None:
    await _votes(voting, ["c1"], ["c1", "c2"], ["c3"])
    await wait_until(lambda: _turnout_is(voting, 3), 10, "the follower counts three voters")
    results = (await voting.http.get(f"{BASE}/results")).json()
    assert set(results) == {"state", "turnout"}
    state = (await office.call("ann", "GET", "/state")).json()
    assert state["ballots"] == {"recorded": 3, "held": 0, "excluded": 0, "restored": 0}


async def _turnout_is(voting: Voting, voters: int) -> bool:
    return bool((await voting.http.get(f"{BASE}/results")).json()["turnout"] == voters)


async def test_the_ledger_refuses_every_change(voting: Voting, office: Office) -> None:
    import asyncpg

    await _votes(voting, ["c1"])
    for statement in ("UPDATE ballots SET stratum = 'x'", "DELETE FROM ballots", "TRUNCATE ballots CASCADE"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await voting.context.pool.execute(statement)
        owner = await asyncpg.connect(voting.database.owner_url)
        with pytest.raises(asyncpg.PostgresError, match="append-only"):
            await owner.execute(statement)
        await owner.close()


async def test_a_worker_whose_clock_is_off_seals_nothing(voting: Voting, office: Office) -> None:
    right, voting.context.clock.offset_s = voting.context.clock.offset_s, 30.0
    try:
        answer = await office.call("ann", "POST", "/seal")
    finally:
        voting.context.clock.offset_s = right
    assert (answer.status_code, answer.json()["reason"]) == (503, "overloaded"), answer.text
    assert (await office.call("ann", "POST", "/seal")).json()["reason"] == "window_open"


async def test_a_batch_after_the_seal_is_turned_away(voting: Voting, office: Office) -> None:
    """What a stopped worker would do: its ballot was received in time, its batch comes after the seal."""
    citizen = voting.citizen()
    await citizen.sign_in()
    owner_pool = voting.context.pool
    await owner_pool.execute("UPDATE rounds SET sealed_at = now() WHERE round = 'small'")
    late = await citizen.vote(["c1"])
    assert (late.status_code, late.json()["reason"]) == (503, "overloaded")
    assert await owner_pool.fetchval("SELECT count(*) FROM ballots") == 0


async def test_forgetting_needs_the_seal_and_two_people_and_then_nobody_is_known(
    voting: Voting, office: Office
) -> None:
    await _votes(voting, ["c1"])
    assert (await office.call("ann", "POST", "/forgettings")).json()["reason"] == "not_sealed"
    await voting.context.pool.execute("UPDATE rounds SET sealed_at = now() WHERE round = 'small'")
    await voting.context.rounds.refresh()
    assert (await office.call("ann", "POST", "/forgettings")).status_code == 201
    assert (await office.call("ann", "POST", "/forgettings/confirmations")).json()["reason"] == "same_person"
    assert voting.context.keys.get("small") is not None
    assert (await office.call("bob", "POST", "/forgettings/confirmations")).status_code == 201
    assert voting.context.keys.get("small") is None
    await voting.context.rounds.refresh()
    answer = await voting.citizen().ask_code()
    assert (answer.status_code, answer.json()["reason"]) == (409, "identity_forgotten")


async def test_a_key_that_another_worker_destroyed_leaves_this_workers_memory_too(
    voting: Voting, office: Office, servers: PlatformServers
) -> None:
    await _votes(voting, ["c1"])
    assert voting.context.keys.get("small") is not None
    master = read_secret(servers.environment["VOTING_MASTER_SECRET_FILE"], "master")
    assert RoundKeys(voting.settings.round_keys_dir, master).destroy("small")
    await voting.context.pool.execute("UPDATE rounds SET forgotten_at = now() WHERE round = 'small'")
    await wait_until(lambda: voting.context.keys.get("small") is None, 10, "the key is forgotten here too")


async def test_the_audit_is_silent_after_all_of_it_and_speaks_when_a_count_is_wrong(
    voting: Voting, office: Office
) -> None:
    receipts = await _votes(voting, ["c1"], ["c2", "c3"])
    await _decide(office, await _hold(office, receipts[:1]), "exclude")
    await wait_until(lambda: _turnout_is(voting, 2), 10, "counted")
    assert await violations({"voting": voting.database.app_url}) == []
    await voting.context.pool.execute("UPDATE running_tallies SET votes = votes + 1")
    broken = await violations({"voting": voting.database.app_url})
    assert [name for _, name, _ in broken] == ["running tallies agree with a recount of what is taken up"]


async def test_the_follower_takes_up_a_ballot_that_commits_late(voting: Voting, office: Office) -> None:
    """A transaction with a lower id commits after a higher one was counted: it must not be skipped."""
    pool = voting.context.pool
    number = voting.context.rounds.get("small")
    assert number is not None
    insert = (
        "INSERT INTO ballots (round_number, voter_key, period, reissue, ballot_id, choices, receipt, salt, stratum,"
        " route, received_at, recorded_at)"
        " VALUES ($1, $2, 0, 0, gen_random_uuid(), '{1}', $3, $4, '', 'sms', now(), now())"
    )

    def row() -> tuple[int, bytes, bytes, bytes]:
        assert number is not None
        return (number.number, secrets.token_bytes(16), secrets.token_bytes(12), secrets.token_bytes(16))

    async with pool.acquire() as slow:
        late = slow.transaction()
        await late.start()
        await slow.execute(insert, *row())
        await pool.execute(insert, *row())
        await tally.count_once(pool)
        await late.commit()
    await wait_until(lambda: _turnout_is(voting, 2), 10, "both are counted")
