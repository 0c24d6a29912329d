"""Assisted voting: a helper signs people in, sees no pick, is limited by the hour and reported apart."""

from __future__ import annotations

import asyncio
from typing import Any

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
    await office.add("ann")
    await office.add("hal", role="helper")
    return office


async def _station(office: Office, name: str = "文化站", unit: str = "街道办") -> int:
    answer = await office.call("ann", "POST", "/stations", {"name": name, "unit": unit})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["station"])


async def _proof(citizen: Citizen) -> dict[str, str]:
    """What a person says at the counter: request, phone and code."""
    request = (await citizen.ask_code()).raise_for_status().json()["request"]
    return {"request": request, "phone": citizen.phone, "code": await citizen.newest_code(), "consent": "2026-11"}


async def _assist(office: Office, station: int, citizen: Citizen, helper: str = "hal") -> httpx.Response:
    answer = await office.call(helper, "POST", f"/stations/{station}/sessions", await _proof(citizen))
    citizen.token = str(answer.json().get("token", ""))
    return answer


async def test_a_ballot_at_a_station_carries_its_number_and_route(voting: Voting, office: Office) -> None:
    station = await _station(office)
    citizen = voting.citizen()
    assert (await _assist(office, station, citizen)).status_code == 201
    assert (await citizen.vote(["c1"])).status_code == 201
    own = voting.citizen()
    await own.sign_in()
    assert (await own.vote(["c2"])).status_code == 201
    rows = await voting.context.pool.fetch("SELECT route, station FROM ballots ORDER BY index")
    assert [(row["route"], row["station"]) for row in rows] == [("station", station), ("sms", None)]

    async def taken_up() -> bool:
        return bool(await voting.context.pool.fetchval("SELECT sum(ballots) = 2 FROM turnout"))

    await wait_until(taken_up, 10, "both ballots are taken up")
    assert await violations({"voting": voting.database.app_url}) == []


async def test_one_person_has_one_ballot_at_a_station_and_at_home(voting: Voting, office: Office) -> None:
    citizen = voting.citizen()
    await citizen.sign_in()
    await citizen.vote(["c1"])
    there = voting.citizen(phone=citizen.phone)
    there.headers = {"x-forwarded-for": "203.0.113.9"}
    assert (await _assist(office, await _station(office), there)).status_code == 201
    assert (await there.vote(["c2"])).json()["reason"] == "already_voted"


async def test_no_call_shows_what_was_picked_at_a_station(voting: Voting, office: Office) -> None:
    citizen = voting.citizen()
    session = await _assist(office, await _station(office), citizen)
    assert set(session.json()) == {"token", "expires_at"}
    await citizen.vote(["c1"])
    mine = await voting.http.get(
        "/api/voting/v1/rounds/small/ballots/mine", headers={"authorization": f"Bearer {citizen.token}"}
    )
    assert (mine.status_code, mine.json()["reason"]) == (410, "no_longer_shown")
    for path in ("/stations", "/state"):
        assert "choices" not in (await office.call("ann", "GET", path)).text


async def test_the_person_proves_the_rounds_own_identity(voting: Voting, office: Office) -> None:
    station, citizen = await _station(office), voting.citizen()
    proof = await _proof(citizen)
    wrong = {**proof, "code": f"{(int(proof['code']) + 1) % 1_000_000:06d}"}
    refused = await office.call("hal", "POST", f"/stations/{station}/sessions", wrong)
    assert (refused.status_code, refused.json()["reason"]) == (403, "wrong_code")
    unasked = await office.call("hal", "POST", f"/stations/{station}/sessions", {**proof, "consent": ""})
    assert unasked.json()["reason"] == "consent_missing"
    assert await voting.context.pool.fetchval("SELECT count(*) FROM station_sessions") == 0


@pytest.mark.parametrize("settings_changes", [{"station_ballots_per_hour": 2}])
async def test_a_helpers_hour_is_a_limit_for_the_helper_and_no_wall_for_the_person(
    voting: Voting, office: Office
) -> None:
    station = await _station(office)
    other = await _station(office, "图书馆")
    for _ in range(2):
        assert (await _assist(office, station, voting.citizen())).status_code == 201
    citizen = voting.citizen()
    proof = await _proof(citizen)
    for place in (station, other):
        refused = await office.call("hal", "POST", f"/stations/{place}/sessions", proof)
        assert (refused.status_code, refused.json()["reason"]) == (429, "too_many_attempts")
    await office.add("ida", role="helper")
    # The code was not used up by the refusals: another helper, or the phone itself, goes on with it.
    assert (await office.call("ida", "POST", f"/stations/{other}/sessions", proof)).status_code == 201


