"""Units in PostgreSQL: registration, changes that wait for approval, decisions. Every act writes the log beside it."""

from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from services.registry.log.record import record
from services.registry.reasons import RegistryReason
from services.registry.units import channels
from services.registry.units.units import (
    Contact,
    Decision,
    DecisionLine,
    NewUnit,
    OpenChange,
    Unit,
    UnitChange,
    UnitDecision,
    UnitLine,
    UnitState,
)
from services.shared.errors import Refusal
from services.shared.postgres import Connection, Pool, transaction

_DECISIONS_SHOWN = 50
_KEEP_ATTEMPTS = timedelta(days=2)


async def count_registration(pool: Pool, address_key: bytes, day: date) -> int:
    """Count a registration of an address before it is made; returns the day's number of them."""
    found: int = await pool.fetchval(
        "INSERT INTO registration_attempts AS a (address_key, day, registrations) VALUES ($1, $2, 1)"
        " ON CONFLICT (address_key, day) DO UPDATE SET registrations = a.registrations + 1 RETURNING registrations",
        address_key,
        day,
    )
    return found


async def sweep(pool: Pool, now: datetime) -> int:
    """Forget old counts; at most 1,000 a call."""
    counts = await pool.fetch(
        "DELETE FROM registration_attempts WHERE (address_key, day) IN"
        " (SELECT address_key, day FROM registration_attempts WHERE day < $1 LIMIT 1000) RETURNING 1",
        (now - _KEEP_ATTEMPTS).date(),
    )
    return len(counts)


async def register(pool: Pool, unit: str, wanted: NewUnit, now: datetime) -> tuple[str, int]:
    """(unit, version) of a pending registration; a refused one with the same code may be handed in anew.

    Raises Refusal `unit_registered` or `unknown_channel`.
    """
    async with transaction(pool) as connection:
        await _require_open_channel(connection, wanted.channel)
        made = await connection.fetchval(
            "INSERT INTO units (unit, name, kind, credit_code, channel, facts, created_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (credit_code) DO NOTHING RETURNING version",
            unit, wanted.name, wanted.kind, wanted.credit_code, wanted.channel,
            msgspec.to_builtins(wanted.facts), now,
        )  # fmt: skip
        if made is None:
            unit, made = await _register_anew(connection, wanted)
        await _keep_contact(connection, unit, wanted.contact, now)
        after = {"name": wanted.name, "kind": wanted.kind, "channel": wanted.channel}
        await record(connection, now, "", "unit.registered", "unit", unit, after=after, personal=True)
    return unit, made


async def _require_open_channel(connection: Connection, channel: str) -> None:
    # The row is locked against closing until the unit that names it is committed.
    if not await connection.fetchval(
        "SELECT true FROM channels WHERE channel = $1 AND closed_at IS NULL FOR SHARE", channel
    ):
        raise channels.unknown(channel)


async def _register_anew(connection: Connection, wanted: NewUnit) -> tuple[str, int]:
    """Hand a refused registration in once more. In a new statement: the other one's row is visible now."""
    row = await connection.fetchrow(
        "UPDATE units SET name = $2, kind = $3, channel = $4, facts = $5, state = 'pending', version = version + 1"
        " WHERE credit_code = $1 AND state = 'refused' RETURNING unit, version",
        wanted.credit_code, wanted.name, wanted.kind, wanted.channel, msgspec.to_builtins(wanted.facts),
    )  # fmt: skip
    if row is None:
        raise _registered()
    return row["unit"], row["version"]


def _registered() -> Refusal:
    # No name, no state, no district: whoever holds the code knows them, and nobody else should learn them here.
    return Refusal(
        RegistryReason.UNIT_REGISTERED, "A unit with this credit code is registered; ask your district for an account."
    )


async def _keep_contact(connection: Connection, unit: str, contact: Contact, now: datetime) -> None:
    await connection.execute(
        "INSERT INTO unit_contacts (unit, name, email, changed_at) VALUES ($1, $2, $3, $4) ON CONFLICT (unit)"
        " DO UPDATE SET name = excluded.name, email = excluded.email, changed_at = excluded.changed_at",
        unit,
        contact.name,
        contact.email,
        now,
    )


