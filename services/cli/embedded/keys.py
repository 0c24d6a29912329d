"""Secrets of one home, made at the first start and never overwritten.

Each file is 0600 and appears whole: a crash in between leaves none rather than half of one. Losing `master.key` or a
round's key makes identities unreadable for ever, so they belong to a backup that is not the databases' backup.
"""

import base64
import os
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from services.cli.embedded.home import Home, PlatformError

SERVICES = ("registry", "voting", "scoring")
DATABASE_ROLES = tuple(f"{service}_{kind}" for service in SERVICES for kind in ("owner", "app"))
VALKEY_USERS = (*SERVICES, "operator")
SECRET_BYTES = 32


@dataclass(frozen=True)
class Keys:
    """Where the keys are (paths), and the passwords of the servers (values)."""

    master: Path
    staff_signing: Path
    staff_public: Path
    tally: Path
    rounds: Path
    web: dict[str, Path]
    postgres_admin_password: str
    database_passwords: dict[str, str]
    valkey_passwords: dict[str, str]


def ensure_keys(home: Home) -> Keys:
    """Read the keys, making those that are missing; raises PlatformError where one is unreadable or empty."""
    folder = home.keys
    signing, public = folder / "staff_signing.key", folder / "staff_public.key"
    for path in (folder / "master.key", folder / "tally.key", *_web_paths(folder).values()):
        _ensure(path, _random_key)
    _ensure(signing, _staff_signing_key)
    _ensure(public, lambda: _staff_public_key(signing))
    return Keys(
        master=folder / "master.key",
        staff_signing=signing,
        staff_public=public,
        tally=folder / "tally.key",
        rounds=folder / "rounds",
        web=_web_paths(folder),
        postgres_admin_password=password_in(folder / "postgres_admin.password"),
        database_passwords=database_passwords(folder),
        valkey_passwords=_passwords(folder, "valkey", VALKEY_USERS),
    )


def database_passwords(folder: Path) -> dict[str, str]:
    """The passwords of the database roles in a folder of keys; raises PlatformError as `ensure_keys`."""
    return _passwords(folder, "database", DATABASE_ROLES)


def _web_paths(folder: Path) -> dict[str, Path]:
    return {service: folder / f"web_{service}.key" for service in SERVICES}


def _passwords(folder: Path, kind: str, names: Iterable[str]) -> dict[str, str]:
    return {name: password_in(folder / f"{kind}_{name}.password") for name in names}


def password_in(path: Path) -> str:
    """The password in a file, made first where the file is missing; raises PlatformError as `ensure_keys`."""
    # URL-safe characters only, because every password ends up inside a connection URL.
    return _ensure(path, lambda: secrets.token_urlsafe(SECRET_BYTES)).strip()


def _ensure(path: Path, make: Callable[[], str]) -> str:
    """The file's text; made first where the file is missing. A link either appears or finds another's file there."""
    if not path.exists():
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(temporary, path)
        temporary.unlink()
    try:
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise PlatformError(f"cannot read the key {path}: make it readable for the user who runs pingxuan") from error
    if not text.strip():
        raise PlatformError(f"the key {path} is empty: put it back from a backup")
    return text


def _random_key() -> str:
    return base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii") + "\n"


def _staff_signing_key() -> str:
    # Imported late: only a first start needs it, and the supervisor stays small.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return (
        Ed25519PrivateKey.generate()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode("ascii")
    )


def _staff_public_key(signing: Path) -> str:
    from cryptography.hazmat.primitives import serialization

    private = serialization.load_pem_private_key(signing.read_bytes(), password=None)
    public = private.public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode(
        "ascii"
    )
