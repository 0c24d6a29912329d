"""Recommendations and exemptions in PostgreSQL. A recommendation's row is held while it changes."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from services.registry.calls.quotas import DIRECT_KIND, Entry, Exemption
from services.shared.postgres import Connection, Pool

_ENTRY = (
    "SELECT a.application, a.unit, u.name AS unit_name, a.title, a.level, a.category, a.stage, a.submitted_at"
    " FROM applications a JOIN units u USING (unit)"
)
_EXEMPTION = (
    "SELECT exemption, call, channel, unit, places, reason, proposed_by, proposed_at, confirmed_by, confirmed_at"
    " FROM exemptions"
)


class Recommendation(msgspec.Struct, frozen=True):
    """What a channel recommends, as it stands; final once `sent_at` is there."""

    call: str
    channel: str
    ranked: list[str]
    not_recommended: dict[str, str]
    opinions: dict[str, str]
    version: int
    changed_by: str
    changed_at: datetime | None
    sent_by: str | None
    sent_at: datetime | None


_COLUMNS = ", ".join(Recommendation.__struct_fields__)


async def hold(connection: Connection, call: str, channel: str) -> Recommendation:
    """The channel's recommendation, made where it is missing, its row held to the end of the transaction."""
    await connection.execute(
        "INSERT INTO recommendations (call, channel) VALUES ($1, $2) ON CONFLICT DO NOTHING", call, channel
    )
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM recommendations WHERE call = $1 AND channel = $2 FOR UPDATE",  # noqa: S608
        call,
        channel,
    )
    assert row is not None
    return Recommendation(**dict(row))


async def find(pool: Pool | Connection, call: str, channel: str) -> Recommendation:
    """The channel's recommendation; an empty one of version 0 where nobody began."""
    row = await pool.fetchrow(
        f"SELECT {_COLUMNS} FROM recommendations WHERE call = $1 AND channel = $2",  # noqa: S608
        call,
        channel,
    )
    return Recommendation(**dict(row)) if row else Recommendation(call, channel, [], {}, {}, 0, "", None, None, None)


class Sheet(msgspec.Struct, frozen=True):
    """A channel in the office's overview: its recommendation (None where nobody began), applications by stage."""

    recommendation: Recommendation | None
    stages: dict[str, int]
    exemptions: list[Exemption]


async def sheets(pool: Pool, call: str, channels: Sequence[str]) -> dict[str, Sheet]:
    """The sheets of these channels, by channel; one query whatever their number."""
    rows = await pool.fetch(
        "SELECT c.channel AS of_channel, r.*,"  # noqa: S608
        " (SELECT jsonb_object_agg(s.stage, s.applications) FROM (SELECT a.stage, count(*) AS applications"
        "  FROM applications a WHERE a.call = $1 AND a.channel = c.channel GROUP BY a.stage) s) AS stages,"
        f" (SELECT jsonb_agg(to_jsonb(e) ORDER BY e.proposed_at, e.exemption) FROM ({_EXEMPTION}) e"
        "  WHERE e.call = $1 AND e.channel = c.channel) AS exemptions"
        " FROM unnest($2::text[]) AS c (channel)"
        f" LEFT JOIN (SELECT {_COLUMNS} FROM recommendations) r ON r.call = $1 AND r.channel = c.channel",
        call,
        list(channels),
    )
    return {
        row["of_channel"]: Sheet(
            Recommendation(**{name: row[name] for name in Recommendation.__struct_fields__}) if row["call"] else None,
            row["stages"] or {},
            msgspec.convert(row["exemptions"] or [], list[Exemption]),
        )
        for row in rows
    }


async def write(
    connection: Connection, call: str, channel: str, ranked: list[str], not_recommended: Mapping[str, str],
    opinions: Mapping[str, str], actor: str, now: datetime,
) -> int:  # fmt: skip
    """Store a held recommendation; its new version."""
    version: int = await connection.fetchval(
        "UPDATE recommendations SET ranked = $3, not_recommended = $4, opinions = $5, changed_by = $6,"
        " changed_at = $7, version = version + 1 WHERE call = $1 AND channel = $2 RETURNING version",
        call, channel, ranked, dict(not_recommended), dict(opinions), actor, now,
    )  # fmt: skip
    return version


