"""QR codes as SVG files of our own origin: the way to a round on a big screen, the secret of a second factor."""

from __future__ import annotations

from io import BytesIO

import segno

_QUIET_ZONE = 4  # ISO/IEC 18004: four modules on each side, or scanners miss it


def qr_svg(text: str) -> bytes:
    """A standalone SVG document that scales to the size its page gives it; dark on white in every colour scheme."""
    out = BytesIO()
    code = segno.make_qr(text, error="M")
    code.save(out, kind="svg", border=_QUIET_ZONE, light="#fff", omitsize=True, xmldecl=False, svgclass=None)
    return out.getvalue()
