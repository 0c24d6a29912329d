"""The pieces of which the DOCX documents are made: page, faces, footer with the version code, tables, stamp places.

The faces are those of every office's computer (仿宋, 黑体); they are named, not embedded. The same content gives the
same bytes: the file's dates are the document's own day. Called by `application_docx.py` and `office_docx.py`.
"""

import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from io import BytesIO
from typing import Any

import docx
from docx.document import Document
from docx.enum.section import WD_ORIENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt
from docx.text.paragraph import Paragraph
from docx.text.run import Run

from services.shared.typesetting.characters import clean
from services.shared.typesetting.version_code import code_png

BODY, HEADING = "仿宋", "黑体"
TEXT_WIDTH_MM = 162
_LATIN = "Times New Roman"
_EPOCH = (1980, 1, 1, 0, 0, 0)
# XML 1.0 (2.2) has no place for these two; everything else that is forbidden is dropped by `clean`.
_NO_XML = {0xFFFE: None, 0xFFFF: None}


def xml_text(text: str) -> str:
    return clean(text).translate(_NO_XML)


def new_document(title: str, author: str, day: date) -> Document:
    """An empty A4 document with the faces of an office's paper."""
    document = docx.Document()
    section = document.sections[0]
    section.orientation = WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = Mm(24)
    section.top_margin, section.bottom_margin = Mm(25), Mm(28)
    normal: Any = document.styles["Normal"]
    normal.font.size = Pt(12)
    _set_face(normal.element.get_or_add_rPr(), BODY)
    heading: Any = document.styles["Heading 1"]
    heading.font.size, heading.font.color.rgb = Pt(14), None
    _set_face(heading.element.get_or_add_rPr(), HEADING)
    facts = document.core_properties
    facts.title, facts.author, facts.last_modified_by = xml_text(title)[:255], xml_text(author)[:255], ""
    facts.comments, facts.revision, facts.language = "", 1, "zh-CN"
    facts.created = facts.modified = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - python-docx takes UTC so
    return document


def _set_face(properties: Any, face: str) -> None:
    fonts = properties.get_or_add_rFonts()
    for theme in ("w:asciiTheme", "w:hAnsiTheme", "w:eastAsiaTheme", "w:cstheme"):
        fonts.attrib.pop(qn(theme), None)
    for script, name in (("w:ascii", _LATIN), ("w:hAnsi", _LATIN), ("w:eastAsia", face)):
        fonts.set(qn(script), name)


def add_line(document: Any, text: str, size: float, *, face: str = BODY, align: str = "CENTER") -> Paragraph:
    """A line of its own, in the middle unless said otherwise; `document` may be a table's cell too."""
    paragraph: Paragraph = document.add_paragraph()
    paragraph.alignment = getattr(WD_ALIGN_PARAGRAPH, align)
    _write(paragraph, text, size, face)
    return paragraph


def _write(paragraph: Paragraph, text: str, size: float = 12, face: str = BODY) -> Run:
    run = paragraph.add_run(xml_text(text))
    run.font.size = Pt(size)
    _set_face(run._element.get_or_add_rPr(), face)
    return run


def add_paragraphs(document: Any, texts: Iterable[str]) -> None:
    """Paragraphs, each with its first line set in by two characters."""
    for text in texts:
        paragraph: Paragraph = document.add_paragraph()
        paragraph.paragraph_format.first_line_indent = Pt(24)
        paragraph.paragraph_format.line_spacing = 1.5
        paragraph.paragraph_format.space_after = Pt(0)
        _write(paragraph, text)


def add_table(
    document: Document, headings: Sequence[str], rows: Iterable[Sequence[str]], widths_mm: Sequence[int]
) -> None:
    """A table with borders; a line of headings, if any, is repeated on every page, and no row is torn apart."""
    table = document.add_table(rows=0, cols=len(widths_mm), style="Table Grid")
    table.autofit = False
    if headings:
        _add_row(table, headings, widths_mm, HEADING)
        table.rows[0]._tr.get_or_add_trPr().append(_mark("w:tblHeader"))
    for row in rows:
        _add_row(table, row, widths_mm, BODY)


def _add_row(table: Any, texts: Sequence[str], widths_mm: Sequence[int], face: str) -> None:
    row = table.add_row()
    row._tr.get_or_add_trPr().append(_mark("w:cantSplit"))
    for cell, text, width in zip(row.cells, texts, widths_mm, strict=True):
        cell.width = Mm(width)
        _write(cell.paragraphs[0], text, 11, face)


def _mark(name: str) -> Any:
    element: Any = OxmlElement(name)
    element.set(qn("w:val"), "true")
    return element


def add_box(document: Document, texts: Iterable[str]) -> None:
    """Long texts within a border that goes on over the pages."""
    cell: Any = document.add_table(rows=1, cols=1, style="Table Grid").cell(0, 0)
    add_paragraphs(cell, texts)
    if len(cell.paragraphs) > 1:
        cell._tc.remove(cell.paragraphs[0]._p)


def add_stamp_place(document: Document, who: str, height_mm: int = 40) -> None:
    """Where somebody signs, stamps and dates by hand."""
    table = document.add_table(rows=1, cols=1, style="Table Grid")
    table.rows[0].height = Mm(height_mm)
    table.rows[0]._tr.get_or_add_trPr().append(_mark("w:cantSplit"))
    cell = table.cell(0, 0)
    _write(cell.paragraphs[0], who, 12, HEADING)
    cell.paragraphs[0].paragraph_format.space_after = Mm(height_mm - 20)
    add_line(cell, "负责人（签字）：　　　　　　　　（盖章）　　　　年　　月　　日", 12, align="LEFT")
    document.add_paragraph()


def add_signature(document: Document, office: str, day: str) -> None:
    """Issuing office and date at the right, kept together."""
    document.add_paragraph()
    add_line(document, f"{office}　　", 12, align="RIGHT").paragraph_format.keep_with_next = True
    add_line(document, f"{day}　　", 12, align="RIGHT")


def set_footer(document: Document, words: str, version_code: str) -> None:
    """The footer of every page: what it is, the version code in letters and as QR code, page number."""
    paragraph = document.sections[0].footer.paragraphs[0]
    _write(paragraph, f"{words}　版本码 {version_code}　第 ", 9)
    _add_field(paragraph, "PAGE")
    _write(paragraph, " 页　共 ", 9)
    _add_field(paragraph, "NUMPAGES")
    _write(paragraph, " 页　", 9)
    paragraph.add_run().add_picture(BytesIO(code_png(version_code)), width=Mm(15))


def _add_field(paragraph: Paragraph, instruction: str) -> None:
    field: Any = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), instruction)
    field.append(_write(paragraph, "1", 9)._element)
    paragraph._p.append(field)


def saved(document: Document) -> bytes:
    """The document's bytes; python-docx puts the clock into the archive, which is taken out again."""
    buffer, fixed = BytesIO(), BytesIO()
    document.save(buffer)
    with zipfile.ZipFile(buffer) as made, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as kept:
        for name in made.namelist():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            kept.writestr(entry, made.read(name))
    return fixed.getvalue()
