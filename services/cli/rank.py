"""`pingxuan rank`: recompute a ranking offline from a bundle; the same bytes as the published file.

Needs nothing but the bundle: no server, no account, no clock. Nothing is written on bad input.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:  # `--help` of any command must not wait for the ranking core
    from services.shared.ranking.bundle import Bundle

DRAWS_SHOWN_EVERY = 50


class BadInput(click.ClickException):
    """Wrong use or input, told in one sentence; exit 2."""

    exit_code = 2


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--out",
    "out",
    type=click.Path(path_type=Path),
    help="Write the ranking to this file instead of standard output.",
)
@click.option(
    "--statistics",
    "statistics",
    type=click.Path(path_type=Path),
    help="Also write agreement, weights, rank intervals, sensitivity and own sheets to this file, as JSON.",
)
@click.option("--explain", is_flag=True, help="Tell on standard error what decided: fallbacks, tie-breaks, notes.")
def rank(bundle: Path, out: Path | None, statistics: Path | None, explain: bool) -> None:
    """Recompute the ranking of BUNDLE, a folder or a .zip with rules, candidates, votes and/or scores.

    \b
    Example:
      pingxuan rank kunming-2021.zip --out ranking.csv --statistics statistics.json
    """
    # Imported here: `--help` of any command must not wait for the ranking core.
    from services.shared.ranking.bundle import rank_bundle, read_bundle
    from services.shared.ranking.errors import InputError
    from services.shared.ranking.ranking import ranking_csv

    if out is not None and out == statistics:
        raise BadInput(f"--out and --statistics name the same file, {out}; give each its own")
    try:
        with _uncollected():
            read = read_bundle(bundle, _show_ballots if sys.stderr.isatty() else None)
            ranking = rank_bundle(read)
        told = None if statistics is None else _statistics(read)
    except InputError as error:
        raise BadInput(str(error)) from None
    _write(ranking_csv(ranking), out)
    if told is not None:
        _write(told, statistics)
    if explain or sys.stderr.isatty():
        from services.shared.ranking.explanation import explain_ranking

        for sentence in explain_ranking(ranking):
            click.echo(sentence, err=True)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the search for cycles: millions of marks are kept, none of them in one; looking costs a tenth."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _statistics(read: "Bundle") -> bytes:
    from services.shared.ranking.statistics.report import statistics_json, statistics_of_bundle

    return statistics_json(statistics_of_bundle(read, progress=_show_draws if sys.stderr.isatty() else None))


def _show_draws(number: int) -> None:
    if number % DRAWS_SHOWN_EVERY == 0:
        click.echo(f"{number:,} resampled rankings\r", nl=False, err=True)


def _show_ballots(count: int) -> None:
    # One line that overwrites itself; whoever writes next begins at its start.
    click.echo(f"{count:,} ballots read\r", nl=False, err=True)


def _write(data: bytes, out: Path | None) -> None:
    from services.shared.ranking.containers import write_atomically

    if out is None:
        click.echo(data, nl=False)
        return
    try:
        write_atomically(out, data)
    except OSError as error:
        raise BadInput(
            f"{out}: cannot be written ({error.strerror}); name a file in a folder you may write to"
        ) from None
