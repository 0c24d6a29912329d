"""The fonts of printed documents: two wheels with open licences (SIL OFL 1.1), the same on every machine.

Noto Serif SC is the face of the text; Noto Sans CJK (one variable file of 44,800 characters) that of headings and of
rare characters. System fonts are never looked at: the same form must give the same bytes everywhere.
"""

from functools import cache
from pathlib import Path

import manimgx_fonts_cjk  # type: ignore[import-untyped]
import pylopdf_fonts_zh_cn
import typst

SERIF = ("Noto Serif SC", "Noto Sans CJK SC")
SANS = ("Noto Sans CJK SC",)


def font_files() -> list[Path]:
    """The files of the faces, in the order in which a character is looked for."""
    folder = Path(manimgx_fonts_cjk.__file__).parent
    return [pylopdf_fonts_zh_cn.serif_path(), folder / "NotoSansCJK-VF.otf.ttc"]


@cache
def document_fonts() -> typst.Fonts:
    """The faces for Typst, read once a process."""
    return typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=[file.parent for file in font_files()]
    )
