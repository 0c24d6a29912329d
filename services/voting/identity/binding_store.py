"""SQL of the bond between a person (keyed hash of the ID) and a phone, and between a round and its identity key.

Two phones racing with one ID, or three people racing for a phone's last place, are settled by the unique keys; what
another transaction committed meanwhile is seen because the comparison is a statement of its own.
"""

from __future__ import annotations

from services.shared.postgres import Connection


async def bind(
    connection: Connection, round_number: int, id_key: bytes, phone_key: bytes, places: int, consent: str, verifier: str
) -> bool:
    """Bind a person to a phone that at most `places` people share; True when they belong together, now or before."""
    for place in range(1, places + 1):
        await connection.execute(
            "INSERT INTO identities (round_number, id_key, phone_key, place, consent, verified_by)"
            " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            round_number,
            id_key,
            phone_key,
            place,
            consent,
            verifier,
        )
        bound = await _phone_of(connection, round_number, id_key)
        if bound is not None:
            return bound == phone_key
    return False


async def _phone_of(connection: Connection, round_number: int, id_key: bytes) -> bytes | None:
    found: bytes | None = await connection.fetchval(
        "SELECT phone_key FROM identities WHERE round_number = $1 AND id_key = $2", round_number, id_key
    )
    return found


async def is_key_of(connection: Connection, round_number: int, fingerprint: bytes) -> bool:
    """Whether people of this round were signed in under the key with this fingerprint; the first one settles it."""
    known = await _fingerprint_of(connection, round_number)
    if known is None:
        await connection.execute(
            "INSERT INTO round_keys (round_number, fingerprint) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            round_number,
            fingerprint,
        )
        known = await _fingerprint_of(connection, round_number)
    return known == fingerprint


async def _fingerprint_of(connection: Connection, round_number: int) -> bytes | None:
    found: bytes | None = await connection.fetchval(
        "SELECT fingerprint FROM round_keys WHERE round_number = $1", round_number
    )
    return found
