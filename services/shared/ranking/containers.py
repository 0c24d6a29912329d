"""Opening and writing a bundle's files, in a folder or a `.zip`, without trusting either.

A zip may not name a file outside itself, twice or encrypted, nor unpack to much more than it is; nothing is ever
unpacked to disk. Small files are read whole up to a limit, ballots as a stream.
"""

import io
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, Protocol

from services.shared.ranking.errors import InputError, shown

SMALL_FILE_BYTES_MAX: Final = 512 * 1024 * 1024
UNPACKED_BYTES_MAX: Final = 16 * 1024 * 1024 * 1024
UNPACKED_RATIO_MAX: Final = 250
RATIO_FREE_BYTES: Final = 16 * 1024 * 1024
ENTRIES_MAX: Final = 1_000
STREAM_BUFFER_BYTES: Final = 1024 * 1024
# The same bytes whenever it is written: the oldest time a zip can hold.
ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)


class Container(Protocol):
    """The files of one bundle."""

    def has(self, name: str) -> bool:
        """Tell whether the bundle holds the file."""

    def open(self, name: str) -> BinaryIO:
        """Open a file of the bundle as a stream of bytes."""


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def has(self, name: str) -> bool:
        return (self._path / name).is_file()

    def open(self, name: str) -> BinaryIO:
        return (self._path / name).open("rb")


class _Zip:
    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self._archive = archive
        _check_entries(archive.infolist(), path.name)
        self._prefix = _prefix([entry.filename for entry in archive.infolist()])

    def has(self, name: str) -> bool:
        return self._prefix + name in self._archive.NameToInfo

    def open(self, name: str) -> BinaryIO:
        return io.BufferedReader(self._archive.open(self._prefix + name), STREAM_BUFFER_BYTES)  # type: ignore[type-var]


@contextmanager
def open_container(path: Path) -> Iterator[Container]:
    """Open a folder or a zip file; raises InputError where it is neither, or breaks while it is read."""
    try:
        if path.is_dir():
            yield _Folder(path)
            return
        if not path.is_file():
            raise InputError(str(path), None, "is not there; name a bundle's folder or its .zip file")
        with zipfile.ZipFile(path) as archive:
            yield _Zip(archive, path)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise InputError(path.name, None, f"is not a sound .zip file ({error}); fetch it again") from None
    except OSError as error:
        raise InputError(str(path), None, f"cannot be read ({error.strerror or error}); check it") from None


def read_small(container: Container, name: str) -> bytes | None:
    """Read a whole file of at most 512 MiB; None where the bundle does not have it."""
    if not container.has(name):
        return None
    with container.open(name) as stream:
        data = stream.read(SMALL_FILE_BYTES_MAX + 1)
    if len(data) > SMALL_FILE_BYTES_MAX:
        raise InputError(name, None, f"is larger than {SMALL_FILE_BYTES_MAX} bytes; this is no file of ours")
    return data


def _check_entries(entries: list[zipfile.ZipInfo], file: str) -> None:
    if len(entries) > ENTRIES_MAX:
        raise InputError(file, None, f"has more than {ENTRIES_MAX} entries; a bundle has a dozen")
    seen: set[str] = set()
    for entry in entries:
        _check_entry(entry, file)
        if entry.filename in seen:
            raise InputError(file, None, f"holds {shown(entry.filename)} twice; write the bundle anew")
        seen.add(entry.filename)
    unpacked = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    too_dense = unpacked > RATIO_FREE_BYTES and unpacked > packed * UNPACKED_RATIO_MAX
    if unpacked > UNPACKED_BYTES_MAX or too_dense:
        raise InputError(file, None, f"would unpack to {unpacked} bytes, which no bundle does; do not trust it")


def _check_entry(entry: zipfile.ZipInfo, file: str) -> None:
    path = PurePosixPath(entry.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or ":" in entry.filename:
        raise InputError(file, None, f"names {shown(entry.filename)}, a path outside itself; do not trust it")
    if entry.flag_bits & 1:
        raise InputError(file, None, f"holds {shown(entry.filename)} encrypted; bundles are public")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise InputError(file, None, f"holds {shown(entry.filename)} as a link; write the bundle anew")


def _prefix(names: list[str]) -> str:
    """A zip of the folder, rather than of its files, has them one level down."""
    if "rules.toml" in names:
        return ""
    folders = [name.removesuffix("rules.toml") for name in names if name.endswith("/rules.toml")]
    return folders[0] if len(folders) == 1 and folders[0].count("/") == 1 else ""


def write_container(files: Mapping[str, bytes], path: Path) -> None:
    """Write the files to `path`, a zip where it ends in `.zip`, else a folder; whole or not at all.

    A zip's bytes depend on the files only. Raises FileExistsError where `path` is there already.
    """
    if path.exists():
        raise FileExistsError(f"{path} exists already")
    if path.suffix == ".zip":
        write_atomically(path, _zip_bytes(files))
        return
    unfinished = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        for name, data in sorted(files.items()):
            (unfinished / name).write_bytes(data)
        unfinished.chmod(0o755)
        unfinished.rename(path)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _zip_bytes(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that whoever looks sees the old one or the whole new one."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
