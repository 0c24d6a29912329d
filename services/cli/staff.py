"""`pingxuan staff`: accounts and roles, through the registry's HTTP interface as the built-in account."""

import sys

import click

from services.cli.client import PLATFORM_ACCOUNT, Client, CommandFailed, expect, part

STAFF = "/api/registry/v1/staff"
ROLES = (
    "applicant",
    "channel_officer",
    "reviewer",
    "expert",
    "helper",
    "administrator",
    "auditor",
    "operator",
    "security_administrator",
)


@click.group()
def staff() -> None:
    """Staff accounts and roles.

    \b
    Example:
      pingxuan staff add wang --role administrator --name 王敏
    """


@staff.command()
@click.argument("username", metavar="NAME")
@click.option(
    "--role", "roles", multiple=True, required=True, type=click.Choice(ROLES), help="A role; may be repeated."
)
@click.option("--name", default="", help="The name that pages show.  [default: NAME]")
@click.option("--unit", default="", help="The unit the person belongs to.")
@click.option("--channel", default="", help="The channel a channel officer works for.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of making one.")
def add(username: str, roles: tuple[str, ...], name: str, unit: str, channel: str, password_stdin: bool) -> None:
    """Make the account NAME; a password that is made here is printed once.

    \b
    Example:
      pingxuan staff add expert1 --role expert --name 陈老师 --unit 云岭大学
    """
    body: dict[str, object] = {
        "username": username, "roles": list(roles), "name": name, "unit": unit, "channel": channel,
    }  # fmt: skip
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise CommandFailed("standard input held no password: write one line, or leave out --password-stdin")
        body["password"] = password
    made = expect(Client.find().post(STAFF, body), 201)
    if sys.stdout.isatty():
        click.echo(f"{made['username']}: {', '.join(made['roles'])}")
    if "password" in made:
        if sys.stdout.isatty():
            click.echo("password, shown only now: ", nl=False)
        click.echo(made["password"])


@staff.command(name="list")
def list_accounts() -> None:
    """List every account with its roles.

    \b
    Example:
      pingxuan staff list
    """
    for account in expect(Client.find().get(STAFF, actor=PLATFORM_ACCOUNT), 200)["staff"]:
        state = "disabled" if account["disabled"] else "active"
        click.echo(
            "\t".join((account["username"], state, ",".join(account["roles"]), account["name"], account["unit"]))
        )


@staff.command()
@click.argument("username", metavar="NAME")
def disable(username: str) -> None:
    """Disable the account NAME: its sessions and tokens end at once. Nothing it did is undone.

    \b
    Example:
      pingxuan staff disable expert1
    """
    account = expect(Client.find().post(f"{STAFF}/{part(username)}/disable"), 200)
    click.echo(f"{account['username']} is disabled")
