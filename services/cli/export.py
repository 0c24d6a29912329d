"""`pingxuan export`: the bundle of a round as a folder or zip, fetched from the running platform and ranked again.

Scoring gives the bundle with totals; where the rules publish ballots, voting's `ballots.csv` takes their place.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from services.cli.client import PLATFORM_ACCOUNT, CheckFailed, Client, CommandFailed, part, progress

if TYPE_CHECKING:  # imported late, so that `--help` does not wait for an HTTP client
    import httpx

SCORING = "/api/scoring/v1"
VOTING = "/api/voting/v1"
_WRITTEN_ANEW = "manifest.json"


@click.command()
@click.argument("round_id", metavar="ROUND")
@click.option("--out", type=click.Path(path_type=Path), help="Folder or .zip to write; default: ROUND-bundle.zip here.")
@click.option("--version", type=click.IntRange(1, 999_999), help="An earlier ranking; default: the newest.")
@click.option("--auditor", is_flag=True, help="The auditors' bundle: experts by user name, also before publication.")
def export(round_id: str, out: Path | None, version: int | None, auditor: bool) -> None:
    """Write the public bundle of a published round, and check that it gives the published ranking.

    \b
    Example:
      pingxuan export kunming-2021 --out kunming.zip
      pingxuan rank kunming.zip
    """
    path = out or Path(f"{round_id}-bundle{'-auditor' if auditor else ''}.zip")
    if path.exists():
        raise CommandFailed(f"{path} exists already: remove it, or name another place with --out")
    if not path.parent.is_dir():
        raise CommandFailed(f"{path.parent} is no folder: make it, or name another place with --out")
    client = Client.find()
    actor = PLATFORM_ACCOUNT if auditor else ""
    ranking = _ranking(client, round_id, version, actor)
    files = _bundle_files(client, round_id, ranking["version"], actor)
    manifest = _manifest(files.pop(_WRITTEN_ANEW, b""))
    if _publishes_ballots(files):
        files.pop("votes.csv", None)
        files["ballots.csv"] = _ballots(client, round_id, ranking["tally_version"], actor)
    _write(files, path, manifest)
    _check(path, files["ranking.csv"])
    click.echo(f"{path}: {len(files) + 1} files, rules {manifest['rules_digest']}, ranking recomputed and identical")


def _ranking(client: Client, round_id: str, version: int | None, actor: str) -> dict[str, Any]:
    """What is said of a version, the newest unless one is asked for: ballots must be those of its own tally."""
    found: list[dict[str, Any]] = []
    following: int | None = 0
    while following is not None:
        page = _download(client, f"{SCORING}/rounds/{part(round_id)}/rankings?after={following}", actor).json()
        found += page["rankings"]
        following = page["next"]
    chosen = [each for each in found if version in (None, each["version"])]
    if not chosen:
        what = "has no ranking yet" if version is None else f"has no ranking {version} that you may read"
        raise CommandFailed(f"{round_id} {what}: see `pingxuan rounds status`")
    return chosen[-1]


def _bundle_files(client: Client, round_id: str, version: int, actor: str) -> dict[str, bytes]:
    progress(f"fetching the bundle of {round_id} …")
    query = f"?version={version}{'&auditor=true' if actor else ''}"
    data = _download(client, f"{SCORING}/rounds/{part(round_id)}/bundle.zip{query}", actor)
    try:
        with zipfile.ZipFile(io.BytesIO(data.content)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except zipfile.BadZipFile:
        raise CommandFailed("what came is no zip file: fetch it again, and look at the proxy in between") from None


def _ballots(client: Client, round_id: str, tally: int, actor: str) -> bytes:
    progress("fetching the ballots …")
    query = f"?tally={tally}{'&auditor=true' if actor else ''}"
    return _download(client, f"{VOTING}/rounds/{part(round_id)}/ballots.csv{query}", actor).content


def _download(client: Client, path: str, actor: str) -> "httpx.Response":
    """A file of the platform; raises CommandFailed with the refusal's own words."""
    response = client.download(path, actor=actor)
    if response.status_code == 200:
        return response
    try:
        told: dict[str, Any] = response.json()
    except ValueError:
        told = {}
    reason = told.get("reason", response.status_code)
    if reason == "unknown_ranking":
        raise CommandFailed("nothing is published in this round yet: see `pingxuan rounds status`")
    raise CommandFailed(f"{str(told.get('detail') or 'the platform refused').rstrip('.')} ({reason})")


def _manifest(data: bytes) -> dict[str, str]:
    try:
        found = json.loads(data)
        return {"rules_digest": str(found["rules_digest"]), "software": str(found["software"])}
    except (ValueError, KeyError, TypeError):
        raise CommandFailed("the bundle has no sound manifest: fetch it again from a current platform") from None


def _publishes_ballots(files: dict[str, bytes]) -> bool:
    from services.shared.ranking.rules import parse_rules

    return "votes.csv" in files and parse_rules(files["rules.toml"]).publication.ballots == "ballots"


def _write(files: dict[str, bytes], path: Path, manifest: dict[str, str]) -> None:
    from services.shared.ranking.bundle import write_bundle

    try:
        write_bundle(files, path, rules_digest=manifest["rules_digest"], software=manifest["software"])
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written ({error.strerror or error}); choose another place") from None


def _check(path: Path, published: bytes) -> None:
    from services.shared.ranking.bundle import rank_bundle, read_bundle
    from services.shared.ranking.errors import InputError
    from services.shared.ranking.ranking import ranking_csv

    progress("ranking it again …")
    try:
        again = ranking_csv(rank_bundle(read_bundle(path)))
    except InputError as error:
        raise CheckFailed(f"{path} was written and cannot be ranked: {error}") from None
    if again != published:
        raise CheckFailed(
            f"{path} was written, but ranking it gives another result than the published one; tell an auditor"
        )
