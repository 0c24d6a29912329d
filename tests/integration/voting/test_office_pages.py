"""The administrators' pages of a round: two people, plain forms, refusals in place, and nothing of a candidate."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from services.cli.supervisor import PlatformServers
from services.voting import tally
from tests.integration.voting.conftest import Voting
from tests.integration.voting.office import Office
from tests.support.rounds import round_message, rules_text

STAFF = "/rounds/small/staff"
# An act of the page itself; the frame has the form that signs out.
FORM = 'action="/rounds/'


@pytest.fixture
async def office(voting: Voting, servers: PlatformServers) -> Office:
    await voting.add_round(round_message(rules_text()))
    office = Office(voting, servers)
    for name in ("ann", "bob"):
        await office.add(name)
    await office.add("aud", role="auditor")
    await office.add("hal", role="helper")
    return office


class Browser:
    """What a browser without scripts does for one member of staff: pages and forms, with cookies of its own."""

    def __init__(self, voting: Voting, office: Office, name: str) -> None:
        self._http, self.name, self._csrf = voting.http, name, ""
        self._token = office.token(name)

    async def get(self, page: str) -> httpx.Response:
        answer = await self._http.get(f"{STAFF}{page}", headers=self._headers())
        found = re.search(r'name="_csrf_token" value="([0-9a-f]+)"', answer.text)
        self._csrf = found[1] if found else self._csrf
        return answer

    async def post(self, path: str, **fields: str) -> httpx.Response:
        form = {"_csrf_token": self._csrf, **fields}
        return await self._http.post(f"{STAFF}{path}", data=form, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {"cookie": f"px_staff={self._token}; csrf_voting={self._csrf}", "accept": "text/html"}


@pytest.fixture
async def ann(voting: Voting, office: Office) -> Browser:
    browser = Browser(voting, office, "ann")
    await browser.get("/holds")
    return browser


@pytest.fixture
async def bob(voting: Voting, office: Office) -> Browser:
    browser = Browser(voting, office, "bob")
    await browser.get("/holds")
    return browser


async def _ballot(voting: Voting, *choices: str) -> str:
    citizen = voting.citizen()
    await citizen.sign_in()
    return str((await citizen.vote(choices or ("c1", "c2"))).json()["receipt"])


async def _state(voting: Voting, receipt: str) -> str:
    state: str = (await voting.http.get(f"/api/voting/v1/receipts/{receipt}")).json()["state"]
    return state


async def _held(ann: Browser, receipt: str) -> str:
    """Hold a ballot by the page's form; returns the hold."""
    done = await ann.post("/holds", reason="stolen_identity", evidence="told at the counter", ballots=f" {receipt}\n")
    assert (done.status_code, done.headers["location"]) == (303, f"{STAFF}/holds?done=held"), done.text
    return str(re.findall(r'data-hold="([0-9a-f-]+)"', (await ann.get("/holds")).text)[0])


async def test_a_hold_is_proposed_decided_and_confirmed_by_two(voting: Voting, ann: Browser, bob: Browser) -> None:
    receipt = await _ballot(voting)
    hold = await _held(ann, receipt)
    decided = await ann.post(f"/holds/{hold}/decisions", decision="exclude", reason="checked")
    assert decided.headers["location"] == f"{STAFF}/holds?done=decided"
    assert "/confirmations" not in (await ann.get("/holds")).text
    alone = await ann.post(f"/holds/{hold}/confirmations")
    assert (alone.status_code, 'data-reason="same_person"' in alone.text) == (409, True)
    assert f"{hold}/confirmations" in (await bob.get("/holds")).text
    assert (await bob.post(f"/holds/{hold}/confirmations")).headers["location"] == f"{STAFF}/holds?done=confirmed"
    assert await _state(voting, receipt) == "excluded"

    await bob.post(f"/holds/{hold}/decisions", decision="restore", reason="it was a mistake")
    await ann.post(f"/holds/{hold}/confirmations")
    assert await _state(voting, receipt) == "restored"


async def test_the_pages_show_no_candidate_and_no_choice(voting: Voting, ann: Browser) -> None:
    """Neither the names that a ballot chose nor their identifiers nor any count of them, on any of the pages."""
    await _held(ann, await _ballot(voting, "c3", "c4"))
    for page in ("/holds", "/stations", "/reissues"):
        text = (await ann.get(page)).text
        for word in ("项目3", "项目4", "单位0", "单位1", ">c3<", "区0"):
            assert word not in text, (page, word)


async def test_a_query_holds_what_fits_and_never_everything_by_accident(voting: Voting, ann: Browser) -> None:
    for _ in range(2):
        await _ballot(voting)
    nothing = await ann.post("/holds", reason="automated", evidence="all at once")
    assert (nothing.status_code, 'data-reason="bad_hold"' in nothing.text) == (422, True)
    assert "all at once" in nothing.text
    for fields in ({"since": "yesterday"}, {"same_device_as": "not a receipt"}, {"route": "sms", "ballots": "x"}):
        answer = await ann.post("/holds", reason="automated", evidence="x", **fields)
        assert (answer.status_code, 'data-reason="bad_hold"' in answer.text) == (422, True)
    assert (await ann.post("/holds", reason="automated", evidence="x", route="sms")).status_code == 303
    assert await voting.context.pool.fetchval("SELECT count(*) FROM ballot_states WHERE state = 'held'") == 2


async def test_times_of_a_query_are_of_the_rounds_own_zone(voting: Voting, ann: Browser) -> None:
    await _ballot(voting)
    at = await voting.context.pool.fetchval("SELECT recorded_at FROM ballots")
    local = at.astimezone(voting.context.rounds.all()[0].zone)
    since, until = (f"{local + timedelta(minutes=shift):%Y-%m-%dT%H:%M}" for shift in (-1, 1))
    done = await ann.post("/holds", reason="automated", evidence="x", since=since, until=until)
    assert done.status_code == 303
    assert await voting.context.pool.fetchval("SELECT count(*) FROM ballot_states WHERE state = 'held'") == 1