async def list_units(
    pool: Pool, channel: str | None, state: str | None, kind: str | None, after: str, limit: int,
    *, waiting: bool = False, q: str = "",
) -> list[UnitLine]:  # fmt: skip
    """Up to `limit` units after the key `after`, of one channel, state or kind where they are given.

    With `waiting` those on which somebody has to decide; with `q` those whose name holds it.
    """
    rows = await pool.fetch(
        "SELECT u.unit, u.name, u.kind, u.credit_code, u.channel, c.name AS channel_name, u.state, u.version,"
        " u.created_at, EXISTS (SELECT 1 FROM unit_changes x WHERE x.unit = u.unit AND x.state = 'open')"
        " AS change_pending FROM units u JOIN channels c USING (channel)"
        " WHERE ($1::text IS NULL OR u.channel = $1) AND ($2::text IS NULL OR u.state = $2)"
        " AND ($3::text IS NULL OR u.kind = $3) AND u.unit > $4 AND strpos(u.name, $7) > 0"
        " AND (NOT $6 OR u.state = 'pending' OR (u.state = 'approved'"
        "   AND EXISTS (SELECT 1 FROM unit_changes x WHERE x.unit = u.unit AND x.state = 'open')))"
        " ORDER BY u.unit LIMIT $5",
        channel, state, kind, after, limit, waiting, q,
    )  # fmt: skip
    return [UnitLine(**dict(row)) for row in rows]


async def place_of(connection: Connection | Pool, unit: str) -> str | None:
    """The channel of a unit, None where the unit is unknown."""
    channel: str | None = await connection.fetchval("SELECT channel FROM units WHERE unit = $1", unit)
    return channel


async def find(connection: Connection | Pool, unit: str) -> Unit | None:
    """A whole unit with its contact, its open change and the decisions on it."""
    row = await connection.fetchrow(
        "SELECT u.unit, u.name, u.kind, u.credit_code, u.channel, c.name AS channel_name, u.state, u.version,"
        " u.created_at, x.id IS NOT NULL AS change_pending, u.facts, p.name AS contact_name, p.email,"
        " x.wanted, x.asked_by, x.asked_at FROM units u JOIN channels c USING (channel)"
        " LEFT JOIN unit_contacts p USING (unit)"
        " LEFT JOIN unit_changes x ON x.unit = u.unit AND x.state = 'open' WHERE u.unit = $1",
        unit,
    )
    if row is None:
        return None
    decided = await connection.fetch(
        "SELECT decision, subject, reason, decided_by, decided_at FROM unit_decisions WHERE unit = $1"
        " ORDER BY id DESC LIMIT $2",
        unit,
        _DECISIONS_SHOWN,
    )
    line = UnitLine(**{name: row[name] for name in UnitLine.__struct_fields__})
    contact = None if row["email"] is None else Contact(row["contact_name"], row["email"])
    change = OpenChange(row["wanted"], row["asked_by"], row["asked_at"]) if row["change_pending"] else None
    return Unit(line, row["facts"], contact, change, [DecisionLine(**dict(each)) for each in decided])


async def note_read(pool: Pool, unit: str, actor: str, now: datetime) -> None:
    """Somebody of the office read a unit's personal data."""
    await record(pool, now, actor, "unit.read", "unit", unit, personal=True)


async def change(pool: Pool, unit: str, wanted: UnitChange, actor: str, now: datetime) -> int:
    """The unit's next version: facts and contact change at once, what a district approved is kept as an open wish.

    Raises Refusal `stale_version`, `change_pending`, `unknown_channel`.
    """
    async with transaction(pool) as connection:
        before = await _locked(connection, unit, wanted.version)
        if guarded := wanted.guarded():
            await _ask(connection, unit, guarded, before, actor, now)
        if wanted.contact is not None:
            await _keep_contact(connection, unit, wanted.contact, now)
        facts = before["facts"] if wanted.facts is None else msgspec.to_builtins(wanted.facts)
        version: int = await connection.fetchval(
            "UPDATE units SET facts = $2, version = version + 1 WHERE unit = $1 RETURNING version", unit, facts
        )
        after = {"asked": guarded, "facts": wanted.facts is not None, "contact": wanted.contact is not None}
        await record(connection, now, actor, "unit.changed", "unit", unit, after=after, personal=True)
    return version


