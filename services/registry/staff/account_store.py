"""Accounts as lists for those who look after them: filtered, by page, with how each stands. Reads only."""

from datetime import datetime

import msgspec

from services.shared.postgres import Pool


class AccountFilter(msgspec.Struct, frozen=True):
    """`words` stand in username, name, unit or channel; `state` is active, disabled, without_factor, or any."""

    words: str = ""
    role: str = ""
    state: str = ""


class AccountLine(msgspec.Struct, frozen=True):
    """An account in a list; `unit_name` where the unit is known to the registry."""

    staff: str
    username: str
    name: str
    roles: list[str]
    unit: str
    unit_name: str
    channel: str
    disabled: bool
    totp: bool


class AccountEvent(msgspec.Struct, frozen=True):
    """What happened to an account; `event` without the `staff.` that it has in the log."""

    at: datetime
    actor: str
    event: str


# $1 words, $2 role, $3 state; an empty one asks for nothing.
_ASKED = """
    ($1 = '' OR strpos(lower(concat_ws(' ', s.username, s.name, s.unit, u.name, s.channel)), lower($1)) > 0)
    AND ($2 = '' OR $2 = ANY (s.roles))
    AND ($3 = '' OR ($3 = 'active' AND NOT s.disabled) OR ($3 = 'disabled' AND s.disabled)
         OR ($3 = 'without_factor' AND NOT s.disabled AND t.enrolled_at IS NULL))
"""
_FROM = "FROM staff s LEFT JOIN units u ON u.unit = s.unit LEFT JOIN staff_totp t ON t.staff = s.staff"


async def find(pool: Pool, asked: AccountFilter, after: str, limit: int) -> list[AccountLine]:
    """Accounts in the order of their usernames, from behind `after`."""
    rows = await pool.fetch(
        "SELECT s.staff, s.username, s.name, s.roles, s.unit, coalesce(u.name, '') AS unit_name, s.channel,"
        f" s.disabled, t.enrolled_at IS NOT NULL AS totp {_FROM}"
        f" WHERE {_ASKED} AND s.staff > $4 ORDER BY s.staff LIMIT $5",
        asked.words, asked.role, asked.state, after, limit,
    )  # fmt: skip
    return [AccountLine(**dict(row)) for row in rows]


async def count(pool: Pool, asked: AccountFilter) -> int:
    """How many accounts a filter finds."""
    found: int = await pool.fetchval(f"SELECT count(*) {_FROM} WHERE {_ASKED}", asked.words, asked.role, asked.state)
    return found


async def place_names(pool: Pool, *identifiers: str) -> dict[str, str]:
    """Names of units and channels by their identifiers; what an account has typed instead of one is not among them."""
    rows = await pool.fetch(
        "SELECT unit AS place, name FROM units WHERE unit = ANY($1)"
        " UNION ALL SELECT channel, name FROM channels WHERE channel = ANY($1)",
        [each for each in identifiers if each],
    )
    return {row["place"]: row["name"] for row in rows}


async def events(pool: Pool, staff: str, limit: int) -> list[AccountEvent]:
    """The newest entries of the log about an account; signing in and out is its owner's business."""
    rows = await pool.fetch(
        "SELECT at, actor, substr(action, 7) AS event FROM log_entries WHERE kind = 'staff' AND object = $1"
        " AND action NOT IN ('staff.signed_in', 'staff.signed_out') ORDER BY id DESC LIMIT $2",
        staff,
        limit,
    )
    return [AccountEvent(**dict(row)) for row in rows]
