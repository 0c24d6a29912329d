"""Rounds in PostgreSQL: the only SQL of this subject.

Invariant: what was frozen never changes (triggers refuse it); what may change raises the round's version and leaves a
RoundMessage of the whole state in the outbox, in the same transaction.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from services.registry.reasons import RegistryReason
from services.registry.rounds.files import SECRET_FILES, Draft
from services.registry.rounds.views import Round, RoundLine
from services.shared import outbox
from services.shared.errors import Refusal
from services.shared.messages import REGISTRY_ROUNDS, CandidateCard, CriterionText, Party, RoundEvent, WindowMessage
from services.shared.postgres import Connection, Pool

ROUND_LOCK = 0x7078
_ROUNDS = "/api/registry/v1/rounds"


class Frozen(msgspec.Struct, frozen=True):
    """What freezing adds to a draft."""

    at: datetime
    by: str
    consent: str
    number_seed: str
    numbers: dict[str, int]
    open_for_s: int | None
    rehearsal: bool = False
    number_commitment: str = ""


class KnownFiles(msgspec.Struct, frozen=True):
    """How an existing round was made: file name → SHA-256, whether it was opened at once, whether it is a rehearsal."""

    hashes: dict[str, bytes]
    open_for_s: int | None
    rehearsal: bool


def hashes_of(files: Mapping[str, str]) -> dict[str, bytes]:
    return {name: hashlib.sha256(text.encode()).digest() for name, text in files.items()}


async def lock_round(connection: Connection, round_id: str) -> None:
    """Serialise changes of one round within the caller's transaction."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", ROUND_LOCK, round_id)


async def known_files(connection: Connection, round_id: str) -> KnownFiles | None:
    """How the round was loaded, or None where there is none of this name."""
    row = await connection.fetchrow("SELECT open_for_s, rehearsal FROM rounds WHERE round = $1", round_id)
    if row is None:
        return None
    files = await connection.fetch("SELECT name, sha256 FROM round_files WHERE round = $1", round_id)
    return KnownFiles({each["name"]: bytes(each["sha256"]) for each in files}, row["open_for_s"], row["rehearsal"])


async def call_exists(connection: Connection, round_id: str) -> bool:
    """Whether a call of this id is on its way to become the round."""
    return bool(await connection.fetchval("SELECT true FROM calls WHERE call = $1 AND state <> 'withdrawn'", round_id))


async def insert_round(connection: Connection, draft: Draft, files: Mapping[str, str], frozen: Frozen) -> None:
    """Write a frozen round with everything it is made of, and its first events."""
    round_id, voting = draft.rules.round.id, draft.rules.windows.voting
    await connection.execute(
        "INSERT INTO rounds (round, title, timezone, digest, rules, consent, number_seed, open_for_s,"
        " voting_opens_at, voting_closes_at, lots_after, frozen_at, frozen_by, criteria, experts, warnings, rehearsal,"
        " number_commitment) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        round_id, draft.rules.round.title or round_id, draft.rules.round.timezone or "UTC", draft.rules.digest,
        draft.rules_text, frozen.consent, frozen.number_seed, frozen.open_for_s,
        voting.opens if voting else None, voting.closes if voting else None, lots_after(draft), frozen.at, frozen.by,
        msgspec.to_builtins(draft.criteria), draft.experts, draft.warnings, frozen.rehearsal, frozen.number_commitment,
    )  # fmt: skip
    await connection.execute("INSERT INTO round_states (round, version) VALUES ($1, 0)", round_id)
    if draft.lots_seed:
        await connection.execute(
            "INSERT INTO round_secrets (round, lots_seed) VALUES ($1, $2)", round_id, draft.lots_seed
        )
    await _insert_files(connection, round_id, files)
    await _insert_candidates(connection, round_id, draft, frozen.numbers)
    await add_event(connection, round_id, frozen.at, "frozen", draft.rules.digest, frozen.by)
    await add_event(connection, round_id, frozen.at, "numbers_drawn", frozen.number_seed, frozen.by)


