"""The one door to Typst: a template and its values become a PDF/A-2b, the same bytes each time.

Texts reach the template as JSON and are never read as code. Typst releases the GIL, but a long document takes some
tenths of a second: call it from a worker thread. Called by each service's module of documents.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import typst

from services.shared.typesetting.characters import printable
from services.shared.typesetting.fonts import SANS, SERIF, document_fonts
from services.shared.typesetting.version_code import code_svg

# Templates lie beside their service's code and share `common.typ` beside this file.
_ROOT = Path(__file__).parents[2]


def typeset(template: Path, day: date, values: Mapping[str, Any]) -> bytes:
    """Lay out a `.typ` file; `day` is the document's own, not the clock's: the same content gives the same bytes.

    `values` reach it as `data`, with texts as the fonts can print them.
    """
    data = _printable({**values, "fonts": {"serif": SERIF, "sans": SANS}})
    compiler = typst.Compiler(
        template,
        root=_ROOT,
        font_paths=document_fonts(),
        ignore_system_fonts=True,
        sys_inputs={"data": msgspec.json.encode(data).decode()},
    )
    made_at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return cast(bytes, compiler.compile(format="pdf", pdf_standards=["a-2b"], timestamp=made_at))


def coded(version_code: str, footer: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with what the footer of `common.typ` needs: a line of text, and the version code with its QR code."""
    return {**values, "version_code": version_code, "version_svg": code_svg(version_code), "footer": footer}


def _printable(value: Any) -> Any:
    """Every text within a value as the fonts can print it."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {key: _printable(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_printable(each) for each in value]
    return value
