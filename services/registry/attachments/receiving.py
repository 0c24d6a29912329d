"""Receiving a file: bounded stream → temporary file → checked by content and scanner → the vault.

Invariant: nothing of a refused file stays. Bytes whose row was never committed stay in the vault unnamed: harmless, as
nobody can ask for them. Called by the upload routes of every subject, after they authorised and before they write.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from litestar.datastructures import FormMultiDict, UploadFile
from litestar.exceptions import ClientException
from litestar.types import HTTPRequestEvent, Receive

from services.registry import metrics
from services.registry.attachments.contents import ALLOWED, FileType, WrongType, examine
from services.registry.attachments.scanning import Scanner, Verdict
from services.registry.attachments.vault import Vault
from services.registry.reasons import RegistryReason
from services.shared.errors import CommonReason, Refusal
from services.shared.pages import AnyRequest

FORM_OVERHEAD_BYTES = 64 << 10
FILE_NAME_MAX = 120
_BLOCK_BYTES = 1 << 18
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that passed and is kept, and the other fields of its form."""

    file_name: str
    type: FileType
    sha256: bytes
    bytes: int
    fields: dict[str, str] = field(default_factory=dict)


class Files:
    """Takes files in and hands them out; one per process."""

    def __init__(self, vault: Vault, scanner: Scanner, bytes_max: int, parallel: int) -> None:
        self._vault, self._scanner, self._bytes_max = vault, scanner, bytes_max
        self._turn = asyncio.Semaphore(parallel)

    async def receive(self, request: AnyRequest) -> Upload:
        """The file of a multipart form (field `file`) once it is kept, with the form's other fields.

        Raises Refusal: `body_too_large`, `file_missing`, `wrong_file_type`, `file_infected`, or 503 `unavailable`
        where the scanner does not answer. Call it outside any transaction: uploads are slow.
        """
        try:
            return await self._receive(request)
        except Refusal as refusal:
            metrics.attachments_refused_total.labels(refusal.reason.value).inc()
            raise

    async def _receive(self, request: AnyRequest) -> Upload:
        form = await self._form(request)
        try:
            given = list(form.multi_items())
            chosen = [value for name, value in given if name == "file" and isinstance(value, UploadFile)]
            if len(chosen) != 1 or any(isinstance(value, UploadFile) for name, value in given if name != "file"):
                raise Refusal(RegistryReason.FILE_MISSING, "Send a multipart form with exactly one file, named `file`.")
            fields = {name: value for name, value in given if isinstance(value, str)}
            async with self._turn:
                return await asyncio.to_thread(self._take, chosen[0].file, chosen[0].filename, fields)
        finally:
            await form.close()

    async def _form(self, request: AnyRequest) -> FormMultiDict:
        """Litestar streams parts that have a file name to disk once they outgrow a megabyte."""
        bounded = _Bounded(request.receive, self._bytes_max + FORM_OVERHEAD_BYTES)
        if (request.content_length or 0) > bounded.bytes_max:
            raise self._too_large()
        request.receive = bounded
        try:
            return await request.form()
        except ClientException:
            if bounded.cut_off:
                raise self._too_large() from None
            raise

    def _take(self, stream: Any, file_name: str, fields: dict[str, str]) -> Upload:
        """In a thread: everything that touches the disk."""
        stream.seek(0, 2)
        if stream.tell() > self._bytes_max:
            raise self._too_large()
        stream.seek(0)
        found: list[FileType] = []

        def inspect(path: Path) -> None:
            found.append(_allowed(path))
            _require_clean(self._scanner.scan(path))

        kept = self._vault.put(cast(BinaryIO, stream), inspect)
        return Upload(clean_name(file_name, found[0]), found[0], kept.sha256, kept.bytes, fields)

    def _too_large(self) -> Refusal:
        return Refusal(
            CommonReason.BODY_TOO_LARGE,
            f"A file may have at most {self._bytes_max / (1 << 20):g} MB; make it smaller or split it.",
            bytes_max=self._bytes_max,
        )

    async def read(self, sha256: bytes) -> bytes:
        """A whole file at once, for small ones (workbooks, pictures)."""
        return await asyncio.to_thread(self._read, sha256)

    def _read(self, sha256: bytes) -> bytes:
        with self._vault.open(sha256) as file:
            return file.read()

    async def blocks(self, sha256: bytes) -> AsyncIterator[bytes]:
        """An iterator over the bytes of a file; raises FileNotFoundError at once, not while it is iterated."""
        return _blocks(await asyncio.to_thread(self._vault.open, sha256))


async def _blocks(file: BinaryIO) -> AsyncIterator[bytes]:
    try:
        while block := await asyncio.to_thread(file.read, _BLOCK_BYTES):
            yield block
    finally:
        file.close()


def clean_name(file_name: str, kind: FileType) -> str:
    """The name without folders and control characters, with the ending that its content deserves."""
    plain = _CONTROL.sub("", file_name.replace("\\", "/").rpartition("/")[2]).strip(" .")
    stem, dot, ending = plain.rpartition(".")
    if not dot:
        stem, ending = plain, ""
    right = {".jpeg", ".jpg"} if kind is FileType.JPEG else {kind.ending}
    kept = f".{ending.lower()}" if f".{ending.lower()}" in right else kind.ending
    base = stem if f".{ending.lower()}" in right else plain
    return f"{base[:FILE_NAME_MAX] or 'file'}{kept}"


def _allowed(path: Path) -> FileType:
    with path.open("rb") as file:
        result = examine(file)
    if isinstance(result, WrongType):
        raise Refusal(
            RegistryReason.WRONG_FILE_TYPE,
            f"By its content the file is {result.what}; send {ALLOWED}.",
            found=result.what,
        )
    return result


def _require_clean(verdict: Verdict) -> None:
    if verdict is Verdict.INFECTED:
        raise Refusal(RegistryReason.FILE_INFECTED, "The virus scanner refused the file; clean it and send it again.")
    if verdict is Verdict.FAILED:
        raise Refusal(
            CommonReason.UNAVAILABLE, "The virus scanner does not answer; repeat in a minute.", retry_after_s=60
        )


class _Bounded:
    """The request's stream, ended as soon as it is longer than allowed or the client has gone.

    It ends instead of raising, so that the parser itself finds the form incomplete and closes its temporary files.
    """

    def __init__(self, receive: Receive, bytes_max: int) -> None:
        self._receive, self._received = receive, 0
        self.bytes_max, self.cut_off = bytes_max, False

    async def __call__(self) -> HTTPRequestEvent:
        message = await self._receive()
        if message["type"] == "http.request":
            self._received += len(message["body"])
            self.cut_off = self._received > self.bytes_max
            if not self.cut_off:
                return message
        return {"type": "http.request", "body": b"", "more_body": False}
