"""Invitations in PostgreSQL. Whatever happens to one leaves an entry in the log, in the same transaction."""

from datetime import datetime
from typing import Any

from services.registry.log.record import record
from services.registry.reasons import RegistryReason
from services.registry.staff import invitations, store
from services.registry.staff.accounts import PLATFORM, Account, NewStaff, require_may_grant
from services.registry.staff.invitations import Invitation, NewInvitation, Purpose
from services.shared.errors import CommonReason, Refusal
from services.shared.postgres import Connection, Pool, transaction
from services.shared.staff import Role, Staff


def _invitation(row: Any) -> Invitation:
    return Invitation(**{name: row[name] for name in Invitation.__struct_fields__})


async def invite(
    connection: Connection, wanted: NewInvitation, token_hash: bytes, actor: str, now: datetime, *, staff: str = ""
) -> int:
    """Store an invitation inside the caller's transaction; with `staff` it renews that account's password."""
    purpose = Purpose.PASSWORD if staff else Purpose.ACCOUNT
    number: int = await connection.fetchval(
        "INSERT INTO invitations (token_hash, purpose, username, name, roles, unit, channel, staff, invited_by,"
        " invited_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING invitation",
        token_hash, purpose, wanted.username, wanted.name, wanted.roles, wanted.unit, wanted.channel, staff or None,
        actor, now, now + invitations.LIFETIME,
    )  # fmt: skip
    after = {"purpose": purpose, "username": wanted.username, "roles": wanted.roles, "unit": wanted.unit}
    await record(connection, now, actor, "invitation.made", "invitation", str(number), after=after)
    return number


async def make(pool: Pool, wanted: NewInvitation, token_hash: bytes, actor: Staff, now: datetime) -> int:
    """An invitation to an account; raises Refusal `bad_invitation`, or 404 for a unit that is not the officer's."""
    async with transaction(pool) as connection:
        state, channel = await _place_of(connection, wanted.unit, wanted.channel)
        if not is_office(actor) and (not actor.channel or channel != actor.channel):
            raise Refusal(RegistryReason.UNKNOWN_UNIT, f"There is no unit {wanted.unit[:64]!r} in your channel.")
        if wanted.unit and state != "approved":
            raise Refusal(RegistryReason.BAD_INVITATION, f"unit {wanted.unit[:64]!r} is {state}; approve it first.")
        return await invite(connection, wanted, token_hash, actor.staff, now)


async def _place_of(connection: Connection, unit: str, channel: str) -> tuple[str, str]:
    """(state of the unit, channel of the unit); raises Refusal `bad_invitation` where unit or channel is unknown."""
    if channel and not await connection.fetchval("SELECT true FROM channels WHERE channel = $1", channel):
        raise Refusal(RegistryReason.BAD_INVITATION, f"channel {channel[:64]!r} is unknown; see GET /channels.")
    if not unit:
        return "", ""
    row = await connection.fetchrow("SELECT state, channel FROM units WHERE unit = $1", unit)
    if row is None:
        raise Refusal(RegistryReason.BAD_INVITATION, f"unit {unit[:64]!r} is unknown; see GET /units.")
    return row["state"], row["channel"]


async def renew_password(pool: Pool, username: str, token_hash: bytes, actor: Staff, now: datetime) -> int:
    """An invitation to a new password; raises Refusal `unknown_staff`, `built_in` or 403.

    Officers help the applicants of their channel's units only, and nobody themselves: that needs the old password.
    """
    async with transaction(pool) as connection:
        account = await store.account(connection, username)
        if account is None or account.disabled or not await _may_help(connection, actor, account):
            raise Refusal(RegistryReason.UNKNOWN_STAFF, f"There is no open account {username[:64]!r}.")
        if account.staff == PLATFORM:
            raise Refusal(RegistryReason.BUILT_IN, "The account platform has no password.")
        if account.staff == actor.staff:
            raise Refusal(CommonReason.FORBIDDEN, "Change your own password with POST /staff/me/password.")
        require_may_grant(account.roles, actor)
        wanted = NewInvitation(account.roles, account.username, account.name, account.unit, account.channel)
        return await invite(connection, wanted, token_hash, actor.staff, now, staff=account.staff)


