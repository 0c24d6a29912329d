"""Who may act: a genuine token is not enough, the account must stand in the service's own copy of the staff."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from litestar import Request

from services.shared.errors import Refusal, SignInFirst
from services.shared.staff import TOKEN_COOKIE, Role, StaffDoor, apply_staff
from services.shared.tokens import StaffSigner, StaffVerifier
from tests.integration.shared.conftest import STREAM, Channel, account

KEY = Ed25519PrivateKey.generate()
SIGNER = StaffSigner(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
VERIFIER = StaffVerifier(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def request(token: str = "", *, method: str = "GET", path: str = "/admin", cookie: str = "") -> Request[Any, Any, Any]:
    headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
    headers += [(b"cookie", f"{TOKEN_COOKIE}={cookie}".encode())] if cookie else []
    scope: Any = {"type": "http", "method": method, "path": path, "headers": headers, "query_string": b""}
    return Request(scope)


def token(staff: str = "s1", *, issued: datetime | None = None) -> str:
    # The roles in the token are the registry's word of then; what counts is the account of now.
    return SIGNER.sign(staff, staff, ["administrator"], issued or datetime.now(UTC))[0]


@pytest.fixture
def door(channel: Channel) -> StaffDoor:
    return StaffDoor(channel.read_model, VERIFIER, lag_max_s=30)


async def enrol(channel: Channel, **changes: object) -> None:
    async with channel.read_model.acquire() as connection:
        await apply_staff(connection, account(1, **changes))  # type: ignore[arg-type]


async def refusal(door: StaffDoor, asked: Request[Any, Any, Any], *roles: Role) -> tuple[int, str]:
    with pytest.raises(Refusal) as refused:
        await door.require(asked, *roles)
    return refused.value.reason.status, refused.value.reason.value


async def test_an_account_with_the_role_may_act(channel: Channel, door: StaffDoor) -> None:
    await enrol(channel)
    staff = await door.require(request(token()), Role.EXPERT, Role.AUDITOR)
    assert (staff.staff, staff.username, staff.has(Role.EXPERT)) == ("s1", "user1", True)


async def test_the_role_of_the_account_counts_and_not_the_tokens(channel: Channel, door: StaffDoor) -> None:
    await enrol(channel)
    assert await refusal(door, request(token()), Role.ADMINISTRATOR) == (403, "forbidden")


async def test_a_stranger_with_a_genuine_token_is_nobody(channel: Channel, door: StaffDoor) -> None:
    assert await refusal(door, request(token("s9")), Role.EXPERT) == (401, "bad_token")


@pytest.mark.parametrize("text", ["", "nonsense", "a.b.c"])
async def test_without_a_token_nobody_acts(channel: Channel, door: StaffDoor, text: str) -> None:
    await enrol(channel)
    assert await refusal(door, request(text), Role.EXPERT) == (401, "bad_token")


async def test_a_disabled_account_is_out_at_once(channel: Channel, door: StaffDoor) -> None:
    await enrol(channel)
    await enrol(channel, version=2, disabled=True)
    assert await refusal(door, request(token()), Role.EXPERT) == (401, "bad_token")


async def test_tokens_from_before_not_before_count_for_nothing(channel: Channel, door: StaffDoor) -> None:
    """Signing out everywhere, or a new password: what was issued earlier is worthless."""
    now = datetime.now(UTC)
    await enrol(channel, not_before=now)
    assert await refusal(door, request(token(issued=now - timedelta(minutes=2))), Role.EXPERT) == (401, "bad_token")
    await door.require(request(token(issued=now)), Role.EXPERT)


async def test_an_expired_token_is_told_to_sign_in_again(channel: Channel, door: StaffDoor) -> None:
    await enrol(channel)
    old = token(issued=datetime.now(UTC) - timedelta(minutes=6))
    assert await refusal(door, request(old), Role.EXPERT) == (401, "bad_token")


async def test_a_cookie_reads_and_serves_pages_but_writes_through_no_api(channel: Channel, door: StaffDoor) -> None:
    """Another site can make a browser send the cookie; it cannot set the header."""
    await enrol(channel)
    good = token()
    await door.require(request(cookie=good, path="/api/x"), Role.EXPERT)
    await door.require(request(cookie=good, method="POST", path="/expert/x"), Role.EXPERT)
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        asked = request(cookie=good, method=method, path="/api/x")
        assert await refusal(door, asked, Role.EXPERT) == (401, "bad_token")


async def test_a_page_lets_in_who_has_the_role_or_sends_to_renew_the_sign_in(channel: Channel, door: StaffDoor) -> None:
    await enrol(channel)
    assert (await door.visitor(request(token()), Role.EXPERT)).staff == "s1"
    assert (await door.visitor(request(token()))).staff == "s1"
    with pytest.raises(Refusal, match="forbidden"):
        await door.visitor(request(token()), Role.ADMINISTRATOR)
    minutes_ago = datetime.now(UTC) - timedelta(minutes=2)
    for nobody in ("", "nonsense", token("s9", issued=minutes_ago), token(issued=minutes_ago - timedelta(minutes=4))):
        with pytest.raises(SignInFirst):
            await door.visitor(request(nobody), Role.EXPERT)
    # Somebody whose sign-in was renewed a moment ago would come back here for ever.
    with pytest.raises(Refusal, match="staff_stale"):
        await door.visitor(request(token("s9")), Role.EXPERT)
    # Where the accounts themselves are, nothing lags: the account is gone or disabled.
    with pytest.raises(SignInFirst):
        await StaffDoor(channel.read_model, VERIFIER, 30, copies=False).visitor(request(token("s9")), Role.EXPERT)


async def test_an_act_of_two_people_fails_closed_when_the_staff_records_lag(channel: Channel, door: StaffDoor) -> None:
    with pytest.raises(Refusal) as never:
        await door.require_fresh()
    assert (never.value.reason.status, never.value.reason.value) == (503, "staff_stale")
    await channel.carry()
    await door.require_fresh()
    await channel.read_model.execute(
        "UPDATE stream_checkpoints SET complete_at = complete_at - interval '31 seconds' WHERE stream = $1", STREAM
    )
    with pytest.raises(Refusal, match="staff_stale"):
        await door.require_fresh()