def lots_after(draft: Draft) -> datetime | None:
    """When the seed of lots may be known: the end of voting, or of scoring where nobody votes."""
    window = draft.rules.windows.voting or draft.rules.windows.scoring
    return window.closes if window else None


async def _insert_files(connection: Connection, round_id: str, files: Mapping[str, str]) -> None:
    await connection.executemany(
        "INSERT INTO round_files (round, name, sha256, content) VALUES ($1, $2, $3, $4)",
        [
            (round_id, name, digest, None if name in SECRET_FILES else files[name])
            for name, digest in sorted(hashes_of(files).items())
        ],
    )


async def _insert_candidates(connection: Connection, round_id: str, draft: Draft, numbers: Mapping[str, int]) -> None:
    await connection.executemany(
        "INSERT INTO round_channels (round, channel, name, kind) VALUES ($1, $2, $3, $4)",
        [(round_id, each.channel, each.name, each.kind) for each in draft.channels.values()],
    )
    await connection.executemany(
        "INSERT INTO candidates (round, candidate, number, title, unit, channel, category, level, summary,"
        " withdrawn_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        [
            (
                round_id, each.candidate, numbers[each.candidate], each.title, each.unit, each.channel,
                each.category, each.level, draft.summary_of(each.candidate), each.withdrawn_at,
            )
            for each in draft.candidates
        ],
    )  # fmt: skip
    await connection.executemany(
        "INSERT INTO candidate_applications (round, candidate, lead_credit_code, budget_total, content)"
        " VALUES ($1, $2, $3, $4, $5)",
        [
            (round_id, each.candidate, each.lead.credit_code, each.budget_total, msgspec.to_builtins(each))
            for each in draft.applications.values()
        ],
    )


async def add_event(connection: Connection, round_id: str, at: datetime, event: str, detail: str, actor: str) -> None:
    await connection.execute(
        "INSERT INTO round_events (round, at, event, detail, actor) VALUES ($1, $2, $3, $4, $5)",
        round_id, at, event, detail, actor,
    )  # fmt: skip


async def publish(connection: Connection, round_id: str) -> Round:
    """Raise the version and leave the whole state in the outbox; returns the round as it is now."""
    await connection.execute("UPDATE round_states SET version = version + 1 WHERE round = $1", round_id)
    round_ = await load_round(connection, round_id)
    assert round_ is not None
    message, parties = round_.message(), await _parties(connection, round_id)
    cards = [msgspec.structs.replace(card, parties=parties[card.candidate]) for card in message.candidates]
    await outbox.append(connection, REGISTRY_ROUNDS, msgspec.structs.replace(message, candidates=cards))
    return round_


async def _parties(connection: Connection, round_id: str) -> dict[str, list[Party]]:
    """The units behind each candidate, the lead first: what other services need to find conflicts of interest.

    A lead is the unit that applied, else the registered one of its code or its name; a partner that of its code.
    """
    rows = await connection.fetch(
        "SELECT c.candidate, 'lead' AS role, coalesce(d.content -> 'lead' ->> 'name', c.unit) AS name,"
        "  coalesce(a.unit, k.unit, n.unit, '') AS unit, 0 AS place"
        " FROM candidates c LEFT JOIN candidate_applications d USING (round, candidate)"
        " LEFT JOIN applications a ON a.application = c.candidate AND a.call = c.round"
        " LEFT JOIN units k ON k.credit_code = d.lead_credit_code"
        " LEFT JOIN (SELECT name, min(unit) AS unit FROM units GROUP BY name) n ON n.name = c.unit WHERE c.round = $1"
        " UNION ALL SELECT d.candidate, 'partner', p.one ->> 'name', coalesce(u.unit, ''), p.place"
        " FROM candidate_applications d,"
        "  jsonb_array_elements(coalesce(d.content -> 'partners', '[]')) WITH ORDINALITY AS p (one, place)"
        " LEFT JOIN units u ON u.credit_code = p.one ->> 'credit_code' WHERE d.round = $1 ORDER BY candidate, place",
        round_id,
    )
    found: dict[str, list[Party]] = {}
    for row in rows:
        found.setdefault(row["candidate"], []).append(Party(row["role"], row["name"], row["unit"]))
    return found


