"""`python -m services.voting`: the voting service alone, with settings from the environment."""

import sys
from pathlib import Path
from typing import Any

from services.shared.serve import start
from services.voting.settings import VotingSettings


def application(settings: VotingSettings) -> Any:
    """Imported where it is served: the parent of several workers has no need of it, and starts sooner without."""
    from services.voting.app import Application

    return Application(settings)


if __name__ == "__main__":
    sys.exit(start("voting", VotingSettings, Path(__file__).parent / "migrations", application))
