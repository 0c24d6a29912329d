"""`python -m services.voting`: the voting service alone, with settings from the environment."""

import sys

from services.shared.serve import start
from services.voting.app import FOLDER, Application
from services.voting.settings import VotingSettings

if __name__ == "__main__":
    sys.exit(start("voting", VotingSettings, FOLDER / "migrations", Application))