async def _may_help(connection: Connection, actor: Staff, account: Account) -> bool:
    if is_office(actor):
        return True
    theirs = await connection.fetchval("SELECT channel FROM units WHERE unit = $1", account.unit)
    return account.roles == [Role.APPLICANT] and bool(actor.channel) and theirs == actor.channel


def is_office(actor: Staff) -> bool:
    """Whether somebody acts for the committee office rather than for one channel."""
    return actor.has(Role.ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR)


async def open_invitations(pool: Pool, now: datetime, channel: str | None, after: int, limit: int) -> list[Invitation]:
    """Invitations that may still be accepted, oldest first; of one channel's units where it is given."""
    rows = await pool.fetch(
        "SELECT invitation, purpose, username, name, roles, unit, channel, invited_by, invited_at, expires_at"
        " FROM invitations i WHERE accepted_at IS NULL AND withdrawn_at IS NULL AND expires_at > $1"
        " AND invitation > $2 AND ($3::text IS NULL OR EXISTS"
        " (SELECT 1 FROM units u WHERE u.unit = i.unit AND u.channel = $3)) ORDER BY invitation LIMIT $4",
        now,
        after,
        channel,
        limit,
    )
    return [_invitation(row) for row in rows]


async def withdraw(pool: Pool, number: int, channel: str | None, actor: str, now: datetime) -> bool:
    """Withdraw an open invitation (of one channel's units where it is given); False where there is none."""
    async with transaction(pool) as connection:
        gone = await connection.fetchval(
            "UPDATE invitations i SET withdrawn_at = $2 WHERE invitation = $1 AND accepted_at IS NULL"
            " AND withdrawn_at IS NULL AND ($3::text IS NULL OR EXISTS"
            " (SELECT 1 FROM units u WHERE u.unit = i.unit AND u.channel = $3)) RETURNING invitation",
            number,
            now,
            channel,
        )
        if gone is None:
            return False
        await record(connection, now, actor, "invitation.withdrawn", "invitation", str(number))
    return True


async def look(connection: Connection | Pool, token_hash: bytes, now: datetime) -> Invitation | None:
    """The invitation behind a link while it may be accepted, else None."""
    row = await connection.fetchrow(
        "SELECT invitation, purpose, username, name, roles, unit, channel, invited_by, invited_at, expires_at"
        " FROM invitations WHERE token_hash = $1 AND accepted_at IS NULL AND withdrawn_at IS NULL AND expires_at > $2",
        token_hash,
        now,
    )
    return None if row is None else _invitation(row)


async def accept(pool: Pool, token_hash: bytes, username: str, password_hash: str, now: datetime) -> Account:
    """Make the account, or set its password; raises Refusal `invitation_gone` or `staff_exists`.

    The row's lock lets one of two who accept at once win.
    """
    async with transaction(pool) as connection:
        await connection.execute("SELECT 1 FROM invitations WHERE token_hash = $1 FOR UPDATE", token_hash)
        found = await look(connection, token_hash, now)
        if found is None:
            raise invitations.gone()
        if found.purpose == Purpose.PASSWORD:
            account = await _renewed(connection, token_hash, password_hash, now)
        else:
            account = await _made(connection, found, username, password_hash, now)
        await connection.execute(
            "UPDATE invitations SET accepted_at = $2, staff = $3 WHERE token_hash = $1", token_hash, now, account.staff
        )
        number = str(found.invitation)
        await record(connection, now, account.staff, "invitation.accepted", "invitation", number)
        return account


async def _made(connection: Connection, found: Invitation, username: str, password_hash: str, now: datetime) -> Account:
    wanted = NewStaff(
        found.username or username, found.roles, found.name or found.username or username, found.unit, found.channel
    )
    account = await store.add(connection, wanted, password_hash, found.invited_by, now)
    if account is None:
        raise Refusal(RegistryReason.STAFF_EXISTS, f"{wanted.username} exists; choose another username.")
    return account


async def _renewed(connection: Connection, token_hash: bytes, password_hash: str, now: datetime) -> Account:
    staff = await connection.fetchval("SELECT staff FROM invitations WHERE token_hash = $1", token_hash)
    account = await store.set_password(connection, staff, password_hash, now, except_session=b"")
    if account is None:
        raise invitations.gone()
    return account
