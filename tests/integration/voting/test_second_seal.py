"""After the seal: ballots are still held, excluded and restored by two people, and the next tally is sealed by hand.

A tally never changes; what is public follows the published ranking's tally, and a meeting's confirmation ends it all.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.cli.audit import violations
from services.cli.supervisor import PlatformServers
from services.shared.messages import ReopenedMessage, RoundEvent, RoundMessage, TallyContent, TallyMessage, decode
from services.shared.ranking.bundle import parse_ballots
from services.voting import holds, tally
from services.voting.audit import INVARIANTS
from tests.integration.voting.conftest import Voting
from tests.integration.voting.office import BASE, Office
from tests.integration.voting.test_window_edges import CLOSES, OPENS, SetClock
from tests.support.damage import break_each
from tests.support.rounds import round_message, rules_text
from tests.support.waiting import wait_until

RULES = '[publication]\nballots = "ballots"\n'
LIST = RoundEvent(CLOSES, "published", "list 1")
# What breaks each of the invariants of a seal; tests of other modules break the others.
DAMAGE = {
    "a sealed tally counts what the ledger holds": "DELETE FROM ballots WHERE choices = '{1,2}'",
    "a sealed tally excludes what was excluded when it was sealed": (
        "UPDATE ballot_events SET state = 'restored' WHERE state = 'excluded'"
    ),
    "a tally is what its digest says": "UPDATE tallies SET digest = 'other' WHERE version = 2",
    "tallies are numbered from 1, and each knows more than the one before": (
        "UPDATE tallies SET events_until = 0 WHERE version = 2"
    ),
    "a round is sealed when its first tally is": "UPDATE rounds SET sealed_at = now()",
    "no tally was sealed over an undecided ballot": (
        "UPDATE tallies SET events_until = (SELECT max(id) FROM ballot_events) WHERE version = 3"
    ),
    "what happened to ballots after a seal was told to scoring": (
        "DELETE FROM outbox WHERE convert_from(body, 'UTF8')::jsonb ->> 'version' = '3'"
    ),
}


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def message() -> RoundMessage:
    return round_message(
        rules_text(opens=OPENS, closes=CLOSES, ballot="choices_min = 1\nchoices_max = 3\n", more=RULES)
    )


@pytest.fixture
async def office(voting: Voting, servers: PlatformServers, message: RoundMessage) -> Office:
    await voting.add_round(message)
    office = Office(voting, servers)
    for name in ("ann", "bob"):
        await office.add(name)
    await office.add("aud", role="auditor")
    return office


@pytest.fixture
async def receipts(voting: Voting, office: Office, clock: SetClock) -> list[str]:
    """Three ballots in the first tally, which the service sealed by itself: c1 and c2, c1, c1."""
    found = []
    for choices in (["c1", "c2"], ["c1"], ["c1"]):
        citizen = voting.citizen()
        await citizen.sign_in()
        found.append((await citizen.vote(choices)).json()["receipt"])
    clock.at = CLOSES + timedelta(minutes=5)
    await wait_until(lambda: _is_sealed(voting), 10, "the first tally is sealed")
    return found


async def _is_sealed(voting: Voting) -> bool:
    frozen = voting.context.rounds.get("small")
    return frozen is not None and frozen.sealed_at is not None


async def _votes(voting: Voting, version: int) -> tuple[int, int]:
    """(votes of c1, ballots excluded) in a version of the tally."""
    body = await voting.context.pool.fetchval("SELECT content FROM tallies WHERE version = $1", version)
    content = msgspec.json.decode(body, type=TallyContent)
    assert content.version == version
    return next(each.votes for each in content.counts if each.candidate == "c1"), content.excluded


async def _told(voting: Voting) -> list[Any]:
    """What scoring was told, in order: versions of the tally, and (undecided, excluded, restored) in between."""
    rows = await voting.context.pool.fetch("SELECT body FROM outbox WHERE stream = 'voting.tallies' ORDER BY id")
    told: list[Any] = []
    for message in (decode(row["body"]) for row in rows):
        if isinstance(message, TallyMessage):
            told.append(message.version)
        elif isinstance(message, ReopenedMessage):
            told.append((message.undecided, message.excluded, message.restored))
    return told


async def _held(office: Office, receipt: str) -> str:
    form = {"ballots": [receipt], "reason": "rented_accounts", "evidence": "objection upheld"}
    answer = await office.call("ann", "POST", "/holds", form)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["hold"])


async def _decided(office: Office, hold: str, decision: str) -> None:
    form = {"decision": decision, "reason": "evidence checked"}
    assert (await office.call("ann", "POST", f"/holds/{hold}/decisions", form)).status_code == 201
    assert (await office.call("bob", "POST", f"/holds/{hold}/confirmations")).status_code == 201


async def _refused(office: Office, path: str, body: Any = None) -> str:
    return str((await office.call("ann", "POST", path, body)).json()["reason"])


async def test_ballots_decided_on_after_the_seal_make_the_next_tally(
    voting: Voting, office: Office, receipts: list[str]
) -> None:
    assert await _refused(office, "/seal") == "already_sealed"
    hold = await _held(office, receipts[2])
    assert await _refused(office, "/seal") == "holds_open"
    await _decided(office, hold, "exclude")
    state = (await office.call("aud", "GET", "/state")).json()
    assert state["since_seal"] == {"undecided": 0, "excluded": 1, "restored": 0}
    again = await office.call("ann", "POST", "/seal")
    assert (again.status_code, again.json()["version"], again.json()["excluded"]) == (200, 2, 1)
    assert await _refused(office, "/seal") == "already_sealed"
    assert (await _votes(voting, 1), await _votes(voting, 2)) == ((3, 0), (2, 1))

    await _decided(office, hold, "restore")
    assert (await office.call("ann", "POST", "/seal")).json()["version"] == 3
    assert (await _votes(voting, 2), await _votes(voting, 3)) == ((2, 1), (3, 0))
    assert await _told(voting) == [1, (1, 0, 0), (0, 1, 0), 2, (0, 0, 1), 3]
    state = (await office.call("aud", "GET", "/state")).json()
    assert [(each["version"], each["sealed_by"]) for each in state["tallies"]] == [(3, "ann"), (2, "ann"), (1, "rules")]
    await _held(office, receipts[0])
    assert await violations({"voting": voting.database.app_url}) == []
    await break_each(voting.database.admin_url, DAMAGE, INVARIANTS)


async def test_what_comes_to_nothing_needs_no_tally_and_nothing_seals_again_by_itself(
    voting: Voting, office: Office, receipts: list[str], clock: SetClock
) -> None:
    await _decided(office, await _held(office, receipts[0]), "restore")
    assert await _refused(office, "/seal") == "already_sealed"
    await _decided(office, await _held(office, receipts[1]), "exclude")
    frozen = voting.context.rounds.get("small")
    assert frozen is not None
    # A worker that has not heard of the first seal tries what it would do by itself.
    frozen.sealed_at = None
    assert await tally.seal_due_once(voting.context.pool, voting.context.rounds, b"k" * 32, clock.now()) == 0
    assert await voting.context.pool.fetchval("SELECT count(*) FROM tallies") == 1
    # What nobody decides is restored by the rules after the seal too, and scoring learns that nothing waits any more.
    await _held(office, receipts[2])
    later = datetime.now(UTC).date() + timedelta(days=30)
    assert await holds.restore_overdue(voting.context.pool, frozen, later) == 1
    assert (await _told(voting))[-2:] == [(1, 1, 0), (0, 1, 0)]


async def test_what_is_public_follows_the_published_rankings_tally(
    voting: Voting, office: Office, receipts: list[str], message: RoundMessage
) -> None:
    """A newer tally is nobody's to see before two people publish the ranking that rests on it; auditors see all."""
    await _decided(office, await _held(office, receipts[2]), "exclude")
    await office.call("ann", "POST", "/seal")
    rows = await voting.context.pool.fetch("SELECT version, digest FROM tallies")
    digests: dict[int, str] = {row["version"]: row["digest"] for row in rows}
    for version, votes in ((1, 3), (2, 2)):
        told = {"version": 1 + version, "ranking_version": version, "tally_digest": digests[version]}
        await voting.add_round(msgspec.structs.replace(message, **told))
        voting.context.results_cache.clear()
        results = (await voting.http.get(f"{BASE}/results")).json()
        assert results["candidates"][0] == {"candidate": "c1", "votes": votes}
        assert await _published_votes(voting, "") == votes
        assert await _published_votes(voting, f"?tally={version}") == votes
        newer = await voting.http.get(f"{BASE}/ballots.csv?tally={version + 1}")
        assert (newer.status_code, newer.json()["reason"]) == (404, "not_published")
        auditors = await office.call("aud", "GET", "/ballots.csv?tally=2&auditor=true")
        assert (auditors.status_code, auditors.headers["cache-control"]) == (200, "no-store")
    assert await _published_votes(voting, "?tally=1") == 3
    assert (await voting.http.get(f"{BASE}/ballots.csv?auditor=true")).status_code == 401


