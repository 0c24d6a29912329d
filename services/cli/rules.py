"""`pingxuan rules check`: what a rules file is, says and weighs, before anybody depends on it."""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import click

from services.cli.rank import BadInput


@click.group()
def rules() -> None:
    """Work with a round's rules.toml.

    \b
    Example:
      pingxuan rules check rules.toml
    """


@rules.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    help="Also tell the effective weights on the votes and scores of this bundle (its own rules are ignored).",
)
def check(file: Path, bundle: Path | None) -> None:
    """Validate FILE; print its digest, warnings, nominal and effective weights.

    \b
    Example:
      pingxuan rules check rules.toml --bundle kunming-2021.zip
    """
    from services.shared.ranking.errors import InputError
    from services.shared.ranking.rules import nominal_weights, parse_rules, warnings
    from services.shared.ranking.weights import weights_apart

    try:
        checked = parse_rules(_read(file), str(file))
        effective = None if bundle is None else _effective_weights(file, bundle)
    except InputError as error:
        raise BadInput(str(error)) from None
    click.echo(f"round   {checked.round.id}")
    click.echo(f"digest  {checked.digest}")
    for sentence in warnings(checked):
        click.echo(f"warning: {sentence}")
    nominal = nominal_weights(checked)
    for part in weights_apart(nominal, effective or {}):
        click.echo(f"warning: {part} works with another weight than is written: they differ by more than a third")
    _print_weights("nominal weights", nominal)
    if effective is not None:
        _print_weights("effective weights (share of the final score's standard deviation)", effective)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadInput(f"{file}: cannot be read ({error.strerror}); name a rules.toml") from None


def _effective_weights(file: Path, bundle: Path) -> dict[str, Fraction]:
    import dataclasses

    from services.shared.ranking.bundle import rank_bundle, read_bundle
    from services.shared.ranking.rules import effective_weights, parse_rules

    checked = parse_rules(_read(file), str(file))
    data = dataclasses.replace(read_bundle(bundle), rules=checked)
    return effective_weights(checked, rank_bundle(data))


def _print_weights(title: str, weights: Mapping[str, Fraction]) -> None:
    from services.shared.ranking.numbers import print_number

    click.echo(title)
    if not weights:
        click.echo("  none: all totals are equal")
    width = max((len(name) for name in weights), default=0)
    for name, weight in weights.items():
        click.echo(f"  {name:<{width}}  {print_number(weight, 4, 'half_up')}")
