"""What our structural check of PDF/A-2b lets through, and what it does not."""

from __future__ import annotations

from datetime import date
from io import BytesIO

import pypdf
import pytest
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

from services.registry.documents import forms, pdf
from services.shared.typesetting import pdfa

FILE = forms.ArchivedFile("会议纪要", "办公室", date(2020, 12, 20), 3, "0" * 64, "永久")
INDEX = forms.ArchiveIndex("昆明评选", "2020-SJ-001", "办公室", date(2021, 12, 30), (FILE,), "7K3M-9QXZ-2ABG")


@pytest.fixture(scope="module")
def ours() -> bytes:
    return pdf.archive_index_pdf(INDEX)


def test_what_we_print_keeps_it(ours: bytes) -> None:
    assert pdfa.departures(ours) == []
    assert pdfa.pages_of(ours) == 1


def changed(content: bytes) -> pypdf.PdfWriter:
    return pypdf.PdfWriter(clone_from=BytesIO(content))


def written(writer: pypdf.PdfWriter) -> bytes:
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def test_what_does_not_keep_it_is_told(ours: bytes) -> None:
    script, font, bare = changed(ours), changed(ours), pypdf.PdfWriter()
    action = {NameObject("/S"): NameObject("/JavaScript"), NameObject("/JS"): TextStringObject("app.beep()")}
    script.root_object[NameObject("/OpenAction")] = DictionaryObject(action)
    fonts = font.pages[0]["/Resources"]["/Font"]  # type: ignore[index]
    fonts[NameObject("/F99")] = DictionaryObject({
        NameObject("/Type"): NameObject("/Font"), NameObject("/Subtype"): NameObject("/Type1"),
        NameObject("/BaseFont"): NameObject("/Helvetica"),
    })  # fmt: skip
    bare.add_blank_page(100, 100)
    locked = changed(ours)
    locked.encrypt("secret", algorithm="AES-256")
    assert pdfa.departures(written(script)) == ["it holds an action /JavaScript"]
    assert pdfa.departures(written(font)) == ["its font Helvetica is not embedded"]
    assert "it does not declare PDF/A-2" in pdfa.departures(written(bare))
    assert "it has no output intent with a profile" in pdfa.departures(written(bare))
    assert pdfa.departures(written(locked)) != []
    assert pdfa.departures(b"%PDF-1.7 and nothing more") == ["it is no sound PDF (PdfReadError)"]
    assert pdfa.pages_of(b"no PDF") is None