async def send(connection: Connection, call: str, channel: str, actor: str, now: datetime) -> int:
    version: int = await connection.fetchval(
        "UPDATE recommendations SET sent_by = $3, sent_at = $4, version = version + 1"
        " WHERE call = $1 AND channel = $2 RETURNING version",
        call, channel, actor, now,
    )  # fmt: skip
    return version


async def entries(connection: Pool | Connection, call: str, channel: str, *, lock: bool = False) -> dict[str, Entry]:
    """The applications of a channel that were handed in and still stand, by id in the order of submission."""
    rows = await connection.fetch(
        f"{_ENTRY} WHERE a.call = $1 AND a.channel = $2 AND a.stage NOT IN ('draft', 'withdrawn')"
        " ORDER BY a.submitted_at, a.application" + (" FOR UPDATE OF a" if lock else ""),
        call,
        channel,
    )
    return {row["application"]: Entry(**dict(row)) for row in rows}


async def left_out(pool: Pool, call: str, channels: Sequence[str]) -> list[tuple[str, Entry]]:
    """(channel, application) of those that were handed in and are not recommended, at most 1,000."""
    rows = await pool.fetch(
        "SELECT a.channel, a.application, a.unit, u.name AS unit_name, a.title, a.level, a.category, a.stage,"
        " a.submitted_at FROM applications a JOIN units u USING (unit)"
        " WHERE a.call = $1 AND a.channel = ANY($2) AND a.stage IN ('submitted', 'not_recommended')"
        " ORDER BY a.channel, a.application LIMIT 1000",
        call,
        list(channels),
    )
    return [(row["channel"], Entry(**{name: row[name] for name in Entry.__struct_fields__})) for row in rows]


async def add_exemption(connection: Connection, exemption: Exemption) -> None:
    await connection.execute(
        "INSERT INTO exemptions (exemption, call, channel, unit, places, reason, proposed_by, proposed_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        exemption.exemption, exemption.call, exemption.channel, exemption.unit, exemption.places, exemption.reason,
        exemption.proposed_by, exemption.proposed_at,
    )  # fmt: skip


async def exemptions(connection: Connection | Pool, call: str, channel: str | None = None) -> list[Exemption]:
    """Exemptions of a call, or of one of its channels, oldest first."""
    rows = await connection.fetch(
        f"{_EXEMPTION} WHERE call = $1 AND ($2::text IS NULL OR channel = $2) ORDER BY proposed_at, exemption",
        call,
        channel,
    )
    return [Exemption(**dict(row)) for row in rows]


async def exemption(connection: Connection, call: str, identifier: str) -> Exemption | None:
    """One exemption, its row held."""
    row = await connection.fetchrow(
        f"{_EXEMPTION} WHERE call = $1 AND exemption = $2 FOR UPDATE", call, identifier.replace("\0", "")
    )
    return Exemption(**dict(row)) if row else None


async def confirm_exemption(connection: Connection, identifier: str, actor: str, now: datetime) -> None:
    await connection.execute(
        "UPDATE exemptions SET confirmed_by = $2, confirmed_at = $3 WHERE exemption = $1", identifier, actor, now
    )


async def unit_in_channel(connection: Connection, unit: str, channel: str) -> bool:
    return bool(await connection.fetchval("SELECT true FROM units WHERE unit = $1 AND channel = $2", unit, channel))


async def direct_channels_to_pass(pool: Pool, now: datetime) -> list[tuple[str, str]]:
    """(call, channel) whose units apply directly, that nobody is there to send, after recommendation closed."""
    rows = await pool.fetch(
        "SELECT DISTINCT a.call, a.channel FROM applications a JOIN calls c USING (call)"
        " JOIN channels h USING (channel) WHERE c.state = 'announced' AND c.recommendation_closes_at <= $1"
        " AND a.stage = 'submitted' AND h.kind = $2"
        " AND NOT EXISTS (SELECT 1 FROM recommendations r WHERE r.call = a.call AND r.channel = a.channel"
        " AND r.sent_at IS NOT NULL)"
        " AND NOT EXISTS (SELECT 1 FROM staff s WHERE s.channel = a.channel AND 'channel_officer' = ANY(s.roles)"
        " AND NOT s.disabled) ORDER BY a.call, a.channel LIMIT 20",
        now,
        DIRECT_KIND,
    )
    return [(row["call"], row["channel"]) for row in rows]
