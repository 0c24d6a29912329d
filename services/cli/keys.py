"""`pingxuan keys rotate`: new keys and passwords, made by the next `pingxuan up`, or by `pingxuan secrets`.

Two are not among them: the master secret wraps the rounds' identity keys and numbers what was published, and the tally
key opens what is kept in the outbox; both live as long as their rounds.
"""

from __future__ import annotations

from pathlib import Path

import click

from services.cli.client import CommandFailed
from services.cli.embedded.home import Home, HomeLock, PlatformError

# Which files, and what people notice.
KINDS = {
    "staff": (("staff_signing.key", "staff_public.key"), "pages renew their tokens by themselves"),
    "web": (("web_*.key",), "everybody signs in again, and forms that are open must be loaded again"),
    "databases": (("database_*.password",), "nobody notices"),
    "valkey": (("valkey_*.password",), "nobody notices"),
}


@click.group()
def keys() -> None:
    """The platform's keys and passwords.

    \b
    Example:
      pingxuan keys rotate staff databases valkey
    """


@keys.command()
@click.argument("kinds", metavar="KIND...", nargs=-1, required=True, type=click.Choice(list(KINDS)))
@click.option(
    "--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="That of `pingxuan secrets`."
)
def rotate(kinds: tuple[str, ...], folder: Path | None) -> None:
    """Take keys away, so that the next start makes new ones: staff, web, databases or valkey. Stop the platform first.

    With --folder the keys of a deployment: then repeat `pingxuan secrets` and `pingxuan databases` with that folder,
    and restart Valkey and the services.

    \b
    Example:
      pingxuan keys rotate staff web
      pingxuan keys rotate databases --folder deploy/compose/secrets
    """
    home = Home.at(folder)
    if not home.keys.is_dir():
        raise CommandFailed(f"{home.folder} has no keys: set PINGXUAN_HOME, or name the folder of `pingxuan secrets`")
    lock = HomeLock(home)
    try:
        if folder is None:
            lock.acquire()
        for kind in dict.fromkeys(kinds):
            patterns, noticed = KINDS[kind]
            files = sorted(path for pattern in patterns for path in home.keys.glob(pattern))
            for path in files:
                path.unlink()
            click.echo(f"{kind}: {len(files)} files taken away; {noticed}")
    except (PlatformError, OSError) as error:
        raise CommandFailed(str(error)) from None
    finally:
        lock.release()
    again = "repeat `pingxuan secrets` and `pingxuan databases`" if folder else "start it with `pingxuan up`"
    click.echo(f"new ones are made when you {again}")
