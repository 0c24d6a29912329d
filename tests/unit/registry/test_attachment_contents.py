"""What a file is told by its content: whole files pass, everything else is named and refused."""

from __future__ import annotations

import io
import zipfile

import pytest

from services.registry.attachments.contents import FileType, WrongType, examine
from services.registry.attachments.receiving import clean_name
from tests.support import sample_files


def examined(content: bytes) -> FileType | WrongType:
    return examine(io.BytesIO(content))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (sample_files.PDF, FileType.PDF),
        (b"\xef\xbb\xbf\n" + sample_files.PDF, FileType.PDF),
        (sample_files.png(), FileType.PNG),
        (sample_files.jpeg(), FileType.JPEG),
        (sample_files.jpeg() + b"\0" * 20, FileType.JPEG),
        (sample_files.webp(), FileType.WEBP),
        (sample_files.office(), FileType.DOCX),
        (sample_files.office("xl/workbook.xml"), FileType.XLSX),
        (sample_files.office("ppt/presentation.xml"), FileType.PPTX),
    ],
)
def test_whole_files_are_what_they_are(content: bytes, kind: FileType) -> None:
    assert examined(content) is kind


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b"hello", "a text"),
        (sample_files.PROGRAM, "a Windows program"),
        (sample_files.PDF[:-30], "a PDF that ends too early"),
        (b"<html><script>alert(1)</script>" + sample_files.PDF, "something else with a PDF header"),
        (sample_files.png()[:-6], "a PNG picture that ends too early"),
        (sample_files.png().replace(b"IDAT", b"IDAX"), "a damaged PNG picture"),
        (sample_files.png(60_000, 60_000), "60000 × 60000 pixels"),
        (sample_files.png(0, 5), "a picture without a size"),
        (sample_files.jpeg()[:-2], "a JPEG picture that ends too early"),
        (sample_files.jpeg(65_000, 65_000), "65000 × 65000 pixels"),
        (sample_files.webp()[:-4], "a WebP picture that ends too early"),
        (sample_files.webp(17_000, 10), "17000 × 10 pixels"),
        (sample_files.office("other.xml"), "a ZIP archive"),
        (sample_files.office(xl__workbook_dot_xml=b""), "a ZIP archive"),
        (sample_files.office(word__vbaProject_dot_bin=b"x"), "an Office file with macros"),
        (sample_files.encrypted_office(), "an encrypted archive"),
        (sample_files.office()[:-10], "a damaged ZIP"),
        (b"PK\x03\x04" + b"\0" * 100, "a damaged ZIP"),
    ],
)
def test_everything_else_is_named(content: bytes, what: str) -> None:
    result = examined(content)
    assert isinstance(result, WrongType)
    assert what in result.what


def test_a_renamed_macro_project_is_found_by_its_content_type() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(
            "[Content_Types].xml", '<Types><Override ContentType="application/vnd.ms-office.vbaProject"/></Types>'
        )
        archive.writestr("word/document.xml", "<document/>")
        archive.writestr("word/innocent.bin", b"x")
    assert examined(buffer.getvalue()) == WrongType("an Office file with macros")


def test_a_bomb_is_refused_before_it_unfolds() -> None:
    result = examined(sample_files.bomb())
    assert isinstance(result, WrongType)
    assert "unfolds" in result.what


def test_a_part_that_was_changed_is_a_damaged_file() -> None:
    content = bytearray(sample_files.office(word__media_dot_bin=b"A" * 50))
    place = content.find(b"word/media.bin") + len("word/media.bin")
    content[place + 2] ^= 0xFF
    result = examined(bytes(content))
    assert isinstance(result, WrongType)


@pytest.mark.parametrize(
    ("name", "kind", "clean"),
    [
        ("证书.pdf", FileType.PDF, "证书.pdf"),
        ("../../etc/passwd", FileType.PDF, "passwd.pdf"),
        (r"C:\docs\图.JPEG", FileType.JPEG, "图.jpeg"),
        ("run.exe", FileType.PNG, "run.exe.png"),
        ("a\u202egpj.exe\0\n", FileType.PNG, "agpj.exe.png"),
        ("", FileType.PDF, "file.pdf"),
        ("长" * 300 + ".pdf", FileType.PDF, "长" * 120 + ".pdf"),
    ],
)
def test_a_name_loses_its_folders_and_gets_the_ending_of_its_content(name: str, kind: FileType, clean: str) -> None:
    assert clean_name(name, kind) == clean
