"""`pingxuan up`: the platform in the foreground, until Ctrl-C or SIGTERM.

Errors are one sentence on standard error: exit 2 for what the caller can mend, 1 for a part that stopped by itself.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import click

from services.cli.embedded.home import Home, PlatformError, StartFailed
from services.cli.supervisor import PORT, SERVICE_PORTS, Platform


class CannotRun(click.ClickException):
    """The platform cannot run as asked."""

    exit_code = 2


class PartFailed(click.ClickException):
    """A server or service did not get ready."""

    exit_code = 1


class JsonLines(logging.Formatter):
    """One JSON object a line, like the services' logs."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry = {"at": f"{at}.{int(record.msecs):03d}Z", "level": record.levelname.lower()}
        entry["event"] = record.getMessage()
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help=f"The one origin.  [default: {PORT}, else a free one]")
@click.option(
    "--voting-port",
    type=click.IntRange(1, 65535),
    help=f"Voting's own port, for measurements.  [default: {SERVICE_PORTS['voting']}, else a free one]",
)
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that take ballots.  [default: half the cores]")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address the origin listens on.")
@click.option("--proxy/--no-proxy", default=True, show_default=True, help="Put Caddy in front of the services.")
@click.option("--backup", envvar="PINGXUAN_BACKUP", type=click.Path(file_okay=False), help="Archive every change here.")
@click.option("--home", type=click.Path(file_okay=False), help="Data folder.  [default: PINGXUAN_HOME or ./.pingxuan]")
def up(
    port: int | None,
    voting_port: int | None,
    workers: int | None,
    host: str,
    proxy: bool,
    backup: str | None,
    home: str | None,
) -> None:
    """Run the whole platform: PostgreSQL, Valkey, the three services and Caddy.

    Data, keys and logs lie in the home folder; Ctrl-C stops everything, the next start goes on where this one ended.
    With DATABASE_URL or REDIS_URL in the environment those servers are used instead.

    \b
    Example:
      pingxuan up --port 8000
    """
    platform = Platform(
        Home.at(home), port=port, voting_port=voting_port, workers=workers, host=host, proxy=proxy, backup=backup
    )  # fmt: skip
    try:
        asyncio.run(run_until_stopped(platform, lambda: _run(platform)))
    except StartFailed as error:
        raise PartFailed(str(error)) from None
    except PlatformError as error:
        raise CannotRun(str(error)) from None


async def run_until_stopped(platform: Platform, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `main` until it ends, or until Ctrl-C or SIGTERM; the platform's log goes to its home."""
    platform.home.create()
    _log_to(platform.home)
    run = asyncio.create_task(main())
    for number in _stop_signals():
        asyncio.get_running_loop().add_signal_handler(number, run.cancel)
    # Cancelled, whether while starting or afterwards, the platform's context takes down what runs.
    with suppress(asyncio.CancelledError):
        await run


def _stop_signals() -> list[signal.Signals]:
    """`nohup` asks to live on without a terminal: then a hang-up is no reason to stop."""
    hang_up = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hang_up]


async def _run(platform: Platform) -> None:
    started = time.monotonic()
    async with platform:
        await platform.ready()
        click.echo(ready_message(platform, time.monotonic() - started))
        await asyncio.Event().wait()


def ready_message(platform: Platform, took_s: float) -> str:
    """What a person needs after the start; no secret in it."""
    origin = platform.urls["origin"]
    lines = [f"pingxuan is ready after {took_s:.1f} s: {origin}"]
    lines += [f"  citizens        {origin}/", f"  experts         {origin}/expert"]
    lines += [f"  administrators  {origin}/admin"]
    lines += [f"  voting alone    {platform.urls['voting']}"]
    if platform.is_exposed:
        lines += [f"Whoever reaches this address can read the codes sent at {origin}/dev/outbox: rehearsals only."]
    lines += [f"  data and logs   {platform.home.folder}", "Ctrl-C stops everything; the data stays."]
    return "\n".join(lines)


def _log_to(home: Home) -> None:
    """Supervision goes to `logs/supervisor.log` as JSON, and to a terminal as plain sentences."""
    logger = logging.getLogger("pingxuan.supervisor")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    descriptor = os.open(home.log("supervisor"), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    to_file = logging.StreamHandler(os.fdopen(descriptor, "a", encoding="utf-8"))
    to_file.setFormatter(JsonLines())
    to_person = logging.StreamHandler(sys.stderr)
    to_person.setLevel(logging.INFO if sys.stderr.isatty() else logging.WARNING)
    to_person.setFormatter(logging.Formatter("pingxuan: %(message)s"))
    logger.handlers = [to_file, to_person]