async def _locked(connection: Connection, unit: str, version: int) -> Any:
    row = await connection.fetchrow(
        "SELECT name, kind, credit_code, channel, facts, state, version FROM units WHERE unit = $1 FOR UPDATE", unit
    )
    if row is None or row["version"] != version:
        raise Refusal(
            RegistryReason.STALE_VERSION, "The unit was changed meanwhile; read it again.",
            version=row["version"] if row else None,
        )  # fmt: skip
    return row


async def _ask(
    connection: Connection, unit: str, wanted: dict[str, str], before: Any, actor: str, now: datetime
) -> None:
    if wanted.get("channel", before["channel"]) != before["channel"]:
        await _require_open_channel(connection, wanted["channel"])
    asked = await connection.fetchval(
        "INSERT INTO unit_changes (unit, wanted, asked_by, asked_at) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT DO NOTHING RETURNING true",
        unit,
        wanted,
        actor,
        now,
    )
    if not asked:
        raise Refusal(
            RegistryReason.CHANGE_PENDING, "An earlier change waits for your district; wait for its decision."
        )


class Decided(msgspec.Struct, frozen=True):
    """What came of a decision; `registered` where it approved the registration itself."""

    version: int
    registered: bool


async def decide(
    connection: Connection, unit: str, decision: UnitDecision, reason: str, actor: str, now: datetime
) -> Decided:
    """Approve or refuse what waits, or close the unit, inside the caller's transaction.

    Raises Refusal `stale_version`, `nothing_to_decide`, `unit_registered`.
    """
    before = await _locked(connection, unit, decision.version)
    subject = await _subject(connection, unit, before["state"], decision)
    if subject == "change":
        version = await _decide_change(connection, unit, before, decision.decision, actor, now)
    else:
        version = await connection.fetchval(
            "UPDATE units SET state = $2, version = version + 1 WHERE unit = $1 RETURNING version",
            unit,
            decision.decision,
        )
    await connection.execute(
        "INSERT INTO unit_decisions (unit, decision, subject, reason, decided_by, decided_at)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        unit, decision.decision, subject, reason, actor, now,
    )  # fmt: skip
    after = {"subject": subject, "reason": reason}
    await record(
        connection,
        now,
        actor,
        f"unit.{decision.decision}",
        "unit",
        unit,
        before={"state": before["state"]},
        after=after,
    )
    registered = subject == "registration" and decision.decision is Decision.APPROVED
    return Decided(version, registered)


async def _subject(connection: Connection, unit: str, state: str, decision: UnitDecision) -> str:
    """What a decision is about; raises Refusal `nothing_to_decide`."""
    if decision.decision is Decision.CLOSED:
        if state == UnitState.APPROVED:
            return "unit"
    elif state == UnitState.PENDING:
        return "registration"
    elif state == UnitState.APPROVED and await connection.fetchval(
        "SELECT true FROM unit_changes WHERE unit = $1 AND state = 'open'", unit
    ):
        return "change"
    raise Refusal(RegistryReason.NOTHING_TO_DECIDE, f"The unit is {state}, and nothing of it waits for this decision.")


async def _decide_change(
    connection: Connection, unit: str, before: Any, decision: str, actor: str, now: datetime
) -> int:
    wanted = await connection.fetchval(
        "UPDATE unit_changes SET state = $2, decided_by = $3, decided_at = $4 WHERE unit = $1 AND state = 'open'"
        " RETURNING wanted",
        unit,
        decision,
        actor,
        now,
    )
    values = {key: before[key] for key in ("name", "kind", "credit_code", "channel")}
    if decision == UnitState.APPROVED:
        values |= wanted
        await _require_free_code(connection, unit, values["credit_code"])
    version: int = await connection.fetchval(
        "UPDATE units SET name = $2, kind = $3, credit_code = $4, channel = $5, version = version + 1"
        " WHERE unit = $1 RETURNING version",
        unit, values["name"], values["kind"], values["credit_code"], values["channel"],
    )  # fmt: skip
    return version


async def _require_free_code(connection: Connection, unit: str, code: str) -> None:
    if await connection.fetchval("SELECT true FROM units WHERE credit_code = $2 AND unit <> $1", unit, code):
        raise _registered()
