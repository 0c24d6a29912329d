"""`pingxuan rounds hold` and `rounds decide`: a suspicion against ballots, and what two administrators make of it."""

from __future__ import annotations

import click

from services.cli.client import Client, expect, part, require_administrators

VOTING = "/api/voting/v1"
REASONS = (
    "bought_votes", "rented_accounts", "automated", "stolen_identity", "coercion", "station_misuse",
    "unusual_pattern", "other",
)  # fmt: skip


@click.command()
@click.argument("round_id", metavar="ROUND")
@click.argument("name", metavar="NAME")
@click.option(
    "--ballot", "ballots", multiple=True, required=True, help="A receipt or a ballot's id; say it again for more."
)
@click.option("--reason", type=click.Choice(REASONS), required=True, help="Published with the exclusions.")
@click.option("--evidence", required=True, help="What it rests on; kept, not published.")
def hold(round_id: str, name: str, ballots: tuple[str, ...], reason: str, evidence: str) -> None:
    """Hold ballots on suspicion, in the name of the administrator NAME; print the hold's number. Nothing is deleted.

    \b
    Example:
      pingxuan rounds hold kunming-2021 wang --ballot 0ABC-… --reason bought_votes --evidence 付款截图
    """
    client = Client.find()
    require_administrators(client, name)
    form = {"ballots": list(ballots), "reason": reason, "evidence": evidence}
    held = expect(client.post(f"{VOTING}/rounds/{part(round_id)}/holds", form, actor=name.lower()), 200, 201)
    click.echo(f"{held['hold']}")


@click.command()
@click.argument("round_id", metavar="ROUND")
@click.argument("hold_id", metavar="HOLD")
@click.argument("decision", type=click.Choice(("exclude", "restore")))
@click.argument("first", metavar="NAME")
@click.argument("second", metavar="NAME")
@click.option("--reason", required=True, help="Why; it is kept with the decision.")
def decide(round_id: str, hold_id: str, decision: str, first: str, second: str, reason: str) -> None:
    """Decide on held ballots: the first administrator decides, the second confirms.

    \b
    Example:
      pingxuan rounds decide kunming-2021 $HOLD exclude wang li --reason 经核实
    """
    client = Client.find()
    require_administrators(client, first, second)
    path = f"{VOTING}/rounds/{part(round_id)}/holds/{part(hold_id)}"
    expect(client.post(f"{path}/decisions", {"decision": decision, "reason": reason}, actor=first.lower()), 200, 201)
    expect(client.post(f"{path}/confirmations", actor=second.lower()), 200, 201)
    click.echo(f"{hold_id}: {decision}d by {first.lower()} and {second.lower()}")