async def test_stations_are_registered_counted_by_the_hour_and_closed(
    voting: Voting, office: Office, ann: Browser
) -> None:
    assert (await ann.post("/stations", name="文化站", unit="街道办")).status_code == 303
    again = await ann.post("/stations", name="文化站", unit="街道办")
    assert (again.status_code, 'data-reason="bad_station"' in again.text) == (422, True)
    (station,) = re.findall(r'data-station="(\d+)"', (await ann.get("/stations")).text)
    citizen = voting.citizen()
    request = (await citizen.ask_code()).json()["request"]
    proof = {"request": request, "phone": citizen.phone, "code": await citizen.newest_code(), "consent": "2026-11"}
    signed = await office.call("hal", "POST", f"/stations/{station}/sessions", proof)
    citizen.token = signed.json()["token"]
    await citizen.vote(["c1"])
    page = (await ann.get("/stations")).text
    hours = re.findall(r'<td class="number">(\d+)</td><td class="number">(\d+)</td>', page)
    assert hours == [("1", "1")]
    assert (await ann.post(f"/stations/{station}/closings")).status_code == 303
    twice = await ann.post(f"/stations/{station}/closings")
    assert (twice.status_code, 'data-reason="station_closed"' in twice.text) == (409, True)


async def test_a_vote_anew_is_granted_by_two(voting: Voting, office: Office, ann: Browser, bob: Browser) -> None:
    citizen = voting.citizen()
    await citizen.sign_in()
    receipt = (await citizen.vote(["c1"])).json()["receipt"]
    early = await ann.post("/reissues", ballot=receipt, reason="came in person")
    assert (early.status_code, 'data-reason="bad_transition"' in early.text) == (409, True)
    assert "came in person" in early.text
    await office.exclude(receipt)
    assert (await ann.post("/reissues", ballot=receipt, reason="came in person")).status_code == 303
    (reissue,) = re.findall(r'data-reissue="([0-9a-f-]+)"', (await bob.get("/reissues")).text)
    alone = await ann.post(f"/reissues/{reissue}/confirmations")
    assert (alone.status_code, 'data-reason="same_person"' in alone.text) == (409, True)
    assert (await bob.post(f"/reissues/{reissue}/confirmations")).status_code == 303
    citizen.headers = {"x-forwarded-for": "203.0.113.7"}
    await citizen.sign_in()
    assert (await citizen.vote(["c2"])).status_code == 201


async def test_an_act_of_two_people_fails_closed_on_stale_records(voting: Voting, ann: Browser) -> None:
    hold = await _held(ann, await _ballot(voting))
    await voting.context.pool.execute("UPDATE stream_checkpoints SET complete_at = now() - interval '5 minutes'")
    stale = await ann.post(f"/holds/{hold}/decisions", decision="exclude", reason="checked")
    assert (stale.status_code, 'data-reason="staff_stale"' in stale.text) == (503, True)


@pytest.mark.parametrize("page", ["/holds", "/stations", "/reissues"])
async def test_who_may_see_and_who_may_act(voting: Voting, office: Office, page: str) -> None:
    """Auditors read without a form; helpers and strangers do not; a form of another site is refused."""
    reader = await Browser(voting, office, "aud").get(page)
    assert (reader.status_code, FORM in reader.text, reader.headers["cache-control"]) == (200, False, "no-store")
    assert (await Browser(voting, office, "aud").post(page, reason="other", name="x")).status_code == 403
    assert (await Browser(voting, office, "hal").get(page)).status_code == 403
    stranger = await voting.http.get(f"{STAFF}{page}")
    assert (stranger.status_code, stranger.headers["location"]) == (
        303,
        f"/sign-in/renew?next={STAFF}{page}",
    )
    forged = await Browser(voting, office, "ann").post(page, name="x", unit="y", reason="other", evidence="z")
    assert forged.status_code == 403


async def test_operators_look_after_stations_only(voting: Voting, office: Office) -> None:
    await office.add("olga", "operator")
    operator = Browser(voting, office, "olga")
    page = await operator.get("/stations")
    assert (page.status_code, FORM in page.text, "/staff/holds" in page.text) == (200, False, False)
    for other in ("/holds", "/reissues"):
        assert (await operator.get(other)).status_code == 403


async def test_after_the_seal_nobody_votes_anew_and_ballots_are_decided_on_for_another_seal(
    voting: Voting, ann: Browser, bob: Browser, office: Office
) -> None:
    receipt = await _ballot(voting)
    frozen, key = voting.context.rounds.all()[0], voting.context.tally_key
    await tally.seal_round(voting.context.pool, frozen, key, datetime.now(UTC) + timedelta(days=1), "rules")
    await voting.context.rounds.refresh()
    for page in ("/stations", "/reissues"):
        assert FORM not in (await ann.get(page)).text
    late = await ann.post("/reissues", ballot=receipt, reason="late")
    assert (late.status_code, 'data-reason="already_sealed"' in late.text) == (409, True)
    hold = await _held(ann, receipt)
    assert "/staff/holds/seals" not in (await ann.get("/holds")).text
    await ann.post(f"/holds/{hold}/decisions", decision="exclude", reason="checked")
    await bob.post(f"/holds/{hold}/confirmations")
    assert "剔除 1 张，恢复 0 张" in (await ann.get("/holds")).text
    early = await ann.post("/holds/seals")
    assert (early.status_code, 'data-reason="window_open"' in early.text) == (409, True)