async def _published_votes(voting: Voting, query: str) -> int:
    file = (await voting.http.get(f"{BASE}/ballots.csv{query}")).content
    counts = parse_ballots(io.BytesIO(file), {f"c{k}" for k in range(1, 7)})
    return sum(votes for (candidate, _), votes in counts.items() if candidate == "c1")


async def test_a_confirmed_list_ends_it_until_it_is_retracted(
    voting: Voting, office: Office, receipts: list[str], message: RoundMessage
) -> None:
    undecided, excluded = await _held(office, receipts[0]), await _held(office, receipts[1])
    await _decided(office, excluded, "exclude")
    await _decided(office, undecided, "restore")
    confirmed = [LIST, RoundEvent(CLOSES, "list_confirmed", "meeting 1")]
    told = msgspec.structs.replace(message, version=2, ranking_version=1, events=confirmed)
    await voting.add_round(told)
    form = {"ballots": receipts[2:], "reason": "automated", "evidence": "late"}
    decision = {"decision": "restore", "reason": "late"}
    for path, body in (("/holds", form), (f"/holds/{excluded}/decisions", decision), ("/seal", None)):
        assert await _refused(office, path, body) == "list_confirmed", path
    retracted = [*confirmed, RoundEvent(CLOSES, "list_retracted", "error")]
    await voting.add_round(msgspec.structs.replace(told, version=3, events=retracted))
    assert (await office.call("ann", "POST", "/seal")).json()["version"] == 2
