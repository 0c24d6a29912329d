"""Somebody voted as me: after the exclusion two people grant a vote anew, and nobody counts twice."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.cli.audit import violations
from services.cli.people import Citizen
from services.cli.supervisor import PlatformServers
from tests.integration.voting.conftest import Voting
from tests.integration.voting.office import Office
from tests.support.rounds import round_message, rules_text
from tests.support.waiting import wait_until


@pytest.fixture
async def office(voting: Voting, servers: PlatformServers) -> Office:
    await voting.add_round(round_message(rules_text()))
    office = Office(voting, servers)
    for name in ("ann", "bob"):
        await office.add(name)
    return office


async def _voted(voting: Voting, phone: str = "") -> tuple[Citizen, str]:
    citizen = voting.citizen(phone=phone)
    await citizen.sign_in()
    return citizen, str((await citizen.vote(["c1"])).json()["receipt"])


async def _propose(office: Office, receipt: str, name: str = "ann") -> httpx.Response:
    return await office.call(name, "POST", "/reissues", {"receipt": receipt, "reason": "passport seen"})


async def _grant(office: Office, receipt: str) -> None:
    proposal = (await _propose(office, receipt)).json()["reissue"]
    confirmed = await office.call("bob", "POST", f"/reissues/{proposal}/confirmations")
    assert confirmed.status_code == 201, confirmed.text


async def test_the_rightful_voter_votes_again_at_the_next_sign_in(voting: Voting, office: Office) -> None:
    thief, receipt = await _voted(voting)
    await office.exclude(receipt)
    await _grant(office, receipt)
    assert (await thief.vote(["c2"])).json()["reason"] == "already_voted"
    rightful = voting.citizen(phone=thief.phone)
    rightful.headers = {"x-forwarded-for": "203.0.113.9"}
    await rightful.sign_in()
    answer = await rightful.vote(["c3"])
    assert answer.status_code == 201, answer.text
    assert (await rightful.vote(["c2"])).json()["reason"] == "already_voted"
    counted = await voting.context.pool.fetch("SELECT reissue, choices FROM ballots ORDER BY reissue")
    assert [(row["reissue"], row["choices"]) for row in counted] == [(0, [1]), (1, [3])]

    async def taken_up() -> bool:
        return bool(await voting.context.pool.fetchval("SELECT sum(ballots) = 2 FROM turnout"))

    await wait_until(taken_up, 10, "both ballots are taken up")
    assert await violations({"voting": voting.database.app_url}) == []


async def test_without_a_second_person_nothing_is_granted(voting: Voting, office: Office) -> None:
    thief, receipt = await _voted(voting)
    await office.exclude(receipt)
    proposal = (await _propose(office, receipt)).json()["reissue"]
    alone = await office.call("ann", "POST", f"/reissues/{proposal}/confirmations")
    assert (alone.status_code, alone.json()["reason"]) == (409, "same_person")
    again = voting.citizen(phone=thief.phone)
    again.headers = {"x-forwarded-for": "203.0.113.9"}
    await again.sign_in()
    assert (await again.vote(["c3"])).json()["reason"] == "already_voted"


async def test_only_an_excluded_ballot_leads_to_a_vote_anew(voting: Voting, office: Office) -> None:
    _, receipt = await _voted(voting)
    refused = await _propose(office, receipt)
    assert (refused.status_code, refused.json()["reason"]) == (409, "bad_transition")
    hold = await office.exclude(receipt)
    proposal = (await _propose(office, receipt)).json()["reissue"]
    assert (await _propose(office, receipt)).json()["reason"] == "bad_transition"
    form = {"decision": "restore", "reason": "it was the voter after all"}
    await office.call("ann", "POST", f"/holds/{hold}/decisions", form)
    await office.call("bob", "POST", f"/holds/{hold}/confirmations")
    late = await office.call("bob", "POST", f"/reissues/{proposal}/confirmations")
    assert (late.status_code, late.json()["reason"]) == (409, "bad_transition")


async def test_a_ballot_that_was_replaced_stays_excluded(voting: Voting, office: Office) -> None:
    _, receipt = await _voted(voting)
    hold = await office.exclude(receipt)
    form = {"decision": "restore", "reason": "second thoughts"}
    assert (await office.call("ann", "POST", f"/holds/{hold}/decisions", form)).status_code == 201
    await _grant(office, receipt)
    confirmed = await office.call("bob", "POST", f"/holds/{hold}/confirmations")
    assert (confirmed.status_code, confirmed.json()["reason"]) == (409, "bad_transition")


async def test_who_belongs_to_a_unit_concerned_signs_nothing(voting: Voting, office: Office) -> None:
    _, receipt = await _voted(voting)
    await office.exclude(receipt)
    await office.add("cay", unit="单位1")
    assert (await _propose(office, receipt, "cay")).json()["reason"] == "conflict_of_interest"
    proposal = (await _propose(office, receipt)).json()["reissue"]
    confirmed = await office.call("cay", "POST", f"/reissues/{proposal}/confirmations")
    assert confirmed.json()["reason"] == "conflict_of_interest"


@pytest.mark.parametrize(
    ("form", "status", "reason"),
    [
        ({"reason": "x"}, 422, "bad_reissue"),
        ({"reason": " ", "receipt": "0" * 20}, 422, "bad_reissue"),
        ({"reason": "x", "receipt": "0" * 20}, 422, "bad_reissue"),
        ({"reason": "x", "receipt": "0" * 20, "ballot_id": str(uuid4())}, 422, "bad_reissue"),
        ({"reason": "x", "ballot_id": "nonsense"}, 422, "bad_reissue"),
    ],
)
async def test_a_form_that_names_no_ballot_is_refused(
    office: Office, form: dict[str, Any], status: int, reason: str
) -> None:
    answer = await office.call("ann", "POST", "/reissues", form)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)


async def test_the_signatures_fail_closed_and_end_with_the_seal(voting: Voting, office: Office) -> None:
    _, receipt = await _voted(voting)
    await office.exclude(receipt)
    proposal = (await _propose(office, receipt)).json()["reissue"]
    await voting.context.pool.execute("UPDATE stream_checkpoints SET complete_at = now() - interval '31 seconds'")
    assert (await _propose(office, receipt)).json()["reason"] == "staff_stale"
    await office.add("bob")
    assert (await office.call("bob", "POST", f"/reissues/{uuid4()}/confirmations")).json()[
        "reason"
    ] == "unknown_reissue"
    await voting.context.pool.execute("UPDATE rounds SET sealed_at = now()")
    late = await office.call("bob", "POST", f"/reissues/{proposal}/confirmations")
    assert (late.status_code, late.json()["reason"]) == (409, "already_sealed")


async def test_the_list_names_who_signed_and_never_whose_vote_it_is(voting: Voting, office: Office) -> None:
    _, receipt = await _voted(voting)
    await office.exclude(receipt)
    await _grant(office, receipt)
    (row,) = (await office.call("ann", "GET", "/reissues")).json()
    assert set(row) == {"reissue", "reason", "proposed_by", "proposed_at", "confirmed_by", "granted_at"}
    assert (row["proposed_by"], row["confirmed_by"]) == ("ann", "bob")


async def test_a_round_by_day_grants_nothing_anew(voting: Voting, servers: PlatformServers) -> None:
    await voting.add_round(round_message(rules_text(ballot='choices_min = 1\nchoices_max = 3\nper = "day"\n')))
    office = Office(voting, servers)
    for name in ("ann", "bob"):
        await office.add(name)
    _, receipt = await _voted(voting)
    await office.exclude(receipt)
    answer = await _propose(office, receipt)
    assert (answer.status_code, answer.json()["reason"]) == (422, "bad_reissue")
