"""An OpenID issuer proves phone and ID to the browser that began, once, and to nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.cli.people import new_phone, solve
from tests.integration.voting.conftest import Voting
from tests.integration.voting.issuer import CLIENT, SECRET, Issuer
from tests.support.local_server import Reply, serving
from tests.support.national_ids import made_up_id
from tests.support.rounds import round_message, rules_text

BASE = "/api/voting/v1/rounds/small"
ID_RULE = 'choices_min = 1\nchoices_max = 3\nidentity = "phone_and_id"\n'


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def more_settings() -> dict[str, object]:
    return {}


@pytest.fixture
async def settings_changes(
    issuer: Issuer, tmp_path: Path, more_settings: dict[str, object]
) -> AsyncIterator[dict[str, object]]:
    (tmp_path / "client").write_text(SECRET)
    async with serving(issuer) as server:
        issuer.url = server.url
        yield {
            "identity_provider": "oidc",
            "oidc_issuer": server.url,
            "oidc_client_id": CLIENT,
            "oidc_client_secret_file": str(tmp_path / "client"),
            **more_settings,
        }


@pytest.fixture
async def open_round(voting: Voting) -> Voting:
    await voting.add_round(round_message(rules_text()))
    return voting


@pytest.fixture
async def id_round(voting: Voting) -> Voting:
    await voting.add_round(round_message(rules_text(ballot=ID_RULE)))
    return voting


async def work(voting: Voting, round_id: str = "small") -> dict[str, str]:
    """A solved challenge, as every way of signing in asks for."""
    challenge = (await voting.http.get(f"/api/voting/v1/rounds/{round_id}/challenge")).json()
    return {"altcha": solve(challenge)}


async def begin(voting: Voting) -> dict[str, str]:
    answer = await voting.http.post(f"{BASE}/oidc", json=await work(voting))
    assert answer.status_code == 201, answer.text
    begun: dict[str, str] = answer.json()
    return begun


async def finish(voting: Voting, flow: str, back: dict[str, str], **changes: Any) -> httpx.Response:
    form = {"flow": flow, **back, "consent": "2026-11", "consent_id": "2026-11", **changes}
    return await voting.http.post(f"{BASE}/sessions/oidc", json=form)


async def enter(voting: Voting, issuer: Issuer, **claims: Any) -> httpx.Response:
    begun = await begin(voting)
    return await finish(voting, begun["flow"], issuer.sign_in(begun["authorize_url"], **claims))


def phone_claims(phone: str, **more: Any) -> dict[str, Any]:
    return {"phone_number": f"+86{phone}", "phone_number_verified": True, **more}


async def test_a_verified_phone_signs_in_and_is_the_same_person_as_by_code(open_round: Voting, issuer: Issuer) -> None:
    citizen = open_round.citizen()
    citizen.token = (await enter(open_round, issuer, **phone_claims(citizen.phone))).json()["token"]
    assert (await citizen.vote(["c1"])).status_code == 201
    await citizen.sign_in()
    assert (await citizen.vote(["c2"])).json()["reason"] == "already_voted"
    assert await open_round.context.pool.fetchval("SELECT route FROM ballots") == "oidc"


async def test_a_verified_id_is_the_person_whatever_the_phone(id_round: Voting, issuer: Issuer) -> None:
    number = made_up_id()
    answer = await enter(id_round, issuer, **phone_claims(new_phone(), national_id=number))
    assert answer.status_code == 201
    other = await enter(id_round, issuer, **phone_claims(new_phone(), national_id=number.lower()))
    assert (other.status_code, other.json()["reason"]) == (409, "identity_conflict")


@pytest.mark.parametrize(
    ("claims", "changes", "expected"),
    [
        ({}, {}, (422, "bad_national_id")),
        ({"national_id": "110105194912310021"}, {}, (422, "bad_national_id")),
        ({"national_id": made_up_id("20150101")}, {}, (403, "too_young")),
        ({"national_id": made_up_id()}, {"consent_id": ""}, (422, "consent_missing")),
        ({"national_id": made_up_id()}, {"consent": ""}, (422, "consent_missing")),
    ],
)
async def test_a_round_with_ids_refuses_what_lacks_one(
    id_round: Voting, issuer: Issuer, claims: dict[str, Any], changes: dict[str, Any], expected: tuple[int, str]
) -> None:
    begun = await begin(id_round)
    back = issuer.sign_in(begun["authorize_url"], **phone_claims(new_phone(), **claims))
    answer = await finish(id_round, begun["flow"], back, **changes)
    assert (answer.status_code, answer.json()["reason"]) == expected


@pytest.mark.parametrize(
    "claims", [{}, {"phone_number": "+8613912345678"}, {"phone_number": 1, "phone_number_verified": True}]
)
async def test_an_unverified_phone_proves_nothing(open_round: Voting, issuer: Issuer, claims: dict[str, Any]) -> None:
    answer = await enter(open_round, issuer, **claims)
    assert (answer.status_code, answer.json()["reason"]) == (403, "route_refused")


@pytest.mark.parametrize(
    "changes", [{"aud": "somebody"}, {"iss": "https://elsewhere.example"}, {"nonce": "old"}, {"exp": 1}]
)
async def test_a_token_made_for_something_else_is_refused(
    open_round: Voting, issuer: Issuer, changes: dict[str, Any]
) -> None:
    issuer.changes = changes
    answer = await enter(open_round, issuer, **phone_claims(new_phone()))
    assert (answer.status_code, answer.json()["reason"]) == (403, "route_refused")


async def test_nobody_finishes_what_another_began(open_round: Voting, issuer: Issuer) -> None:
    mine, yours = await begin(open_round), await begin(open_round)
    back = issuer.sign_in(yours["authorize_url"], **phone_claims(new_phone()))
    for flow, changes in (
        (mine["flow"], {}),
        (mine["flow"], {"state": "guessed"}),
        (yours["flow"], {"state": "猜的"}),
        ("AAAA", {}),
        ("nonsense!", {}),
    ):
        answer = await finish(open_round, flow, {**back, **changes})
        assert (answer.status_code, answer.json()["reason"]) == (403, "route_refused")
    assert (await finish(open_round, yours["flow"], back)).status_code == 201


async def test_a_flow_belongs_to_its_round(voting: Voting, issuer: Issuer) -> None:
    await voting.add_round(round_message(rules_text()))
    await voting.add_round(round_message(rules_text("other"), "other"))
    begun = (await voting.http.post("/api/voting/v1/rounds/other/oidc", json=await work(voting, "other"))).json()
    back = issuer.sign_in(begun["authorize_url"], **phone_claims(new_phone()))
    assert (await finish(voting, begun["flow"], back)).json()["reason"] == "route_refused"


async def test_an_authorisation_is_good_once(open_round: Voting, issuer: Issuer) -> None:
    begun = await begin(open_round)
    back = issuer.sign_in(begun["authorize_url"], **phone_claims(new_phone()))
    answers = await asyncio.gather(*(finish(open_round, begun["flow"], back) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 403, 403]


async def test_keys_that_changed_are_fetched_again(open_round: Voting, issuer: Issuer) -> None:
    assert (await enter(open_round, issuer, **phone_claims(new_phone()))).status_code == 201
    issuer.new_key()
    assert (await enter(open_round, issuer, **phone_claims(new_phone()))).status_code == 201


async def test_a_token_signed_by_another_key_of_the_same_name_is_refused(open_round: Voting, issuer: Issuer) -> None:
    assert (await enter(open_round, issuer, **phone_claims(new_phone()))).status_code == 201
    known = issuer.key_id
    issuer.new_key()
    issuer.key_id = known
    assert (await enter(open_round, issuer, **phone_claims(new_phone()))).json()["reason"] == "route_refused"


async def test_claims_may_come_from_user_info_of_the_same_person(open_round: Voting, issuer: Issuer) -> None:
    issuer.user_info = {"sub": "s1", **phone_claims(new_phone())}
    assert (await enter(open_round, issuer)).status_code == 201
    issuer.user_info = {**issuer.user_info, "sub": "somebody else"}
    assert (await enter(open_round, issuer)).json()["reason"] == "route_refused"


async def test_an_issuer_that_is_away_says_so(open_round: Voting, issuer: Issuer) -> None:
    issuer.mishaps.append(Reply({}, 503))
    answer = await open_round.http.post(f"{BASE}/oidc", json=await work(open_round))
    assert (answer.status_code, answer.json()["reason"]) == (503, "route_unavailable")
    assert (await enter(open_round, issuer, **phone_claims(new_phone()))).status_code == 201


@pytest.mark.parametrize("more_settings", [{"identity_provider": ""}])
async def test_an_issuer_not_trusted_with_ids_opens_rounds_of_phones_only(id_round: Voting, issuer: Issuer) -> None:
    answer = await enter(id_round, issuer, **phone_claims(new_phone(), national_id=made_up_id()))
    assert (answer.status_code, answer.json()["reason"]) == (503, "identity_unavailable")


async def test_each_beginning_costs_work_of_its_own(open_round: Voting, issuer: Issuer) -> None:
    """The issuer is not asked for anybody who did not solve a challenge of this round, once."""
    solved = await work(open_round)
    for form, expected in ((solved, 201), (solved, 403), ({"altcha": "guessed"}, 403), ({}, 403)):
        answer = await open_round.http.post(f"{BASE}/oidc", json=form)
        assert answer.status_code == expected
        assert expected == 201 or answer.json()["reason"] == "challenge_failed"


async def test_a_flow_buys_one_question_to_the_issuer(open_round: Voting, issuer: Issuer) -> None:
    """Guessing codes under one solved challenge leads to one call, not to many."""
    begun = await begin(open_round)
    back = issuer.sign_in(begun["authorize_url"], **phone_claims(new_phone()))
    answers = [await finish(open_round, begun["flow"], {**back, "code": f"guessed-{k}"}) for k in range(4)]
    assert [answer.json()["reason"] for answer in answers] == ["route_refused"] * 4
    assert issuer.exchanges == 1


async def test_the_return_page_is_kept_by_nobody_and_names_no_code(open_round: Voting) -> None:
    """What stands in its address is neither in the page nor sent on as a referrer."""
    page = await open_round.http.get("/sign-in/oidc?code=one-time&state=s", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert "one-time" not in page.text


async def test_the_page_offers_the_issuer_where_it_can_prove_what_is_asked(voting: Voting) -> None:
    await voting.add_round(round_message(rules_text()))
    await voting.add_round(round_message(rules_text("ids", ballot=ID_RULE), "ids"))
    by_phone, with_ids = [(await voting.http.get(f"/rounds/{each}/vote")).text for each in ("small", "ids")]
    assert 'id="by-oidc"' in by_phone and 'id="phone-send"' in by_phone  # noqa: PT018
    # Nobody here verifies typed IDs, so the issuer is the one way.
    assert 'id="by-oidc"' in with_ids and 'id="phone-send"' not in with_ids  # noqa: PT018
    assert "by-wechat" not in by_phone
    assert (await voting.http.get("/sign-in/wechat")).status_code == 404


@pytest.mark.parametrize("more_settings", [{"identity_provider": ""}])
async def test_where_nobody_verifies_ids_the_page_says_so(id_round: Voting) -> None:
    page = (await id_round.http.get("/rounds/small/vote")).text
    assert "by-oidc" not in page
    assert "现在还没有可用的核对方式" in page


async def test_each_form_of_a_sign_in_is_described_with_what_it_takes(voting: Voting) -> None:
    """The declaration is one shape; only an issuer, which vouches for name and ID, is not told them."""
    document = (await voting.http.get("/api/voting/v1/schema/openapi.json")).json()
    schemas = document["components"]["schemas"]
    common = {"consent", "district", "consent_id", "adult"}
    typed = common | {"national_id", "name"}
    assert set(schemas["SessionForm"]["properties"]) == typed | {"request", "phone", "code"}
    assert set(schemas["WechatForm"]["properties"]) == typed | {"code", "phone_code", "altcha"}
    assert set(schemas["OidcForm"]["properties"]) == common | {"flow", "state", "code"}
    assert set(schemas["SessionForm"]["required"]) == {"request", "phone", "code"}
