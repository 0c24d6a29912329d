"""A canary: made-up people walk every way there is, also the wrong ones, and nothing of theirs is found anywhere.

Looked for: phone, name and ID, codes, tokens, password, second factor, recovery codes, links and keys, as they are, as
bytes and, where it can be guessed, under every hash without a key. A word that must be found shows that the search
is not blind.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any
from urllib.parse import quote

import httpx
import pyotp
import pytest

from services.cli.people import REGISTRY, SCORING, VOTING, Citizen
from tests.integration.voting.identity_bureau import Bureau
from tests.support.national_ids import made_up_id
from tests.support.waiting import wait_until
from tests.system.places import files_holding, texts
from tests.system.town import CANDIDATES, RULES, Town

ROUND, NAME, PASSWORD = "canary", "金丝雀甲", "a-canary-password-4711"
# Stands in the open on purpose: whoever does not find it searches badly.
CONTROL = "canary-in-the-open"
STAFF = "canary-staff"
# Of a long random word a bare hash tells nothing; these could be tried one by one.
GUESSABLE = {"phone", "name", "ID", "password", "recovery code", "unused recovery code"}
_DIGESTS = ("md5", "sha1", "sha256", "sha512", "blake2b")


async def act_as_citizen(town: Town, bureau: Bureau) -> dict[str, str]:
    """Sign in with a verified ID, err on the way, vote, look at the receipt; what must be found nowhere."""
    rules = RULES.format(id=ROUND, grace_s=1).replace("[ballot]", '[ballot]\nidentity = "phone_and_id"')
    await town.load_round(ROUND, files={"rules.toml": rules, "candidates.csv": CANDIDATES})
    await wait_until(lambda: every_worker_knows(town), 10, "every worker knows the round")
    citizen, national_id = town.citizen(ROUND), made_up_id(serial=471)
    bureau.know(NAME, national_id, citizen.phone)
    person = {"name": NAME, "national_id": national_id, "consent_id": await consent(town), "adult": True}
    request, code = await ask_and_err(town, citizen, person)
    proven = await citizen.prove(request, code, **person)
    assert proven.status_code == 201, proven.text
    citizen.token = proven.json()["token"]
    assert (await citizen.vote(["nobody"])).status_code == 422
    receipt = (await citizen.vote(["c1"])).json()["receipt"]
    assert (await town.http.get(f"{VOTING}/receipts/{receipt}")).status_code == 200
    picture = (await town.http.post(f"{VOTING}/receipts/pictures", json={"receipt": receipt})).json()["picture"]
    assert (await town.http.get(picture)).status_code == 200
    own = await town.http.get(f"{VOTING}/rounds/{ROUND}/ballots/mine", headers=bearer(citizen.token))
    assert own.json()["choices"] == ["c1"]
    return {"phone": citizen.phone, "name": NAME, "ID": national_id, "code": code, "voter's token": citizen.token,
            "receipt": receipt, "picture's ticket": picture.rpartition("/")[2]}  # fmt: skip


async def every_worker_knows(town: Town) -> bool:
    """As far as asking many times tells."""
    answers = [await town.http.get(f"{VOTING}/rounds/{ROUND}") for _ in range(12)]
    return all(answer.status_code == 200 for answer in answers)


async def consent(town: Town) -> str:
    return str((await town.http.get(f"{VOTING}/rounds/{ROUND}")).json()["consent"])


async def ask_and_err(town: Town, citizen: Citizen, person: dict[str, Any]) -> tuple[str, str]:
    """(request, code) of a citizen who first puts everything where it does not belong."""
    base, phone = f"{VOTING}/rounds/{ROUND}", citizen.phone
    asked = await citizen.ask_code()
    assert asked.status_code == 202, asked.text
    request, code = asked.json()["request"], await citizen.newest_code()
    assert (await citizen.prove(request, "x" + code[1:], **person)).status_code == 403
    wrong: list[httpx.Response] = [
        await citizen.ask_code(),
        await town.http.post(f"{base}/codes", content=f'{{"phone": "{phone}", "altcha": '),
        await town.http.post(f"{base}/codes", json={"phone": phone, "route": phone}),
        await town.http.post(f"{base}/codes", json={"phone": f"{phone}\0", "altcha": code}),
        await town.http.post(f"{base}/sessions", json={"request": code, "phone": phone, "code": code}),
        await town.http.post(f"{base}/sessions", json={"request": request, "phone": {phone: code}, "code": code}),
        await town.http.post(f"{VOTING}/rounds/{phone}/codes", json={"phone": phone}),
        await town.http.get(f"/rounds/{phone}?phone={phone}&code={code}"),
        await town.http.get(f"/receipts/{phone}"),
        await citizen.prove(request, code, **{**person, "name": "金丝雀\0"}),
    ]
    assert {answer.status_code // 100 for answer in wrong} == {4}, [answer.status_code for answer in wrong]
    return request, code


async def act_as_staff(town: Town, phone: str) -> dict[str, str]:
    """An account with everything that opens something; what must be found nowhere."""
    account = {
        "username": STAFF,
        "name": CONTROL,
        "roles": ["security_administrator", "operator"],
        "password": PASSWORD,
    }
    assert (await town.operate("POST", f"{REGISTRY}/staff", account)).status_code == 201
    form = {"username": STAFF, "password": PASSWORD}
    slips = [{"username": PASSWORD, "password": STAFF}, {"username": f"{PASSWORD}\0", "password": "x"},
             {**form, "password": PASSWORD + "x"}, {**form, "totp": PASSWORD}]  # fmt: skip
    for slip in slips[:3]:
        assert (await sign_in(town, slip)).status_code in (400, 401)
    secret = (await town.http.post(f"{REGISTRY}/sessions/totp", json=form)).json()["secret"]
    assert (await sign_in(town, {**form, "totp": "000000x"})).status_code == 401
    first = pyotp.TOTP(secret).now()
    opened = await sign_in(town, {**form, "totp": first})
    assert opened.status_code == 201, opened.text
    recovery, token = opened.json()["recovery_codes"], opened.json()["token"]
    cookies = [cookie.split("=", 1)[1].split(";")[0] for cookie in opened.headers.get_list("set-cookie")]
    assert (await sign_in(town, {**form, "totp": recovery[0]})).status_code == 201
    await ask_the_hotline(town, token, phone)
    link = (await town.operate("POST", f"{REGISTRY}/staff/{STAFF}/invitations")).json()
    return {"password": PASSWORD, "second factor": secret, "staff token": token, "session": cookies[0],
            "recovery code": recovery[0], "unused recovery code": recovery[1],
            "link": link["link"].rpartition("#")[2], "observer's key": await observers_key(town, token)}  # fmt: skip


async def ask_the_hotline(town: Town, token: str, phone: str) -> None:
    """Somebody calls to ask where their code is; voting has to hear of the account first."""

    async def told() -> bool:
        form = {"round": ROUND, "phone": phone}
        answer = await town.http.post(f"{VOTING}/hotline", json=form, headers=bearer(token))
        return answer.status_code == 200 and bool(answer.json()["codes"])

    await wait_until(told, 10, "the hotline sees the code")


async def observers_key(town: Town, token: str) -> str:
    """A key made once scoring has heard of the account, and used."""

    async def heard() -> bool:
        answer = await town.http.get(f"{SCORING}/keys", headers=bearer(token))
        return answer.status_code == 200

    await wait_until(heard, 10, "scoring has heard of the account")
    key = str((await act(town, f"{SCORING}/keys", token, {"name": "观察员"}))["key"])
    assert (await town.http.get(f"{SCORING}/rounds/{ROUND}/rankings", headers=bearer(key))).status_code < 500
    return key


async def sign_in(town: Town, form: dict[str, str]) -> httpx.Response:
    return await town.http.post(f"{REGISTRY}/sessions", json=form)


async def act(town: Town, path: str, token: str, body: Any = None) -> dict[str, Any]:
    answer = await town.http.post(path, json=body, headers=bearer(token))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def forms(what: str, word: str) -> set[str]:
    """The word as it may stand in a text: itself, quoted, its bytes, and of what can be guessed every bare hash."""
    found = {word, quote(word), word.encode().hex(), base64.b64encode(word.encode()).decode().rstrip("=")}
    for plain in {word, f"+86{word}", word.lower()} if what in GUESSABLE else ():
        for digest in _DIGESTS:
            made = hashlib.new(digest, plain.encode()).digest()
            found |= {made.hex(), base64.b64encode(made).decode().rstrip("=")}
    return found


def stands(what: str, word: str, text: str) -> bool:
    if what == "code":  # six digits stand inside many longer numbers
        return re.search(rf"(?<![\w.]){word}(?![\w.])", text) is not None
    return any(form in text for form in forms(what, word))


@pytest.mark.timeout(240)
async def test_nothing_of_people_or_what_opens_is_found_anywhere(
    town: Town, bureau: tuple[Bureau, dict[str, str]]
) -> None:
    secrets = await act_as_citizen(town, bureau[0])
    secrets |= await act_as_staff(town, secrets["phone"])
    searched = dict(secrets, control=CONTROL)
    found = set()
    async for where, text in texts(town):
        found |= {(where, what) for what, word in searched.items() if stands(what, word, text)}
    # The embedded provider's outbox is what was "sent"; it stands in for the phones.
    assert {each for each in found if each[1] != "control"} - {("voting.public.dev_outbox", "code")} == set()
    assert ("registry.public.staff", "control") in found
    long_ones = {what: word.encode() for what, word in searched.items() if what != "code"}
    in_files = files_holding(town.platform.home.folder, long_ones)
    assert {each for each in in_files if each[1] != "control"} == set()
    assert any(what == "control" and file.startswith("postgres") for file, what in in_files)
