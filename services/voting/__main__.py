"""`python -m services.voting`: the voting service alone, with settings from the environment."""

import sys

from services.shared.errors import PingxuanError
from services.shared.serve import run
from services.shared.settings import load
from services.voting.app import create
from services.voting.settings import VotingSettings


def main() -> int:
    try:
        settings = load(VotingSettings, "VOTING")
    except PingxuanError as error:
        print(f"voting: {error}", file=sys.stderr)  # noqa: T201 - the one sentence a person needs
        return 2
    return run("voting", settings, lambda: create(settings))


if __name__ == "__main__":
    raise SystemExit(main())