async def load_round(connection: Connection | Pool, round_id: str) -> Round | None:
    """A round, its candidates in number order, its events as they happened; None where there is none."""
    if "\0" in round_id:  # PostgreSQL's texts cannot hold it
        return None
    row = await connection.fetchrow(
        "SELECT r.round, r.title, r.timezone, r.digest, r.rules, r.consent, r.number_seed, r.number_commitment,"
        " r.rehearsal, r.open_for_s,"
        " r.voting_opens_at, r.voting_closes_at, r.frozen_at, r.criteria, r.experts, r.warnings,"
        " s.version, s.closed_early_at, s.removed_at, s.list_version, s.ranking_version,"
        " extended_to(r.round) AS extended_to,"
        " CASE WHEN s.lots_revealed_at IS NULL THEN '' ELSE coalesce(x.lots_seed, '') END AS lots_seed,"
        " coalesce((SELECT tally_digest FROM lists l WHERE l.round = r.round AND l.version = s.list_version), '')"
        "  AS tally_digest"
        " FROM rounds r JOIN round_states s USING (round) LEFT JOIN round_secrets x USING (round) WHERE r.round = $1",
        round_id,
    )
    if row is None:
        return None
    events = await connection.fetch("SELECT at, event, detail FROM round_events WHERE round = $1 ORDER BY id", round_id)
    extensions = await connection.fetch(
        "SELECT at, 'extension' AS event, detail FROM round_extensions WHERE round = $1 ORDER BY version", round_id
    )
    fields: dict[str, Any] = dict(row)
    fields["criteria"] = msgspec.convert(row["criteria"], list[CriterionText])
    fields["events"] = [RoundEvent(**each) for each in events]
    fields["extensions"] = [RoundEvent(**each) for each in extensions]
    fields["candidates"] = await _cards(connection, round_id)
    return Round(**fields)


async def require_round(connection: Connection | Pool, round_id: str) -> Round:
    """A round that must be there; raises Refusal `unknown_round`."""
    round_ = await load_round(connection, round_id)
    if round_ is None:
        raise unknown_round(round_id)
    return round_


def unknown_round(round_id: str) -> Refusal:
    return Refusal(RegistryReason.UNKNOWN_ROUND, f"There is no round {round_id[:64]!r}; see /api/registry/v1/rounds.")


async def _cards(connection: Connection | Pool, round_id: str) -> list[CandidateCard]:
    rows = await connection.fetch(
        "SELECT c.candidate, c.number, c.title, c.unit, c.channel, c.category, c.level, c.summary,"
        " coalesce(c.withdrawn_at, w.withdrawn_at) AS withdrawn_at, coalesce(h.name, '') AS channel_title,"
        " p.sha256 AS picture, coalesce(p.text, '') AS image_text"
        " FROM candidates c LEFT JOIN round_channels h ON h.round = c.round AND h.channel = c.channel"
        " LEFT JOIN candidate_withdrawals w ON w.round = c.round AND w.candidate = c.candidate"
        " LEFT JOIN candidate_pictures p ON p.round = c.round AND p.candidate = c.candidate"
        " WHERE c.round = $1 ORDER BY c.number",
        round_id,
    )
    return [_card(round_id, row) for row in rows]


def _card(round_id: str, row: Any) -> CandidateCard:
    fields = dict(row)
    sha256 = fields.pop("picture")
    return CandidateCard(**fields, image=picture_address(round_id, row["candidate"], sha256) if sha256 else "")


def picture_address(round_id: str, candidate: str, sha256: bytes) -> str:
    """Where a candidate's picture is fetched; it names the content, so that it may be cached for ever."""
    return f"{_ROUNDS}/{quote(round_id)}/pictures/{quote(candidate, safe='')}?v={sha256.hex()[:12]}"


