"""Whether a PDF keeps what PDF/A-2b asks for, as far as its structure tells.

Looked at (ISO 19005-2): the conformance it declares, its output intent with a profile, its identifier, fonts embedded,
no encryption, scripts, launches or files of other kinds inside. Colours and glyph widths are the typesetter's to keep.
Called before something of ours goes to the archive, and to say of a scan what it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

from pypdf import PdfReader
from pypdf.errors import PyPdfError
from pypdf.generic import DictionaryObject, IndirectObject

_PART = re.compile(rb"pdfaid:part(?:>|=['\"])\s*2")
_CONFORMANCE = re.compile(rb"pdfaid:conformance(?:>|=['\"])\s*[BUA]")
_FORBIDDEN_ACTIONS = frozenset({"/JavaScript", "/Launch", "/Sound", "/Movie", "/ResetForm", "/ImportData"})
_FONT_FILES = ("/FontFile", "/FontFile2", "/FontFile3")


def pages_of(content: bytes) -> int | None:
    """How many pages a PDF has; None where it cannot be read."""
    try:
        return len(PdfReader(BytesIO(content)).pages)
    except (PyPdfError, ValueError, KeyError, TypeError, OSError, RecursionError):
        return None


def departures(content: bytes) -> list[str]:
    """What of PDF/A-2b a file does not keep, in words; empty when nothing was found wanting."""
    try:
        reader = PdfReader(BytesIO(content), strict=True)
        return list(_departures(reader))
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError) as error:
        return [f"it is no sound PDF ({type(error).__name__})"]


def _departures(reader: PdfReader) -> Iterator[str]:
    root = reader.root_object
    if reader.is_encrypted:
        yield "it is encrypted"
    if "/ID" not in reader.trailer:
        yield "it has no identifier"
    metadata = root.get("/Metadata")
    declared = metadata.get_object().get_data() if metadata is not None else b""
    if not (_PART.search(declared) and _CONFORMANCE.search(declared)):
        yield "it does not declare PDF/A-2"
    if not any("/DestOutputProfile" in each.get_object() for each in root.get("/OutputIntents", ())):
        yield "it has no output intent with a profile"
    if "/EmbeddedFiles" in _dictionary(root.get("/Names")):
        yield "it holds other files"
    for action in _actions(root, reader):
        if action.get("/S") in _FORBIDDEN_ACTIONS:
            yield f"it holds an action {action['/S']}"
    for name in sorted({name for page in reader.pages for name in _not_embedded(_dictionary(page.get("/Resources")))}):
        yield f"its font {name} is not embedded"


def _actions(root: Mapping[str, Any], reader: PdfReader) -> Iterator[Mapping[str, Any]]:
    if "/JavaScript" in _dictionary(root.get("/Names")):
        yield {"/S": "/JavaScript"}
    yield _dictionary(root.get("/OpenAction"))
    for page in reader.pages:
        for annotation in page.get("/Annots", ()) or ():
            yield _dictionary(_dictionary(annotation).get("/A"))


def _not_embedded(resources: Mapping[str, Any]) -> Iterator[str]:
    for font in map(_dictionary, _dictionary(resources.get("/Font")).values()):
        inner = font.get("/DescendantFonts")
        for each in map(_dictionary, inner.get_object() if inner is not None else [font]):
            descriptor = _dictionary(each.get("/FontDescriptor"))
            if each.get("/Subtype") != "/Type3" and not any(name in descriptor for name in _FONT_FILES):
                yield str(each.get("/BaseFont", "?")).lstrip("/")


def _dictionary(value: Any) -> Mapping[str, Any]:
    found = value.get_object() if isinstance(value, IndirectObject) else value
    return found if isinstance(found, DictionaryObject) else {}
