"""The `pingxuan` command: an index of its groups, each in a file of its own and imported only when it is used."""

from __future__ import annotations

import importlib
import sys

import click

_COMMANDS = {
    "up": ("services.cli.up", "up", "Run the whole platform."),
    "rounds": ("services.cli.rounds", "rounds", "Load, watch, close, seal and publish rounds."),
    "staff": ("services.cli.staff", "staff", "Staff accounts and roles."),
    "rules": ("services.cli.rules", "rules", "Check a rules file."),
    "rank": ("services.cli.rank", "rank", "Recompute a ranking offline from a bundle."),
    "export": ("services.cli.export", "export", "Write the bundle of a round."),
    "audit": ("services.cli.audit", "audit", "Check every service's invariants on the live databases."),
    "backup": ("services.cli.backup", "backup", "Take a base backup of the running platform."),
    "restore": ("services.cli.backup", "restore", "Bring the databases to a moment of a backup, or rehearse it."),
    "rebuild": ("services.cli.rebuild", "rebuild", "Fill Valkey again from the databases."),
    "archive": ("services.cli.archive", "archive", "Write what the archive office takes of a finished round."),
    "keys": ("services.cli.keys", "keys", "Rotate the platform's keys and passwords."),
    "demo": ("services.cli.demo", "demo", "The platform with two rounds and people using it."),
    "secrets": ("services.cli.deployment", "secrets", "Keys, passwords and environments of a deployment."),
    "databases": ("services.cli.deployment", "databases", "Roles and databases on a PostgreSQL of your own."),
    "reference": ("services.cli.reference", "reference", "Tables of settings and metrics for the documents."),
    "screenshots": ("services.cli.screenshots", "screenshots", "Take a picture of every page."),
}


class _Index(click.Group):
    """Commands by name; importing one does not import the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name, _ = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in _COMMANDS.items()])


@click.command(cls=_Index, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pingxuan", prog_name="pingxuan")
def pingxuan() -> None:
    """Pingxuan (评选): a city selects projects in the open.

    Example: pingxuan up --port 8000
    """


def main() -> None:
    """Run a command; errors are one sentence on standard error: exit 2 for wrong use or input, 1 for a failed check."""
    try:
        code = pingxuan.main(prog_name="pingxuan", standalone_mode=False)
    except click.ClickException as error:
        print(f"pingxuan: {_sentence(error)}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except (click.Abort, KeyboardInterrupt):
        raise SystemExit(130) from None
    raise SystemExit(code if isinstance(code, int) else 0)


def _sentence(error: click.ClickException) -> str:
    text = " ".join(error.format_message().split())
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{text} (see `{error.ctx.command_path} --help`)"
    return text


if __name__ == "__main__":
    main()
