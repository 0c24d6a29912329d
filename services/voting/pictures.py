"""Pictures drawn by this service: a receipt that a long press saves, and the card that chats show of a round's link.

WeChat saves pictures of an address only, not of a canvas. What is the same on every receipt of a round is drawn once;
a receipt then takes a few milliseconds. Neither picture shows a choice, a candidate or a count. Called by
`page_pictures.py`, in a thread.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import manimgx_fonts_cjk  # type: ignore[import-untyped]
import msgspec
from PIL import Image, ImageDraw, ImageFont

_FONT = Path(manimgx_fonts_cjk.__file__).parent / "NotoSansCJK-VF.otf.ttc"
_SIMPLIFIED = 2  # the face of the collection whose glyphs are those of mainland China
_INK, _SOFT, _LAKE, _LAKE_DEEP, _SEAL, _PAPER = "#16241f", "#465852", "#0b5d57", "#07433f", "#ad2a1f", "#ffffff"
_RECEIPT_SIZE, _MARGIN = (720, 760), 48
_CARD_SIZE = (1200, 630)
# Colours of the palette are the base picture's; the last sixteen go from paper to the ink of what is written later.
_RAMP, _RAMP_FROM = 16, 240


class ReceiptTexts(msgspec.Struct, frozen=True):
    """The words on every receipt of a round, in the reader's language; `address` is where it is looked up."""

    heading: str
    title: str
    time: str
    right: str
    secret: str
    address: str


class CardTexts(msgspec.Struct, frozen=True):
    """The words on a round's card."""

    name: str
    title: str
    how: str
    window: str


def receipt_picture(texts: ReceiptTexts, code: Sequence[str], moment: str) -> bytes:
    """A PNG of 720×760; `code` are the rows of the receipt's letters, `moment` when it was recorded."""
    base, code_top, moment_top = _receipt_base(texts)
    image = base.copy()
    for place, row in enumerate(code):
        _write_over(image, row, 46, code_top + place * 64)
    _write_over(image, f"{texts.time} {moment}", 28, moment_top)
    return _png(image)


@lru_cache(maxsize=64)
def _receipt_base(texts: ReceiptTexts) -> tuple[Image.Image, int, int]:
    """What all receipts share, with the tops of the code and of the moment."""
    image = Image.new("RGB", _RECEIPT_SIZE, _PAPER)
    draw = ImageDraw.Draw(image)
    width, height = _RECEIPT_SIZE
    draw.rectangle((0, 0, width, 13), fill=_LAKE)
    y = _write(draw, 44, texts.heading, 48, _INK, weight=700)
    y = _write(draw, y + 6, texts.title, 30, _SOFT) + 26
    draw.rounded_rectangle((_MARGIN, y, width - _MARGIN, y + 176), radius=16, outline=_LAKE, width=4)
    code_top, moment_top = y + 26, y + 200
    y = _write(draw, moment_top + 84, texts.right, 34, _SEAL, weight=700)
    y = _write(draw, y + 4, texts.secret, 28, _INK)
    _write(draw, max(y + 24, height - 84), texts.address, 24, _SOFT)
    palette = image.quantize(_RAMP_FROM, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    colours = (palette.getpalette() or [])[: _RAMP_FROM * 3]
    palette.putpalette([*colours, *[0] * (_RAMP_FROM * 3 - len(colours)), *_ramp(_PAPER, _LAKE_DEEP)])
    return palette, code_top, moment_top


def _ramp(first: str, last: str) -> Iterator[int]:
    """Sixteen colours from the one to the other, as a palette has them."""
    ends = [[int(colour[place : place + 2], 16) for place in (1, 3, 5)] for colour in (first, last)]
    for step in range(_RAMP):
        yield from (start + (end - start) * step // (_RAMP - 1) for start, end in zip(*ends, strict=True))


def _write_over(image: Image.Image, text: str, size: int, top: int) -> None:
    """One centred line in the ramp's ink, on paper."""
    font = _font(size, 700)
    mask = Image.new("L", (round(font.getlength(text)) + 4, round(size * 1.4)))
    ImageDraw.Draw(mask).text((2, 0), text, font=font, fill=255)
    shades = mask.point([_RAMP_FROM + value * (_RAMP - 1) // 255 for value in range(256)])
    line = Image.frombytes("P", mask.size, shades.tobytes())
    image.paste(line, ((image.width - line.width) // 2, top))


@lru_cache(maxsize=64)
def card_picture(texts: CardTexts) -> bytes:
    """A PNG of 1200×630 whose middle square says enough: chats cut their thumbnails from it."""
    image = Image.new("RGB", _CARD_SIZE, _LAKE_DEEP)
    draw = ImageDraw.Draw(image)
    width, _ = _CARD_SIZE
    draw.rounded_rectangle((width // 2 - 48, 56, width // 2 + 48, 152), radius=12, fill=_SEAL)
    draw.text((width // 2, 104), "选", font=_font(68, 700), fill=_PAPER, anchor="mm")
    y = _write(draw, 172, texts.name, 34, "#cfe6e1", edge=300)
    y = _write(draw, y + 16, texts.title, 54, _PAPER, weight=700, edge=290, rows_max=3)
    y = _write(draw, y + 20, texts.how, 30, "#e3f1ee", edge=250, rows_max=3)
    _write(draw, y + 14, texts.window, 28, "#cfe6e1", edge=200, rows_max=2)
    return _png(image.quantize(64, dither=Image.Dither.NONE))


def _write(
    draw: ImageDraw.ImageDraw, top: int, text: str, size: int, colour: str, *,
    weight: int = 400, edge: int = _MARGIN, rows_max: int = 4,
) -> int:  # fmt: skip
    """Centred rows from `top` on, `edge` pixels free at both sides; the place below them."""
    font, width = _font(size, weight), draw.im.size[0]
    rows = list(_rows(text, font, width - 2 * edge))
    if len(rows) > rows_max:
        rows = [*rows[: rows_max - 1], rows[rows_max - 1].rstrip("，。、 ") + "…"]
    for place, row in enumerate(rows):
        draw.text((width // 2, top + round(place * size * 1.4)), row, font=font, fill=colour, anchor="ma")
    return top + round(len(rows) * size * 1.4)


def _rows(text: str, font: ImageFont.FreeTypeFont, width: int) -> Iterator[str]:
    """Chinese breaks anywhere but before its punctuation, other writing between words."""
    row = ""
    for part in _parts(text):
        if row and font.getlength((row + part).strip()) > width:
            yield row.strip()
            row = ""
        row += part
    if row.strip():
        yield row.strip()


def _parts(text: str) -> Iterator[str]:
    part = ""
    for letter in text:
        breaks = letter > "\u2e7f" and letter not in "，。、；：？！）》”’"
        if part and (breaks or part.endswith(" ")):
            yield part
            part = ""
        part += letter
    yield part


@lru_cache(maxsize=32)
def _font(size: int, weight: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(str(_FONT), size, index=_SIMPLIFIED)
    font.set_variation_by_axes([weight])
    return font


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()
