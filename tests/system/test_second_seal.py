"""What an upheld objection changes: ballots excluded after publication, sealed, published and computed again."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any
from uuid import uuid4

from services.cli.embedded.processes import group_members
from services.cli.people import REGISTRY, SCORING, VOTING
from services.shared.ranking.bundle import rank_bundle, read_bundle
from tests.support.waiting import wait_until
from tests.system.test_seal import OPEN_S, sealed
from tests.system.town import CANDIDATES, RULES, Town

ROUND = "twice"
FILES = {
    "rules.toml": RULES.format(id=ROUND, grace_s=1) + '[publication]\nballots = "ballots"\n',
    "candidates.csv": CANDIDATES,
}


async def act(town: Town, actor: str, path: str, body: Any = None) -> dict[str, Any]:
    """An act of an administrator, which must succeed; an account that was just made is not known everywhere at once."""
    found: dict[str, Any] = {}

    async def is_known() -> bool:
        answer = await town.operate("POST", path, body, actor)
        assert answer.status_code in (200, 201, 401), answer.text
        found.update(answer.json())
        return answer.status_code != 401

    await wait_until(is_known, 10, f"{actor} is known", 0.2)
    return found


async def exported(town: Town, folder: Path, version: int) -> list[str]:
    """The order of the candidates in the exported bundle of a version, ranked again."""
    path, last = folder / str(uuid4()), ""

    async def is_public() -> bool:
        """Each worker learns over the stream what was published."""
        nonlocal last
        code, told, error = await town.command("export", ROUND, "--out", str(path), "--version", str(version))
        last = told
        assert code == 0 or "not_published" in error, error
        return code == 0

    await wait_until(is_public, 10, f"version {version} can be exported", 0.3)
    assert "recomputed and identical" in last
    return [row.candidate for row in rank_bundle(read_bundle(path)).rows]


async def votes_of(town: Town, candidate: str) -> int:
    rows = (await town.http.get(f"{VOTING}/rounds/{ROUND}/results")).json().get("candidates", [])
    return next((row["votes"] for row in rows if row["candidate"] == candidate), -1)


async def preview_says(town: Town, wanted: str) -> None:
    """Scoring learns over the stream what happened to ballots."""

    async def said() -> bool:
        answer = await town.operate("GET", f"{SCORING}/rounds/{ROUND}/preview")
        return bool(answer.json().get("reason", "") == wanted)

    await wait_until(said, 10, f"a preview says {wanted or 'who would move'}")


async def test_ballots_excluded_after_publication_make_another_tally_and_ranking(town: Town, tmp_path: Path) -> None:
    for name in ("qian", "sun", "zhou"):
        await act(town, "platform", f"{REGISTRY}/staff", {"username": name, "name": name, "roles": ["administrator"]})
    await town.load_round(ROUND, OPEN_S, files=FILES)
    bought, _ = await asyncio.gather(town.vote(ROUND, ["c1"], 3), town.vote(ROUND, ["c2"], 2))
    await sealed(town, ROUND)
    await preview_says(town, "")
    code, _, error = await town.command("rounds", "publish", ROUND, "qian", "sun")
    assert code == 0, error
    assert (await exported(town, tmp_path, 1))[:2] == ["c1", "c2"]

    holds = f"{VOTING}/rounds/{ROUND}/holds"
    form = {"ballots": [each.receipt for each in bought[:2]], "reason": "bought_votes", "evidence": "异议成立"}
    hold = f"{holds}/{(await act(town, 'zhou', holds, form))['hold']}"
    await preview_says(town, "holds_open")
    await act(town, "qian", f"{hold}/decisions", {"decision": "exclude", "reason": "转账记录"})
    await act(town, "sun", f"{hold}/confirmations")
    await preview_says(town, "tally_missing")

    parent = town.platform.processes["voting"].pid
    assert parent is not None
    os.kill(next(record.pid for record in group_members(parent) if record.pid != parent), signal.SIGKILL)

    async def sealed_again() -> bool:
        code, told, _ = await town.command("rounds", "seal", ROUND)
        return code == 0 and "tally 2" in told

    await wait_until(sealed_again, 30, "the second tally is sealed")
    # A repeat finds nothing to seal, and nothing of the second tally is public yet.
    assert await sealed_again()
    assert await votes_of(town, "c1") == 3
    why = ("--cause", "ballots_excluded", "--reason", "异议成立，剔除两张")
    code, _, error = await town.command("rounds", "publish", ROUND, "qian", "sun", *why)
    assert code == 0, error
    await wait_until(lambda: _is(town, "c1", 1), 10, "the new counts are public")
    assert (await exported(town, tmp_path, 2))[:2] == ["c2", "c1"]
    assert (await exported(town, tmp_path, 1))[:2] == ["c1", "c2"]
    await town.check_audit()


async def _is(town: Town, candidate: str, votes: int) -> bool:
    return await votes_of(town, candidate) == votes
