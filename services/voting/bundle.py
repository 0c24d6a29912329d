"""`ballots.csv` of the published bundle, for rounds whose rules publish ballots.

One row per ballot and group, each under its own keyed random number, so that neither a receipt nor a pattern of picks
over the groups leads to a person. Strata smaller than the rules' minimum are merged into the rest.
"""

from __future__ import annotations

import csv
import hmac
import io
from collections import Counter, defaultdict
from collections.abc import Iterator

from services.shared.keys import derive
from services.shared.postgres import Pool
from services.shared.strata import REST, merged_strata
from services.voting import store
from services.voting.rounds import FrozenRound

_COLUMNS = ("ballot", "state", "choices", "stratum")


async def ballots_csv(pool: Pool, frozen: FrozenRound, secret: bytes) -> bytes:
    """The file's bytes, rows strictly increasing by `ballot`."""
    rows = await store.published_ballots(pool, frozen.number)
    counted = Counter(row["stratum"] for row in rows if row["state"] != "excluded")
    merged = merged_strata(counted, frozen.rules.publication.small_group_min) | (
        {row["stratum"] for row in rows} - counted.keys()
    )
    key = derive(secret, f"published-ballots:{frozen.id}")
    published = sorted(
        (_number(key, row["ballot_id"].bytes, group), _state(row["state"]), " ".join(sorted(chosen)),
         REST if row["stratum"] in merged else row["stratum"])
        for row in rows
        for group, chosen in _by_group(frozen, row["choices"])
    )  # fmt: skip
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(published)
    return text.getvalue().encode()


def _by_group(frozen: FrozenRound, numbers: list[int]) -> Iterator[tuple[str, list[str]]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for number in numbers:
        candidate = frozen.by_number[number].candidate
        groups[frozen.groups[candidate]].append(candidate)
    yield from groups.items()


def _number(key: bytes, ballot_id: bytes, group: str) -> str:
    return hmac.digest(key, ballot_id + group.encode(), "sha256")[:12].hex()


def _state(state: str | None) -> str:
    return "excluded" if state == "excluded" else "counted"
