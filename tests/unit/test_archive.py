"""An archive as the archive office takes it: index and digests, the same bytes each time, no unfit print of ours.

What goes into it is asked of a whole round in tests/guide.
"""

from __future__ import annotations

import csv
import hashlib
import io
import subprocess
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from services.cli import archive
from services.cli.archive_contents import Archived, Piece, Retention
from services.cli.client import CheckFailed
from services.registry.documents import forms, pdf

FILE = forms.ArchivedFile("会议纪要", "办公室", date(2020, 12, 20), 3, "0" * 64, "永久")
PRINT = pdf.archive_index_pdf(
    forms.ArchiveIndex("昆明评选", "2020-SJ-001", "办公室", date(2021, 12, 30), (FILE,), "7K3M-9QXZ-2ABG")
)  # fmt: skip
PIECES = (
    Piece("1-rules/rules.toml", "规则", "办公室", date(2020, 10, 20), Retention.FOR_EVER, b"schema = 1\n"),
    Piece(
        "4-lists/list-1.pdf", "名单第1版", "办公室", date(2020, 11, 6), Retention.FOR_EVER, PRINT,
        "昆社建办通〔2020〕11号", is_ours=True,
    ),
    Piece("4-lists/minutes-1.pdf", "会议纪要", "办公室", date(2020, 11, 23), Retention.FOR_EVER, b"%PDF-1.4 a scan"),
)  # fmt: skip
ROUND = Archived("kunming", "昆明评选", "办公室", date(2020, 11, 23), "ab" * 32, PIECES)


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return archive.files_of(ROUND, archive.entries_of(ROUND), "J001-2020-003")


def test_the_index_tells_each_piece(files: dict[str, bytes]) -> None:
    rows = list(csv.DictReader(io.StringIO(files["index.csv"].decode("utf-8-sig"))))
    assert [(row["件号"], row["文件"], row["页数"], row["格式"]) for row in rows] == [
        ("0001", "1-rules/rules.toml", "", "电子数据"),
        ("0002", "4-lists/list-1.pdf", "1", "PDF/A-2b"),
        ("0003", "4-lists/minutes-1.pdf", "", "PDF（原件）"),
    ]
    listed = rows[1]
    assert (listed["文号"], listed["日期"], listed["保管期限"]) == ("昆社建办通〔2020〕11号", "20201106", "永久")
    assert listed["SHA-256"] == hashlib.sha256(PRINT).hexdigest()
    # GB/T 32905-2016, appendix A: the digest of `abc`; the index has it of what it names.
    assert archive.digest("sm3", b"abc") == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert listed["SM3"] == archive.digest("sm3", PRINT)


def test_a_folder_checks_itself_and_a_zip_is_the_same_each_time(files: dict[str, bytes], tmp_path: Path) -> None:
    archive.write_archive(files, tmp_path / "folder")
    subprocess.run(["sha256sum", "--check", "--quiet", "sha256sums.txt"], cwd=tmp_path / "folder", check=True)
    for name in ("once.zip", "again.zip"):
        archive.write_archive(files, tmp_path / name)
    assert (tmp_path / "once.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "once.zip", "again.zip"}


def test_a_print_of_ours_that_is_no_pdf_a_goes_into_no_archive() -> None:
    unfit = replace(PIECES[1], content=b"%PDF-1.4 a scan")
    with pytest.raises(CheckFailed, match=r"list-1\.pdf is not PDF/A-2b"):
        archive.entries_of(replace(ROUND, pieces=(unfit,)))