async def all_rounds(pool: Pool) -> list[RoundLine]:
    """Every round, newest first."""
    rows = await pool.fetch(
        "SELECT r.round, r.title, r.digest, s.version, r.frozen_at, r.voting_opens_at,"
        " coalesce(s.closed_early_at, extended_to(r.round), r.voting_closes_at) AS voting_ends_at, s.list_version,"
        " r.rehearsal, s.removed_at, (SELECT count(*) FROM candidates c WHERE c.round = r.round) AS candidates"
        " FROM rounds r JOIN round_states s USING (round) ORDER BY r.frozen_at DESC, r.round"
    )
    return [RoundLine(**dict(row)) for row in rows]


async def application(pool: Pool, round_id: str, candidate: str) -> dict[str, Any] | None:
    """The whole application behind a candidate; None where the round has only its card."""
    content: dict[str, Any] | None = await pool.fetchval(
        "SELECT content FROM candidate_applications WHERE round = $1 AND candidate = $2", round_id, candidate
    )
    return content


async def concerns(
    connection: Connection | Pool, round_id: str, candidates: Sequence[str], unit: str, channel: str
) -> bool:
    """Whether one of the candidates belongs to a unit or channel that somebody belongs to.

    Candidates of loaded folders name their unit as people read it, those of calls have an application; an account
    names its unit by identity. Any of them is an interest.
    """
    known = [candidate for candidate in candidates if "\0" not in candidate]
    if not known or "\0" in round_id or not (unit or channel):
        return False
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM candidates c WHERE c.round = $1 AND c.candidate = ANY($2)"
        " AND (($4 <> '' AND c.channel = $4) OR ($3 <> '' AND ("
        "  c.unit = $3 OR c.unit = (SELECT u.name FROM units u WHERE u.unit = $3)"
        "  OR EXISTS (SELECT FROM applications a WHERE a.application = c.candidate AND a.unit = $3)))))",
        round_id,
        known,
        unit,
        channel,
    )
    return found


async def add_extension(connection: Connection, message: WindowMessage) -> bool:
    """Keep an extension of a known round; returns whether this call did."""
    done: str = await connection.execute(
        "INSERT INTO round_extensions (round, version, closes_at, at, detail)"
        " SELECT round, $2, $3, $4, $5 FROM rounds WHERE round = $1 ON CONFLICT DO NOTHING",
        message.round, message.version, message.closes_at, message.event.at, message.event.detail,
    )  # fmt: skip
    return done.endswith(" 1")


async def close_early(connection: Connection, round_id: str, at: datetime) -> None:
    await connection.execute("UPDATE round_states SET closed_early_at = $2 WHERE round = $1", round_id, at)


class KeptSeed(msgspec.Struct, frozen=True):
    """A round whose seed of lots is still kept although the window of its rules is over."""

    round: str
    rules: str
    closed_early: bool


async def seeds_to_reveal(pool: Pool, now: datetime) -> list[KeptSeed]:
    """Rounds whose window is over and whose seed of lots is still kept."""
    rows = await pool.fetch(
        "SELECT r.round, r.rules, s.closed_early_at IS NOT NULL AS closed_early"
        " FROM rounds r JOIN round_states s USING (round) JOIN round_secrets x USING (round)"
        " WHERE s.lots_revealed_at IS NULL AND coalesce(s.closed_early_at, extended_to(r.round), r.lots_after) <= $1"
        " ORDER BY r.round LIMIT 100",
        now,
    )
    return [KeptSeed(**dict(row)) for row in rows]


async def reveal_seed(connection: Connection, round_id: str, at: datetime) -> bool:
    """Make the seed of lots public, where one is kept; returns whether this call did it."""
    await lock_round(connection, round_id)
    revealed = await connection.fetchval(
        "UPDATE round_states s SET lots_revealed_at = $2 FROM round_secrets x"
        " WHERE s.round = $1 AND x.round = s.round AND s.lots_revealed_at IS NULL RETURNING x.lots_seed",
        round_id,
        at,
    )
    if revealed is None:
        return False
    await add_event(connection, round_id, at, "lots_revealed", revealed, "registry")
    await publish(connection, round_id)
    return True
