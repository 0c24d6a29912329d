"""What the citizens' pages say in each state of a round, and the pictures they hand out."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest
from PIL import Image

from services.shared.clock import Clock
from services.shared.messages import RoundEvent
from tests.integration.voting.conftest import Voting
from tests.support.rounds import round_message, rules_text

ORGANISER, FILING, HOTLINE = "昆明市社会建设办公室", "滇ICP备00000000号-1", "0871-12345"
HOUR = timedelta(hours=1)


class MovableClock(Clock):
    """The service's clock, moved by the test."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead

    def timestamp(self) -> float:
        return super().timestamp() + self.ahead.total_seconds()


@pytest.fixture
def clock() -> Clock:
    return MovableClock()


@pytest.fixture
def settings_changes() -> dict[str, object]:
    site = {"organiser": ORGANISER, "filing_number": FILING, "hotline": HOTLINE}
    return {**site, "public_origin": "https://vote.example"}


async def _page(voting: Voting, path: str, **headers: str) -> httpx.Response:
    answer = await voting.http.get(path, headers={"accept": "text/html", **headers})
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize(
    ("opens", "closes", "words"),
    [(HOUR, 2 * HOUR, "投票还没有开始"), (-HOUR, HOUR, "核对您的选择"), (-2 * HOUR, -HOUR, "投票已经截止")],
)
async def test_before_and_after_the_vote_its_page_says_so(
    voting: Voting, opens: timedelta, closes: timedelta, words: str
) -> None:
    """Not an error and not an empty form: why nobody can vote now, until when, and what to do next."""
    now = datetime.now(UTC)
    await voting.add_round(round_message(rules_text(opens=now + opens, closes=now + closes)))
    text = (await _page(voting, "/rounds/small/vote")).text
    headings = re.findall(r"<h1[^>]*>([^<]+)</h1>", text)
    assert words in headings
    assert ("投票已经截止" in headings) == (closes < timedelta(0))


async def test_the_foot_of_a_page_tells_who_runs_it(voting: Voting) -> None:
    """Organiser, filing number linked to the ministry, and the hotline, which texts name too."""
    await voting.add_round(round_message(rules_text()))
    text = (await _page(voting, "/rounds/small")).text
    assert ORGANISER in text
    assert f'<a href="https://beian.miit.gov.cn/" rel="noopener">{FILING}</a>' in text
    assert f'<a href="tel:{HOTLINE}">{HOTLINE}</a>' in text
    refused = await voting.http.get("/rounds/none", headers={"accept": "text/html"})
    assert refused.status_code == 404
    assert re.search(rf"(?<!{re.escape(HOTLINE[:-5])})12345", refused.text) is None


async def test_a_phone_keeps_the_order_it_was_given(voting: Voting) -> None:
    """The first answer draws one of the 64 orders and hands it over; with it the page comes in the same order again."""
    await voting.add_round(round_message(rules_text(), count=40))
    first = await _page(voting, "/rounds/small")
    order = re.search(r"order=(\d+)", first.headers["set-cookie"])
    assert order is not None
    again = await _page(voting, "/rounds/small", cookie=f"order={order[1]}")
    assert "order=" not in again.headers.get("set-cookie", "")
    cards, shown = (re.findall(r'data-candidate="(c\d+)"', page.text) for page in (first, again))
    published = (await voting.http.get(f"/api/voting/v1/rounds/small?order={order[1]}")).json()["candidates"]
    assert shown == cards == [card["candidate"] for card in published]
    for nonsense in ("64", "-1", "x"):
        assert (await _page(voting, "/rounds/small", cookie=f"order={nonsense}")).status_code == 200


async def test_a_kept_page_is_given_only_to_whom_it_fits(voting: Voting, clock: MovableClock) -> None:
    """Pages are kept by order, language and size, for one phase; a filter makes another one."""
    now = datetime.now(UTC)
    await voting.add_round(round_message(rules_text(opens=now - HOUR, closes=now + HOUR), count=40))

    async def shown(cookie: str, query: str = "") -> str:
        return (await _page(voting, f"/rounds/small{query}", cookie=cookie)).text

    plain = await shown("order=7")
    assert await shown("order=7") == plain
    looks = ("order=8", "order=7; lang=en", "order=7; large=1")
    assert len({plain, *[await shown(look) for look in looks], await shown("order=7", "?q=1")}) == len(looks) + 2
    assert 'lang="en"' in await shown("order=7", "?lang=en")
    assert "data-pick=" in plain
    clock.ahead = 2 * HOUR
    assert "data-pick=" not in await shown("order=7")


