"""`pingxuan rounds`: what administrators do with a round, through the services' HTTP interfaces."""

import json
import re
from pathlib import Path
from typing import Any

import click

from services.cli import round_holds, round_preview
from services.cli.client import (
    PLATFORM_ACCOUNT,
    Answer,
    Client,
    CommandFailed,
    expect,
    part,
    progress,
    require_administrators,
    wait_for,
)
from services.cli.round_status import gather, told

REGISTRY = "/api/registry/v1"
VOTING = "/api/voting/v1"
SCORING = "/api/scoring/v1"
KNOWN_WITHIN_S = 60.0
SEALED_WITHIN_S = 120.0
# Why a published ranking may be computed again, as the scoring service knows them.
CAUSES = (
    "objection_upheld", "ballots_excluded", "ballots_restored", "sheet_reopened", "candidate_withdrawn",
    "software_corrected",
)  # fmt: skip
NAMES = (
    "rules.toml", "candidates.csv", "channels.toml", "criteria.toml", "experts.toml", "exemptions.toml", "reveal.toml",
)  # fmt: skip
_DURATION = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,7})h)?(?:(\d{1,7})m)?(?:(\d{1,8})s?)?")
_SECONDS = (86_400, 3_600, 60, 1)


class Duration(click.ParamType[int]):
    """A span such as 90s, 10m, 2h or 1h30m; plain digits are seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = _DURATION.fullmatch(str(value).strip().lower())
        seconds = (
            sum(int(text) * unit for text, unit in zip(match.groups(), _SECONDS, strict=True) if text) if match else 0
        )
        if seconds <= 0:
            self.fail(f"{value!r} is no duration; write it like 90s, 10m or 1h30m", param, ctx)
        return seconds


@click.group()
def rounds() -> None:
    """Rounds: load, watch, close, seal, publish.

    \b
    Example:
      pingxuan rounds load deploy/rounds/small --open-for 10m
    """


@rounds.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--open-for", "open_for_s", type=Duration(), help="Open voting and scoring at once, for so long (10m, 2h)."
)
def load(folder: Path, open_for_s: int | None) -> None:
    """Freeze the round in FOLDER and wait until every service knows it; print its id and digest.

    FOLDER holds rules.toml and candidates.csv, or applications/*.toml instead of or beside it.

    \b
    Example:
      pingxuan rounds load deploy/rounds/kunming-2021 --open-for 10m
    """
    files = read_folder(folder)
    client = Client.find()
    body: dict[str, Any] = {"files": files}
    if open_for_s is not None:
        body["open_for_s"] = open_for_s
    loaded = _loaded(client.post(f"{REGISTRY}/rounds", body))
    round_id = str(loaded["round"])
    for warning in loaded["warnings"]:
        progress(f"note: {warning}")
    for service in (VOTING, SCORING):
        _wait_until_known(client, service, round_id)
    click.echo(f"{round_id} {loaded['digest']}")


@rounds.command()
@click.argument("round_id", metavar="ROUND")
@click.option("--open-for", "open_for_s", type=Duration(), default="2h", show_default=True, help="How long it is open.")
def rehearse(round_id: str, open_for_s: int) -> None:
    """Practise ROUND under another name, open at once and plainly marked; print the rehearsal's id and digest.

    \b
    Example:
      pingxuan rounds rehearse kunming-2021 --open-for 2h
    """
    client, minutes = Client.find(), max(1, round(open_for_s / 60))
    made = expect(client.post(f"{REGISTRY}/rounds/{part(round_id)}/rehearsals", {"minutes": minutes}), 201)
    rehearsal = str(made["round"])
    for service in (VOTING, SCORING):
        _wait_until_known(client, service, rehearsal)
    click.echo(f"{rehearsal} {made['digest']}")


@rounds.command()
@click.argument("round_id", metavar="REHEARSAL")
def remove(round_id: str) -> None:
    """Take a rehearsal that is over out of every list; its address and its log stay.

    \b
    Example:
      pingxuan rounds remove kunming-2021-rehearsal-1
    """
    removed = expect(Client.find().post(f"{REGISTRY}/rounds/{part(round_id)}/removal"), 200)
    click.echo(f"{removed['round']} is out of view")


def read_folder(folder: Path) -> dict[str, str]:
    """A round's files by their names; raises CommandFailed where there are none or one is no UTF-8."""
    if not (folder / "rules.toml").is_file():
        raise CommandFailed(f"{folder}/rules.toml is missing: FOLDER must hold the files of a round")
    paths = {name: folder / name for name in NAMES if (folder / name).is_file()}
    paths |= {f"applications/{path.name}": path for path in sorted((folder / "applications").glob("*.toml"))}
    try:
        return {name: path.read_bytes().decode() for name, path in paths.items()}
    except UnicodeDecodeError:
        broken = next(name for name, path in paths.items() if not _is_utf8(path))
        raise CommandFailed(f"{folder}/{broken} is not UTF-8: save it as UTF-8") from None
    except OSError as error:
        raise CommandFailed(f"{error.filename} cannot be read ({error.strerror})") from None


def _is_utf8(path: Path) -> bool:
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError:
        return False
    return True


def _loaded(answer: Answer) -> dict[str, Any]:
    problems = answer.body.get("problems")
    if answer.status == 422 and isinstance(problems, list) and problems:
        lines = [
            f"{each['file']}{':' + str(each['line']) if each['line'] else ''}: {each['reason']}" for each in problems
        ]
        rest = "".join(f"\n  {line}" for line in lines[1:])
        raise CommandFailed(f"{lines[0]}{rest}")
    return expect(answer, 200, 201)


def _wait_until_known(client: Client, service: str, round_id: str) -> None:
    name = service.split("/")[2]
    wait_for(lambda: _known(client, service, round_id), f"{name} learning of {round_id}", KNOWN_WITHIN_S)


def _known(client: Client, service: str, round_id: str) -> bool | None:
    """True once the service answers for the round; other trouble than not knowing it is waited out too."""
    return True if client.get(f"{service}/rounds/{part(round_id)}").status == 200 else None


@rounds.command()
@click.argument("round_id", metavar="ROUND")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of lines.")
def status(round_id: str, as_json: bool) -> None:
    """Phase, windows, turnout, ballots by state, sheets in and missing.

    \b
    Example:
      pingxuan rounds status kunming-2021 --json
    """
    state = gather(Client.find(), round_id)
    click.echo(json.dumps(state, ensure_ascii=False, indent=2) if as_json else told(state))


@rounds.command()
@click.argument("round_id", metavar="ROUND")
@click.option("--reason", default="closed by the operator", show_default=True, help="Why; it is published.")
def close(round_id: str, reason: str) -> None:
    """Close voting before its time, and wait until it is closed.

    \b
    Example:
      pingxuan rounds close kunming-2021 --reason 演练结束
    """
    client = Client.find()
    closed = expect(client.post(f"{REGISTRY}/rounds/{part(round_id)}/close", {"reason": reason}), 200)
    wait_for(lambda: _is_closed(client, round_id), f"voting of {round_id} closing", KNOWN_WITHIN_S)
    click.echo(f"{round_id} closed at {closed['closed_early_at']}")


def _is_closed(client: Client, round_id: str) -> bool | None:
    answer = client.get(f"{VOTING}/rounds/{part(round_id)}/results")
    return True if answer.status == 200 and answer.body.get("state") not in ("scheduled", "open") else None


@rounds.command()
@click.argument("round_id", metavar="ROUND")
def seal(round_id: str) -> None:
    """Seal the tally after voting closed and its grace passed, and wait until scoring has it.

    Refused while a held ballot is undecided or ballots received in time may still arrive. Ballots that were excluded or
    restored since are sealed as the tally's next version, which `rounds preview` and `rounds publish` then rest on.

    \b
    Example:
      pingxuan rounds seal kunming-2021
    """
    client = Client.find()
    answer = client.post(f"{VOTING}/rounds/{part(round_id)}/seal")
    if answer.reason != "already_sealed":  # a repeat goes on waiting for what it waited for
        expect(answer, 200, 201, 202)
    version = int(answer.body.get("version") or 1)
    what = f"scoring receiving tally {version} of {round_id}"
    state = wait_for(lambda: _tally(client, round_id, version), what, SEALED_WITHIN_S)
    click.echo(f"{round_id} sealed at {state.get('sealed_at', '')}, tally {state.get('version', version)}")


def _tally(client: Client, round_id: str, version: int) -> dict[str, Any] | None:
    """The tally that scoring has, once it is this version or a newer one."""
    answer = client.get(f"{SCORING}/rounds/{part(round_id)}/state", actor=PLATFORM_ACCOUNT)
    tally = answer.body.get("tally") if answer.status == 200 else None
    return tally if isinstance(tally, dict) and int(tally.get("version") or 0) >= version else None


@rounds.command()
@click.argument("round_id", metavar="ROUND")
@click.argument("first", metavar="NAME")
@click.argument("second", metavar="NAME")
@click.option("--cause", type=click.Choice(CAUSES), help="Why a published ranking is computed again.")
@click.option("--reason", default="", help="The same in a sentence; it is kept and published with the version.")
def publish(round_id: str, first: str, second: str, cause: str | None, reason: str) -> None:
    """Publish the ranking: the first administrator proposes it, the second confirms; wait for the notice.

    Once a version is published, another one needs --cause and --reason; look at `rounds preview` before.

    \b
    Example:
      pingxuan rounds publish kunming-2021 wang li
      pingxuan rounds publish kunming-2021 wang li --cause sheet_reopened --reason 录入错误更正
    """
    if (cause is None) != (not reason.strip()):
        raise CommandFailed("a recomputation needs both --cause and --reason, a first publication neither")
    client = Client.find()
    require_administrators(client, first, second)
    rankings = f"{SCORING}/rounds/{part(round_id)}/rankings"
    why = {} if cause is None else {"cause": cause, "reason": reason}
    version = int(expect(client.post(rankings, why, actor=first.lower()), 200, 201)["version"])
    expect(client.post(f"{rankings}/{version}/confirmations", actor=second.lower()), 200, 201)
    noticed = wait_for(lambda: _noticed(client, round_id, version), f"the notice of {round_id}", KNOWN_WITHIN_S)
    wait_for(lambda: _shown(client, round_id), f"voting showing the counts of {round_id}", KNOWN_WITHIN_S)
    click.echo(f"{round_id} published: ranking {version}, list {noticed}")


@rounds.command()
@click.argument("round_id", metavar="ROUND")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of lines.")
def preview(round_id: str, as_json: bool) -> None:
    """Tell who would move by computing the ranking again now, by how much, because of what; nothing is stored.

    \b
    Example:
      pingxuan rounds preview kunming-2021
    """
    answer = Client.find().get(f"{SCORING}/rounds/{part(round_id)}/preview", actor=PLATFORM_ACCOUNT)
    change = expect(answer, 200)
    click.echo(json.dumps(change, ensure_ascii=False, indent=2) if as_json else round_preview.told(change))


def _shown(client: Client, round_id: str) -> bool | None:
    answer = client.get(f"{VOTING}/rounds/{part(round_id)}/results")
    return True if answer.status == 200 and answer.body.get("state") == "published" else None


def _noticed(client: Client, round_id: str, version: int) -> int | None:
    answer = client.get(f"{REGISTRY}/rounds/{part(round_id)}")
    there = answer.status == 200 and int(answer.body.get("ranking_version", 0)) >= version
    return int(answer.body["list_version"]) if there else None


@rounds.command()
@click.argument("round_id", metavar="ROUND")
@click.argument("first", metavar="NAME")
@click.argument("second", metavar="NAME")
def forget(round_id: str, first: str, second: str) -> None:
    """Destroy the round's identity key, for ever: afterwards nobody can tell who voted. Two people must want it.

    \b
    Example:
      pingxuan rounds forget kunming-2021 wang li
    """
    client = Client.find()
    require_administrators(client, first, second)
    forgettings = f"{VOTING}/rounds/{part(round_id)}/forgettings"
    expect(client.post(forgettings, actor=first.lower()), 200, 201, 202)
    expect(client.post(f"{forgettings}/confirmations", actor=second.lower()), 200, 201, 202)
    click.echo(f"{round_id} forgotten: the identity key is destroyed")


rounds.add_command(round_holds.hold)
rounds.add_command(round_holds.decide)