@pytest.mark.parametrize("settings_changes", [{"station_ballots_per_hour": 3}])
async def test_the_limit_holds_for_sign_ins_at_the_same_moment(voting: Voting, office: Office) -> None:
    station = await _station(office)
    citizens = [voting.citizen() for _ in range(6)]
    answers = await asyncio.gather(*(_assist(office, station, citizen) for citizen in citizens))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [429] * 3


async def test_stations_are_reported_apart_and_those_of_a_candidates_unit_flagged(
    voting: Voting, office: Office
) -> None:
    plain, interested = await _station(office), await _station(office, "活动中心", " 单位 １ ")
    for station in (plain, interested, interested):
        citizen = voting.citizen()
        await _assist(office, station, citizen)
        await citizen.vote(["c1"])
    stations: list[dict[str, Any]] = (await office.call("ann", "GET", "/state")).json()["stations"]
    assert [(each["candidate_unit"], each["ballots"], each["sessions"]) for each in stations] == [
        (False, 1, 1),
        (True, 2, 2),
    ]
    assert set(stations[0]) == {"station", "name", "unit", "candidate_unit", "ballots", "sessions", "closed_at"}
    assert (await office.call("hal", "GET", "/stations")).json() == stations


async def test_a_closed_station_lets_nobody_in_but_keeps_whom_it_let_in(voting: Voting, office: Office) -> None:
    station, inside = await _station(office), voting.citizen()
    await _assist(office, station, inside)
    assert (await office.call("hal", "POST", f"/stations/{station}/closings")).status_code == 403
    closed = await office.call("ann", "POST", f"/stations/{station}/closings")
    assert (closed.status_code, bool(closed.json()["closed_at"])) == (201, True)
    outside = voting.citizen()
    proof = await _proof(outside)
    refused = await office.call("hal", "POST", f"/stations/{station}/sessions", proof)
    assert (refused.status_code, refused.json()["reason"]) == (409, "station_closed")
    again = await office.call("ann", "POST", f"/stations/{station}/closings")
    assert (again.status_code, again.json()["reason"]) == (409, "station_closed")
    assert (await inside.vote(["c1"])).status_code == 201
    page = await _page(voting, office, f"/stations/{station}")
    assert (page.status_code, page.headers["location"]) == (303, "/rounds/small/stations")
    # The refusal used up nothing: the code is good at another station.
    other = await _station(office, "图书馆")
    assert (await office.call("hal", "POST", f"/stations/{other}/sessions", proof)).status_code == 201


async def test_who_may_do_what(voting: Voting, office: Office) -> None:
    station = await _station(office)
    form = {"name": "x", "unit": "y"}
    assert (await office.call("hal", "POST", "/stations", form)).status_code == 403
    proof = await _proof(voting.citizen())
    assert (await office.call("ann", "POST", f"/stations/{station}/sessions", proof)).status_code == 403
    missing = await office.call("hal", "POST", f"/stations/{station + 1}/sessions", proof)
    assert (missing.status_code, missing.json()["reason"]) == (404, "unknown_station")


async def test_a_station_needs_a_name_of_its_own(office: Office) -> None:
    await _station(office)
    for form in ({"name": "文化站", "unit": "x"}, {"name": " ", "unit": "x"}, {"name": "x", "unit": "长" * 81}):
        answer = await office.call("ann", "POST", "/stations", form)
        assert (answer.status_code, answer.json()["reason"]) == (422, "bad_station")


async def _page(voting: Voting, office: Office, path: str, name: str = "hal") -> httpx.Response:
    headers = {"cookie": f"px_staff={office.token(name)}", "accept": "text/html"}
    return await voting.http.get(f"/rounds/small{path}", headers=headers)


async def test_the_helpers_pages_are_for_helpers(voting: Voting, office: Office) -> None:
    station = await _station(office)
    for path in ("/stations", f"/stations/{station}"):
        page = await _page(voting, office, path)
        assert page.status_code == 200
        assert "文化站" in page.text
        assert (await _page(voting, office, path, "ann")).status_code == 403
        unknown = await voting.http.get(f"/rounds/small{path}")
        assert (unknown.status_code, unknown.headers["location"].split("?")[0]) == (303, "/sign-in/renew")
    # An account that voting does not know is told so, instead of being sent to and fro.
    assert (await _page(voting, office, "/stations", "nobody")).status_code == 503


async def test_the_station_page_holds_no_token_and_no_count(voting: Voting, office: Office) -> None:
    station = await _station(office)
    page = (await _page(voting, office, f"/stations/{station}")).text
    assert office.token("hal")[:20] not in page
    assert 'autocomplete="tel' not in page
    assert page.count('type="checkbox" value="c') == 6
