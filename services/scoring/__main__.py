"""`python -m services.scoring`: the scoring service alone, with settings from the environment."""

import sys

from services.scoring.app import FOLDER, build_app
from services.scoring.settings import ScoringSettings
from services.shared.serve import start

if __name__ == "__main__":
    sys.exit(start("scoring", ScoringSettings, FOLDER / "migrations", build_app))
