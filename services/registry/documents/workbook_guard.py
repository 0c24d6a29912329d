"""Whether a file that calls itself a workbook may be opened at all: size, shape, no macros, no links, no XML tricks.

A zip can unpack to a thousand times its size, so every entry is unpacked here first, counted, and thrown away; only
then does openpyxl see the file. Called by `workbook_reader.py`.
"""

import re
import zipfile
from io import BytesIO
from typing import IO

FILE_BYTES_MAX = 10_000_000
ENTRIES_MAX = 200
UNPACKED_BYTES_MAX = 50_000_000
_CHUNK_BYTES = 1 << 16
# A document type may define entities that grow without end; a text that says so has its `<` escaped.
_DOCUMENT_TYPE = b"<!DOCTYPE"
_ACTIVE = re.compile(r"(vbaproject|macrosheets|activex|embeddings|externallinks|connections\.xml|customui)", re.I)
_ENCODING = re.compile(rb"encoding\s*=\s*[\"']([^\"']+)", re.I)


def refused(content: bytes) -> tuple[str, str] | None:
    """What is wrong with the file and how to mend it, or None where it may be opened."""
    if len(content) > FILE_BYTES_MAX:
        return f"文件超过{FILE_BYTES_MAX // 1_000_000}MB", "分成几个文件，删去图片后再上传"
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            return _refused_entries(archive)
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError, RuntimeError, MemoryError):
        return (
            "文件不是 XLSX 工作簿，或者已损坏、已加密",
            "用 Excel 或 WPS 打开后另存为“Excel 工作簿（.xlsx）”，不设密码",
        )


def _refused_entries(archive: zipfile.ZipFile) -> tuple[str, str] | None:
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if len(entries) > ENTRIES_MAX or len(set(names)) != len(names):
        return "文件内部的条目过多或者重复", "把内容复制到新下载的模板中，另存后再上传"
    if "xl/workbook.xml" not in names:
        return "文件不是 XLSX 工作簿", "用 Excel 或 WPS 打开后另存为“Excel 工作簿（.xlsx）”"
    if any(_ACTIVE.search(name) for name in names):
        return "文件含有宏、外部链接或者嵌入的对象", "把内容复制到新下载的模板中，另存为不带宏的 .xlsx"
    unpacked = 0
    for entry in entries:
        if entry.flag_bits & 1:
            return "文件设有密码", "取消密码后另存再上传"
        with archive.open(entry) as stream:
            count, is_odd = _unpacked(stream, UNPACKED_BYTES_MAX - unpacked)
        unpacked += count
        if unpacked > UNPACKED_BYTES_MAX:
            return f"文件解压后超过{UNPACKED_BYTES_MAX // 1_000_000}MB", "删去多余的行、图片和格式后再上传"
        if is_odd and entry.filename.lower().endswith((".xml", ".rels", ".vml")):
            return "文件内部的 XML 含有不允许的定义", "把内容复制到新下载的模板中，另存后再上传"
    return None


def _unpacked(stream: IO[bytes], bytes_max: int) -> tuple[int, bool]:
    """How many bytes come out, counted no further than just beyond the limit, and whether they are no plain XML."""
    chunk = stream.read(_CHUNK_BYTES)
    count, is_odd, tail = 0, _is_other_encoding(chunk), b""
    while chunk and count <= bytes_max:
        count += len(chunk)
        is_odd = is_odd or _DOCUMENT_TYPE in tail + chunk
        tail = chunk[-len(_DOCUMENT_TYPE) :]
        chunk = stream.read(_CHUNK_BYTES)
    return count, is_odd


def _is_other_encoding(head: bytes) -> bool:
    """Whether an XML is in another encoding than UTF-8, which could hide a document type from the search."""
    encoding = _ENCODING.search(head[:200])
    return b"\0" in head or (encoding is not None and encoding[1].lower() not in (b"utf-8", b"us-ascii"))
