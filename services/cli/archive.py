"""`pingxuan archive`: what the archive office takes of a finished round, as a folder or a zip.

Prints are PDF/A-2b; an index (卷内目录) names each piece with title, who made it, date, pages, retention and digests
(SHA-256 and SM3), as DA/T 22-2015 asks. Repeating it gives the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
from msgspec.structs import fields

from services.cli.archive_contents import Archived, Fetch, Piece, RoundReader
from services.cli.client import PLATFORM_ACCOUNT, CheckFailed, Client, CommandFailed, progress
from services.shared.settings import environment

COLUMNS = ("件号", "文件", "责任者", "文号", "题名", "日期", "页数", "保管期限", "格式", "SHA-256", "SM3")
# The earliest date a zip can hold: the same archive must give the same bytes.
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Entry:
    """A piece as the index names it; `pages` None for what has none."""

    piece: Piece
    pages: int | None
    form: str
    sha256: str
    sm3: str


@click.command()
@click.argument("round_id", metavar="ROUND")
@click.option("--out", type=click.Path(path_type=Path), help="Folder or .zip to write.  [default: ROUND-archive]")
@click.option("--number", default="", help="The archive office's number (档号) of this volume.  [default: ROUND]")
def archive(round_id: str, out: Path | None, number: str) -> None:
    """Write what the archive office takes of a round whose list a meeting has confirmed.

    \b
    Example:
      pingxuan archive kunming-2021 --number J001-2021-评选-003
    """
    path = out or Path(f"{round_id}-archive")
    if path.exists():
        raise CommandFailed(f"{path} exists already: remove it, or name another place with --out")
    if not path.parent.is_dir():
        raise CommandFailed(f"{path.parent} is no folder: make it, or name another place with --out")
    found = RoundReader(_fetch(Client.find()), round_id, _office()).read()
    progress("looking at every file …")
    entries = entries_of(found)
    files = files_of(found, entries, number or round_id)
    try:
        write_archive(files, path)
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written ({error.strerror or error}); choose another place") from None
    pages = sum(each.pages or 0 for each in entries)
    click.echo(f"{path}: {len(entries)} pieces, {pages} pages, index.pdf and index.csv")
    click.echo("check it anywhere: sha256sum -c sha256sums.txt")


def _fetch(client: Client) -> Fetch:
    def fetch(path: str) -> tuple[int, bytes]:
        progress(f"fetching {path.partition('?')[0]} …")
        response = client.download(path, actor=PLATFORM_ACCOUNT)
        return response.status_code, response.content

    return fetch


def _office() -> str:
    """The office in whose name lists go out, as the registry has it."""
    from services.registry.settings import RegistrySettings

    known = environment()
    default = next(each.default for each in fields(RegistrySettings) if each.name == "office_name")
    return known.get("REGISTRY_OFFICE_NAME") or known.get("OFFICE_NAME") or str(default)


def entries_of(found: Archived) -> list[Entry]:
    """Every piece with its pages and digests; raises CheckFailed where a print of ours is not fit for an archive."""
    from services.shared.typesetting import pdfa

    entries = []
    for piece in found.pieces:
        is_pdf = piece.content.startswith(b"%PDF")
        wanting = pdfa.departures(piece.content) if is_pdf or piece.is_ours else ["it is no PDF"]
        if piece.is_ours and wanting:
            raise CheckFailed(f"{piece.name} is not PDF/A-2b: {'; '.join(wanting)}")
        form = "PDF/A-2b" if not wanting else ("PDF（原件）" if is_pdf else "电子数据")
        pages = pdfa.pages_of(piece.content) if is_pdf else None
        entries.append(Entry(piece, pages, form, digest("sha256", piece.content), digest("sm3", piece.content)))
    return entries


def files_of(found: Archived, entries: list[Entry], number: str) -> dict[str, bytes]:
    """Name → content of the whole archive: the pieces, the index twice, the list of digests."""
    files = {each.piece.name: each.piece.content for each in entries}
    files["index.csv"] = _index_csv(entries)
    files["index.pdf"] = _index_pdf(found, entries, number, files["index.csv"])
    sums = "".join(f"{digest('sha256', files[name])}  {name}\n" for name in sorted(files))
    return files | {"sha256sums.txt": sums.encode()}


def _index_csv(entries: list[Entry]) -> bytes:
    """With a BOM: it is opened in a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for place, each in enumerate(entries, start=1):
        piece, pages = each.piece, "" if each.pages is None else each.pages
        writer.writerow(
            (f"{place:04d}", piece.name, piece.responsible, piece.number, piece.title, f"{piece.made_on:%Y%m%d}", pages,
             piece.retention, each.form, each.sha256, each.sm3)
        )  # fmt: skip
    return text.getvalue().encode("utf-8-sig")


def _index_pdf(found: Archived, entries: list[Entry], number: str, index_csv: bytes) -> bytes:
    from services.registry.documents.forms import ArchivedFile, ArchiveIndex
    from services.registry.documents.pdf import archive_index_pdf
    from services.shared.typesetting.version_code import version_code

    files = tuple(
        ArchivedFile(
            each.piece.title, each.piece.responsible, each.piece.made_on, each.pages, each.sha256,
            each.piece.retention, each.form,
        )
        for each in entries
    )  # fmt: skip
    code = version_code(index_csv)
    return archive_index_pdf(ArchiveIndex(found.title, number, found.office, found.confirmed_on, files, code))


def digest(algorithm: str, content: bytes) -> str:
    """In hexadecimal digits; `sha256`, or `sm3` as OpenSSL has it (GB/T 32905-2016)."""
    return hashlib.new(algorithm, content).hexdigest()


def write_archive(files: Mapping[str, bytes], path: Path) -> None:
    """Whole or not at all: written aside, then renamed."""
    aside = path.with_name(f".{path.name}.unfinished")
    if path.suffix == ".zip":
        with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as packed:
            for name in sorted(files):
                packed.writestr(zipfile.ZipInfo(name, _ZIP_DATE), files[name], zipfile.ZIP_DEFLATED)
    else:
        for name, content in files.items():
            place = aside / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    aside.rename(path)
