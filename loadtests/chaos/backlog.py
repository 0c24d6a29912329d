"""A ledger that ran far ahead of its follower: people go on voting, and the tally catches up by itself."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from loadtests.chaos.scene import MADE, Scene

AT_ONCE = 100_000
CAUGHT_UP_WITHIN_S = 900.0

_FILL = """
INSERT INTO ballots (round_number, voter_key, period, reissue, ballot_id, choices, receipt, salt, stratum, route,
                     received_at, recorded_at)
SELECT $1::int, $2::bytea || decode(lpad(to_hex(k), 16, '0'), 'hex'), 0, 0, gen_random_uuid(),
       ARRAY[$3::smallint], substring(sha256(convert_to('r' || $1::int || '/' || k, 'UTF8')) FOR 12),
       substring(sha256(convert_to('s' || k, 'UTF8')) FOR 16), '', 'sms', clock_timestamp(), clock_timestamp()
FROM generate_series($4::bigint, $5::bigint) AS k
"""


def backlog_play(size: int) -> Callable[[Scene], Awaitable[None]]:
    """The play with so many ballots; how fast they were taken up is noted among the run's moments."""

    async def play(scene: Scene) -> None:
        await scene.open()

        async def fault(_: Scene) -> None:
            await _fill(scene, size)

        await scene.vote_through(fault, over_s=5.0)
        started = time.monotonic()
        await scene.until(lambda: _is_caught_up(scene), CAUGHT_UP_WITHIN_S, "the follower has caught up")
        await scene.recorder.moment(f"{size} ballots were taken up {time.monotonic() - started:.1f} s later")

    return play


async def _fill(scene: Scene, size: int) -> None:
    """Rows as the ledger's own function writes them, straight into the table; nobody's but this run's."""
    async with scene.stage.database("voting") as connection:
        card = await scene.number_of_first()
        for first in range(1, size + 1, AT_ONCE):
            last = min(size, first + AT_ONCE - 1)
            await connection.execute(_FILL, scene.number, MADE, card, first, last)
            scene.made_rows += last - first + 1


async def _is_caught_up(scene: Scene) -> bool:
    async with scene.stage.database("voting") as connection:
        waiting = await connection.fetchval(
            "SELECT count(*) FROM (SELECT FROM ballots AS b, tally_checkpoint AS c"
            " WHERE (b.xid, b.index) > (c.xid, c.index) LIMIT 1) AS one"
        )
    return not waiting