async def test_who_withdrew_is_told_by_number_and_title(voting: Voting) -> None:
    message = round_message(rules_text())
    card = message.candidates[0]
    event = RoundEvent(datetime.now(UTC), "withdrawal", f"{card.candidate}: 单位申请退出")
    await voting.add_round(msgspec.structs.replace(message, events=[event]))
    assert f"{card.number} {card.title}（单位申请退出）" in (await _page(voting, "/rounds/small")).text


async def test_every_page_of_a_round_shares_the_rounds_own_card(voting: Voting) -> None:
    """A candidate's link shows the round in a chat too: nobody's picture travels, and its address is whole."""
    await voting.add_round(round_message(rules_text()))
    pages = [await _page(voting, f"/rounds/small{path}") for path in ("", "/candidates/c1", "/vote")]
    cards = [dict(re.findall(r'<meta property="og:(\w+)" content="([^"]*)">', page.text)) for page in pages]
    assert cards[0] == cards[1] == cards[2]
    assert cards[0]["title"] == "小评选"
    assert cards[0]["image"] == "https://vote.example/rounds/small/card"
    picture = await voting.http.get("/rounds/small/card")
    assert picture.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(picture.content)).size == (1200, 630)


async def _receipt(voting: Voting) -> str:
    await voting.add_round(round_message(rules_text()))
    citizen = voting.citizen()
    await citizen.sign_in()
    return str((await citizen.vote(["c1", "c2"])).raise_for_status().json()["receipt"])


async def test_a_receipts_picture_has_an_address_that_does_not_tell_the_receipt(voting: Voting) -> None:
    """Fetched without cookies, as WeChat's saver does; the same receipt gets another address each time."""
    receipt = await _receipt(voting)
    answers = [await voting.http.post("/api/voting/v1/receipts/pictures", json={"receipt": receipt}) for _ in range(2)]
    addresses = [answer.json()["picture"] for answer in answers]
    assert addresses[0] != addresses[1]
    assert not any(receipt.lower() in address.lower() for address in addresses)
    picture = await voting.http.get(addresses[0])
    assert picture.status_code == 200
    assert picture.headers["cache-control"].startswith("private")
    assert Image.open(io.BytesIO(picture.content)).size == (720, 760)
    assert 'src="/receipts/pictures/' in (await _page(voting, f"/receipts/{receipt}")).text


async def test_a_pictures_address_ends_and_cannot_be_made_up(voting: Voting, clock: MovableClock) -> None:
    receipt = await _receipt(voting)
    made = await voting.http.post("/api/voting/v1/receipts/pictures", json={"receipt": receipt})
    address = made.json()["picture"]
    for wrong in (
        address[:-2] + ("AA" if address[-2:] != "AA" else "BB"),
        "/receipts/pictures/x",
        "/receipts/pictures/é",
    ):
        assert (await voting.http.get(wrong)).status_code == 404
    unknown = await voting.http.post("/api/voting/v1/receipts/pictures", json={"receipt": "0" * 20})
    assert (unknown.status_code, unknown.json()["reason"]) == (404, "unknown_receipt")
    clock.ahead = timedelta(minutes=31)
    assert (await voting.http.get(address)).status_code == 404


async def test_too_many_pictures_at_once_are_refused(voting: Voting) -> None:
    """Drawing must never hold up ballots: the phone then shows the picture that it draws itself."""
    receipt = await _receipt(voting)
    made = await voting.http.post("/api/voting/v1/receipts/pictures", json={"receipt": receipt})
    voting.context.pictures_under_way = voting.settings.pictures_under_way_max
    answer = await voting.http.get(made.json()["picture"])
    assert (answer.status_code, answer.json()["reason"]) == (503, "overloaded")
    assert int(answer.headers["retry-after"]) > 0
