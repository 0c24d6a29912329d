"""The hash chain over the registry's log, in commit order. Run by one elected loop; checked by `audit.py` and offline.

Entry n is one line of JSON, the array [n, id, at, actor, action, kind, object, round, before, after, personal] as
PostgreSQL's jsonb prints it: ", " and ": " between, keys of objects by length and then by bytes, characters beyond
ASCII as they are, `at` as text in UTC with microseconds. Its hash is SHA-256 over the hash before it (32 bytes; zeros
for n = 1) and that line in UTF-8. Whoever changes, drops or inserts an entry changes every hash that follows.
"""

from hashlib import sha256

from services.shared.postgres import Connection, Pool, transaction

BATCH_MAX = 500
GENESIS = bytes(32)


def hash_of(previous: bytes, canonical: str) -> bytes:
    """The hash of an entry: SHA-256(previous hash ‖ canonical JSON)."""
    return sha256(previous + canonical.encode()).digest()


async def chain_once(pool: Pool) -> int:
    """Number and chain what committed; returns how many entries were chained.

    Commit order is not identity order: only entries below the oldest running transaction are taken.
    """
    async with transaction(pool) as connection:
        # The lock makes chaining safe even while two processes believe they lead.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('log_chain'))")
        last = await connection.fetchrow(
            "SELECT c.n, c.hash, e.xid::text AS xid, e.id FROM log_chain c JOIN log_entries e ON e.id = c.entry"
            " ORDER BY c.n DESC LIMIT 1"
        )
        n, previous = (last["n"], last["hash"]) if last else (0, GENESIS)
        entries = await _unchained(connection, last["xid"] if last else "0", last["id"] if last else 0)
        lines = await _canonical(connection, entries, n)
        hashes = []
        for line in lines:
            previous = hash_of(previous, line)
            hashes.append(previous)
        await connection.execute(
            "INSERT INTO log_chain (n, entry, hash)"
            " SELECT $1 + k, entry, hash FROM unnest($2::bigint[], $3::bytea[]) WITH ORDINALITY AS x (entry, hash, k)",
            n,
            entries,
            hashes,
        )
    return len(entries)


async def _unchained(connection: Connection, xid: str, entry: int) -> list[int]:
    """Entries to be chained next, in order.

    All below the oldest running transaction were chained before, so that what follows lies behind the last one. Only
    where the last one seems to be of the future (the database was restored from a dump, which begins to count its
    transactions anew) every entry is asked for.
    """
    rows = await connection.fetch(
        """
        SELECT id FROM log_entries e
        WHERE xid < pg_snapshot_xmin(pg_current_snapshot()) AND (xid, id) > ($1::text::xid8, $2::bigint)
          AND NOT EXISTS (SELECT 1 FROM log_chain c WHERE c.entry = e.id)
        ORDER BY xid, id LIMIT $3
        """,
        xid,
        entry,
        BATCH_MAX,
    )
    if not rows and await connection.fetchval("SELECT $1::text::xid8 >= pg_snapshot_xmax(pg_current_snapshot())", xid):
        rows = await connection.fetch(
            """
            SELECT id FROM log_entries e
            WHERE (xid < pg_snapshot_xmin(pg_current_snapshot()) OR xid >= pg_snapshot_xmax(pg_current_snapshot()))
              AND NOT EXISTS (SELECT 1 FROM log_chain c WHERE c.entry = e.id)
            ORDER BY id LIMIT $1
            """,
            BATCH_MAX,
        )
    return [row["id"] for row in rows]


async def _canonical(connection: Connection, entries: list[int], n: int) -> list[str]:
    """The canonical lines of entries that are numbered from `n` + 1 on."""
    rows = await connection.fetch(
        """
        SELECT jsonb_build_array($2::bigint + k, id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            actor, action, kind, object, round, before, after, personal)::text AS line
        FROM unnest($1::bigint[]) WITH ORDINALITY AS x (entry, k) JOIN log_entries ON id = entry ORDER BY k
        """,
        entries,
        n,
    )
    return [row["line"] for row in rows]
