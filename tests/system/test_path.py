"""The whole path once, by the command line and the public interface: from the files of a round to a forgotten key."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.cli.people import SCORING, VOTING, Member
from tests.support.waiting import wait_until
from tests.system.town import CANDIDATES, RULES, Town, Voter

ROUND, PASSWORD = "path", "correct horse battery staple"
ADMINISTRATORS, EXPERTS = ("wang", "li"), ("expert1", "expert2", "expert3")
RULES_WITH_EXPERTS = (
    RULES.replace('votes = "1"\nexperts = "0"\ndecimals = 0', "").replace("[combination]\n", "")
    + """
[[criteria]]
id = "innovation"
title = "创新性"
weight = "0.6"
min = "0"
max = "100"
step = "1"
[[criteria]]
id = "breadth"
title = "广泛性"
weight = "0.4"
min = "0"
max = "100"
step = "1"
[votes]
transform = "linear_to_max"
decimals = 2
[combination]
votes = "0.3"
experts = "0.7"
decimals = 2
tie_break = ["experts", "votes"]
[selection]
places = {{ all = 2 }}
"""
)


class Walk:
    """What the steps hand on to each other."""

    def __init__(self, town: Town, folder: Path) -> None:
        self.town, self.folder = town, folder
        self.voters: list[Voter] = []

    async def good(self, *arguments: str, stdin: str = "") -> str:
        code, out, error = await self.town.command(*arguments, stdin=stdin)
        assert (code, error) == (0, ""), (arguments, error)
        return out

    async def bad(self, part: str, *arguments: str) -> None:
        """Exit 2, nothing on standard output, one sentence on standard error that holds `part`."""
        code, out, error = await self.town.command(*arguments)
        assert (code, out) == (2, ""), (arguments, out, error)
        assert error.startswith("pingxuan: ")
        assert error.count("\n") == 1
        assert part in error


@pytest_asyncio.fixture(loop_scope="session")
async def path(town: Town, tmp_path: Path) -> Walk:
    return Walk(town, tmp_path)


@pytest.mark.timeout(240)
async def test_a_round_from_its_files_to_the_published_ranking_and_a_forgotten_key(path: Walk) -> None:
    await enrol(path)
    digest = await load(path)
    await score(path)
    await vote(path)
    await hold(path)
    await watch(path, digest)
    await close_and_seal(path)
    await publish(path)
    await recompute(path)
    await forget(path)
    assert await path.good("audit") == ""


async def enrol(path: Walk) -> None:
    for name in ADMINISTRATORS:
        out = await path.good("staff", "add", name, "--role", "administrator", "--password-stdin", stdin=PASSWORD)
        assert PASSWORD not in out
    for name in EXPERTS:
        await path.good("staff", "add", name, "--role", "expert", "--password-stdin", stdin=PASSWORD)
    listed = await path.good("staff", "list")
    assert all(f"{name}\tactive\t" in listed for name in (*ADMINISTRATORS, *EXPERTS))
    await path.bad("wang exists", "staff", "add", "wang", "--role", "expert")


async def load(path: Walk) -> str:
    folder = path.folder / "round"
    folder.mkdir()
    await path.bad("rules.toml is missing", "rounds", "load", str(folder))
    rules = RULES_WITH_EXPERTS.format(id=ROUND, grace_s=2)
    (folder / "candidates.csv").write_text(CANDIDATES, encoding="utf-8")
    (folder / "rules.toml").write_text(rules.replace('weight = "0.6"', "weight = 0.6"), encoding="utf-8")
    await path.bad("rules.toml:", "rounds", "load", str(folder), "--open-for", "10m")
    await path.bad("no round", "rounds", "status", ROUND)
    (folder / "rules.toml").write_text(rules, encoding="utf-8")
    printed = (await path.good("rounds", "load", str(folder), "--open-for", "10m")).split()
    assert printed[0] == ROUND
    await path.town.wait_until_open(ROUND)
    facts = (await path.town.http.get(f"{VOTING}/rounds/{ROUND}")).json()
    assert facts["rules_digest"] == printed[1]
    await path.bad("is no duration", "rounds", "load", str(folder), "--open-for", "soon")
    return printed[1]


async def score(path: Walk) -> None:
    """Three experts mark four candidates."""
    for place, name in enumerate(EXPERTS):
        member = Member(path.town.http, name, PASSWORD)
        await member.sign_in()
        for number in range(1, 5):
            marks = {"innovation": str(60 + 5 * number + place), "breadth": str(90 - 3 * number - place)}
            await member.score(ROUND, f"c{number}", marks)


async def vote(path: Walk) -> None:
    for choices, count in ((["c1", "c2"], 7), (["c2"], 4), (["c3"], 2)):
        path.voters += await path.town.vote(ROUND, choices, count)
    citizen = path.town.citizen(ROUND)
    await citizen.sign_in()
    assert (await citizen.vote(["c4"])).status_code == 201


async def hold(path: Walk) -> None:
    """Two of the four ballots for c2 alone are excluded, by two different people."""
    town, holds = path.town, f"{VOTING}/rounds/{ROUND}/holds"
    receipts = [voter.receipt for voter in path.voters[7:9]]
    form = {"ballots": receipts, "reason": "rented_accounts", "evidence": "同一中介账号付款截图"}
    made = await town.operate("POST", holds, form, "wang")
    assert made.status_code == 201, made.text
    one = f"{holds}/{made.json()['hold']}"
    decided = {"decision": "exclude", "reason": "证据属实"}
    assert (await town.operate("POST", f"{one}/decisions", decided, "wang")).status_code == 201
    alone = await town.operate("POST", f"{one}/confirmations", {}, "wang")
    assert (alone.status_code, alone.json()["reason"]) == (409, "same_person")
    assert (await town.operate("POST", f"{one}/confirmations", {}, "li")).json()["state"] == "excluded"
    told = (await town.http.get(f"{VOTING}/receipts/{receipts[0]}")).json()
    assert (told["state"], told["reason"]) == ("excluded", "rented_accounts")


async def watch(path: Walk, digest: str) -> None:
    async def counted() -> bool:
        state = json.loads(await path.good("rounds", "status", ROUND, "--json"))
        return bool(state["turnout"] == 14)

    await wait_until(counted, 20, "the turnout is counted", 0.5)
    state = json.loads(await path.good("rounds", "status", ROUND, "--json"))
    assert (state["phase"], state["digest"], state["unavailable"]) == ("open", digest, [])
    assert state["ballots"] == {"recorded": 12, "held": 0, "excluded": 2, "restored": 0}
    assert (state["sheets"]["submitted"], state["sheets"]["missing"]) == (12, 0)
    told = await path.good("rounds", "status", ROUND)
    assert "turnout        14" in told


async def close_and_seal(path: Walk) -> None:
    await path.bad("(window_open)", "rounds", "seal", ROUND)
    await path.bad("(", "rounds", "publish", ROUND, *ADMINISTRATORS)
    assert f"{ROUND} closed at " in await path.good("rounds", "close", ROUND, "--reason", "演练结束")
    await path.bad("(already_closed)", "rounds", "close", ROUND)

    async def sealed() -> bool:
        code, _, error = await path.town.command("rounds", "seal", ROUND)
        assert code == 0 or "grace_running" in error
        return code == 0

    await wait_until(sealed, 30, "the tally is sealed", 0.2)


async def publish(path: Walk) -> None:
    out = str(path.folder / "early.zip")
    await path.bad("nothing is published in this round yet", "export", ROUND, "--out", out)
    await path.bad("two different people", "rounds", "publish", ROUND, "wang", "wang")
    await path.bad("no administrator", "rounds", "publish", ROUND, "wang", "expert1")
    assert "published: ranking 1, list 1" in await path.good("rounds", "publish", ROUND, *ADMINISTRATORS)
    results: dict[str, Any] = {}

    async def shown() -> bool:
        results.update((await path.town.http.get(f"{VOTING}/rounds/{ROUND}/results")).json())
        return "candidates" in results

    await wait_until(shown, 5, "every voting worker shows the counts")
    votes = {each["candidate"]: each["votes"] for each in results["candidates"]}
    assert (votes, results["turnout"]) == ({"c1": 7, "c2": 9, "c3": 2, "c4": 1}, 14)


async def recompute(path: Walk) -> None:
    """The bundle alone gives the published file, byte for byte, without the platform."""
    bundle = path.folder / "bundle.zip"
    await path.good("export", ROUND, "--out", str(bundle))
    ranked = await path.good("rank", str(bundle))
    published = (await path.town.http.get(f"{SCORING}/rounds/{ROUND}/rankings/1.csv")).content
    assert ranked.encode() == published
    with zipfile.ZipFile(io.BytesIO(bundle.read_bytes())) as archive:
        assert archive.read("ranking.csv") == published
        manifest = json.loads(archive.read("manifest.json"))
        assert manifest["rules_digest"] == hashlib.sha256(archive.read("rules.toml")).hexdigest()
        assert "rented_accounts,c2," in archive.read("exclusions.csv").decode()
    # By hand: 100 · votes / 9, the most that anybody has.
    rows = [line.split(",") for line in published.decode().splitlines()[1:]]
    assert [row[4] for row in sorted(rows, key=lambda row: row[2])] == ["77.78", "100.00", "22.22", "11.11"]


async def forget(path: Walk) -> None:
    await path.bad("two different people", "rounds", "forget", ROUND, "li", "li")
    key = Path(path.town.platform.environment["VOTING_ROUND_KEYS_DIR"]) / f"{ROUND}.key"
    assert key.is_file()
    assert "destroyed" in await path.good("rounds", "forget", ROUND, *ADMINISTRATORS)
    assert not key.exists()
    receipt = (await path.town.http.get(f"{VOTING}/receipts/{path.voters[0].receipt}")).json()
    assert receipt["state"] == "recorded"
    again = await path.voters[0].send(path.town.http, ROUND)
    assert again is not None
    assert again.status_code == 200


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["rounds", "status", "nowhere"], "There is no round"),
        (["rounds", "close", "nowhere"], "There is no round"),
        (["export", "nowhere"], "("),
        (["rank", "nowhere.zip"], "nowhere.zip"),
        (["staff", "disable", "nobody"], "There is no account"),
        (["nonsense"], "No such command"),
        (["rounds", "load"], "Missing argument"),
    ],
)
async def test_wrong_use_is_one_sentence_and_exit_2(path: Walk, arguments: list[str], part: str) -> None:
    await path.bad(part, *arguments)


async def test_without_a_platform_every_command_says_what_to_start(town: Town, tmp_path: Path) -> None:
    for arguments in (["rounds", "status", "x"], ["audit"], ["staff", "list"]):
        code, out, error = await town.command(*arguments, PINGXUAN_HOME=str(tmp_path), PUBLIC_ORIGIN="")
        assert (code, out) == (2, "")
        assert "pingxuan up" in error
        assert error.count("\n") == 1
