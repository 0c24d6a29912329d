"""Uploaded calendar years in PostgreSQL: the only SQL of this subject. Years are appended as versions."""

from datetime import date, datetime

from services.registry.calendar.days import NewYear, UploadedYear, WorkingCalendar
from services.registry.log.record import record
from services.shared.postgres import Connection, Pool, transaction


async def load(connection: Connection | Pool) -> WorkingCalendar:
    """The calendar as it stands now, in one query; a list asks for it once and then computes."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (year) year, version, document, days_off, days_worked FROM calendar_years"
        " ORDER BY year, version DESC"
    )
    return WorkingCalendar(
        {
            row["year"]: UploadedYear(
                row["version"], row["document"], frozenset(row["days_off"]), frozenset(row["days_worked"])
            )
            for row in rows
        }
    )


async def working_day_after(connection: Connection | Pool, start_date: date, days: int) -> tuple[date, bool]:
    """(the `days`-th working day after `start_date`, is it provisional)."""
    return (await load(connection)).working_day_after(start_date, days)


async def upload(pool: Pool, year: int, wanted: NewYear, actor: str, now: datetime) -> int | None:
    """Store a year as the version after the one that was read: that version, or None where it is stale."""
    async with transaction(pool) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('calendar_years'))")
        newest: int = await connection.fetchval(
            "SELECT coalesce(max(version), 0) FROM calendar_years WHERE year = $1", year
        )
        if newest != wanted.version:
            return None
        await connection.execute(
            "INSERT INTO calendar_years (year, version, document, days_off, days_worked, uploaded_by, uploaded_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)",
            year, newest + 1, wanted.document, wanted.days_off, wanted.days_worked, actor, now,
        )  # fmt: skip
        await record(
            connection, now, actor, "calendar.uploaded", "calendar", str(year),
            after={"version": newest + 1, "document": wanted.document,
                   "days_off": len(wanted.days_off), "days_worked": len(wanted.days_worked)},
        )  # fmt: skip
    return newest + 1
