"""What Pingxuan promises, one concept a test, from top to bottom: read it as an introduction.

Everything goes through the public interface of a real service on real PostgreSQL and Valkey.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from redis.asyncio import Redis

from services.cli.supervisor import PlatformServers
from services.shared.messages import StaffMessage
from services.shared.postgres import transaction
from services.shared.ranking.bundle import rank_bundle, read_bundle
from services.shared.ranking.ranking import ranking_csv
from services.shared.settings import read_secret
from services.shared.staff import apply_staff
from services.shared.tokens import StaffSigner
from services.voting.tally import count
from tests.integration.voting.conftest import Voting
from tests.support.rounds import round_message, rules_text

API = "/api/voting/v1"


@pytest.fixture
async def town(voting: Voting) -> Voting:
    """A town with one open round: pick one to three of six projects."""
    await voting.add_round(
        round_message(rules_text(ballot="choices_min = 1\nchoices_max = 3\nheld_shown_after_h = 0\n"))
    )
    return voting


async def test_one_person_has_one_ballot(town: Voting) -> None:
    """A citizen proves a phone with a code and votes. The same phone, signed in again, has no second ballot."""
    morning = town.citizen(phone="13900000001")
    await morning.sign_in()
    assert (await morning.vote(["c1", "c2"])).status_code == 201

    evening = town.citizen(phone="+86 139-0000-0001")
    evening.headers["x-forwarded-for"] = "198.51.100.7"
    await evening.sign_in()
    refused = await evening.vote(["c3"])
    assert (refused.status_code, refused.json()["reason"]) == (409, "already_voted")


async def test_a_repeat_is_harmless(town: Voting) -> None:
    """The phone makes the ballot's id. Whoever got no answer sends the same ballot again and gets the same receipt."""
    citizen, ballot_id = town.citizen(), str(uuid4())
    await citizen.sign_in()
    answers = await asyncio.gather(*(citizen.vote(["c1"], ballot_id) for _ in range(5)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 4}
    assert len({answer.json()["receipt"] for answer in answers}) == 1
    assert await town.context.pool.fetchval("SELECT count(*) FROM ballots") == 1


async def test_an_acknowledged_ballot_is_in_the_ledger(town: Voting, operator_redis: Redis) -> None:
    """No queue stands between the voter and the truth: the answer leaves after the commit. Valkey may lose all."""
    citizen = town.citizen()
    await citizen.sign_in()
    answer = (await citizen.vote(["c2"])).json()
    await operator_redis.flushall()
    row = await town.context.pool.fetchrow(
        "SELECT index, choices FROM ballots WHERE ballot_id = $1", answer["ballot_id"]
    )
    assert row is not None
    assert (row["index"], row["choices"]) == (answer["index"], [2])
    assert (await citizen.vote(["c3"])).json()["reason"] == "already_voted"


async def test_a_receipt_tells_the_state_and_not_the_choice(town: Voting) -> None:
    """Nobody can prove to a director how they voted: the receipt says that the ballot is there, and no more."""
    citizen = town.citizen()
    await citizen.sign_in()
    receipt = (await citizen.vote(["c1", "c3"])).json()["receipt"]
    told = (await town.http.get(f"{API}/receipts/{receipt}")).json()
    assert (told["state"], set(told)) == ("recorded", {"state", "recorded_at", "round"})


async def test_counts_stay_hidden_while_people_vote(town: Voting) -> None:
    """Anybody may see how many have voted, nobody for whom."""
    citizen = town.citizen()
    await citizen.sign_in()
    await citizen.vote(["c1"])
    results = (await town.http.get(f"{API}/rounds/small/results")).json()
    assert set(results) == {"state", "turnout"}


def officers(servers: PlatformServers, town: Voting) -> Any:
    """Calls as an officer; the registry's key signs their tokens."""
    signer = StaffSigner(read_secret(servers.environment["STAFF_SIGNING_KEY_FILE"], "the signing key"))

    async def call(officer: str, path: str, body: Any) -> httpx.Response:
        token, _ = signer.sign(officer, officer, [], datetime.now(UTC))
        return await town.http.post(
            f"{API}/rounds/small/{path}", json=body, headers={"authorization": f"Bearer {token}"}
        )

    return call


async def enrol(town: Voting, *names: str) -> None:
    """Administrators as the registry would announce them, just now."""
    async with transaction(town.context.pool) as connection:
        for name in names:
            message = StaffMessage(
                name,
                name,
                name,
                ["administrator"],
                disabled=False,
                not_before=datetime(2026, 1, 1, tzinfo=UTC),
                version=1,
            )
            await apply_staff(connection, message)
        await connection.execute(
            "INSERT INTO stream_checkpoints (stream, n, complete_at) VALUES ('registry.staff', 0, clock_timestamp())"
            " ON CONFLICT (stream) DO UPDATE SET complete_at = excluded.complete_at"
        )


async def test_a_hold_needs_two_people_and_deletes_nothing(town: Voting, servers: PlatformServers) -> None:
    """A suspicious ballot is held with a reason. One officer decides, another confirms; its voter is told."""
    await enrol(town, "wang", "li")
    officer, citizen = officers(servers, town), town.citizen()
    await citizen.sign_in()
    receipt = (await citizen.vote(["c1"])).json()["receipt"]

    form = {"ballots": [receipt], "reason": "bought_votes", "evidence": "付款截图"}
    hold = (await officer("wang", "holds", form)).json()["hold"]
    decided = await officer("wang", f"holds/{hold}/decisions", {"decision": "exclude", "reason": "属实"})
    assert decided.status_code == 201, decided.text

    assert (await officer("wang", f"holds/{hold}/confirmations", {})).json()["reason"] == "same_person"
    assert (await town.http.get(f"{API}/receipts/{receipt}")).json()["state"] == "held"
    assert (await officer("li", f"holds/{hold}/confirmations", {})).status_code == 201
    told = (await town.http.get(f"{API}/receipts/{receipt}")).json()
    assert (told["state"], told["reason"]) == ("excluded", "bought_votes")

    frozen = town.context.rounds.get("small")
    assert frozen is not None
    async with town.context.pool.acquire() as connection:
        tally = await count(connection, frozen)
    assert (tally.ballots, tally.excluded, sum(each.votes for each in tally.counts)) == (1, 1, 0)


async def test_rules_come_first(town: Voting) -> None:
    """Everybody can read the digest of the frozen rules before voting; a later text is another round's."""
    rules = rules_text("other")
    await town.add_round(round_message(rules, "other"))
    facts = (await town.http.get(f"{API}/rounds/other")).json()
    assert facts["rules_digest"] == sha256(rules.encode()).hexdigest()
    late = rules_text(
        "late", opens=datetime.now(UTC) + timedelta(hours=1), closes=datetime.now(UTC) + timedelta(hours=2)
    )
    await town.add_round(round_message(late, "late"))
    citizen = town.citizen("late")
    await citizen.sign_in()
    assert (await citizen.vote(["c1"])).json()["reason"] == "window_closed"


async def test_nobody_can_use_up_somebody_elses_codes(town: Voting) -> None:
    """Limits stand on a number *from an address*: a stranger's tries do not lock the owner out."""
    stranger = town.citizen(phone="13900000002")
    stranger.headers["x-forwarded-for"] = "203.0.113.9"
    assert (await stranger.ask_code()).status_code == 202
    assert (await stranger.ask_code()).json()["reason"] == "too_many_codes"
    owner = town.citizen(phone="13900000002")
    owner.headers["x-forwarded-for"] = "198.51.100.2"
    assert (await owner.ask_code()).status_code == 202


def test_anybody_can_compute_the_ranking_again(tmp_path: Path) -> None:
    """The bundle is a folder of plain files; with it alone, on any machine, the same bytes come out."""
    (tmp_path / "rules.toml").write_text(rules_text(more="decimals = 0\n"), encoding="utf-8")
    (tmp_path / "candidates.csv").write_text(
        "candidate,title,unit,channel,category,level\nc1,书架,甲,一区,culture,key\nc2,修理铺,乙,二区,culture,key\n",
        encoding="utf-8",
    )
    (tmp_path / "votes.csv").write_text("candidate,votes\nc1,12\nc2,30\n", encoding="utf-8")
    once, again = (ranking_csv(rank_bundle(read_bundle(tmp_path))) for _ in range(2))
    assert once == again
    assert once.decode().splitlines()[1:] == ["all,1,c2,30,30,,,", "all,2,c1,12,12,,,"]
