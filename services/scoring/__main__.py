"""`python -m services.scoring`: the scoring service alone, with settings from the environment."""

import sys
from pathlib import Path
from typing import Any

from services.scoring.settings import ScoringSettings
from services.shared.serve import start


def application(settings: ScoringSettings) -> Any:
    """Imported where it is served: the parent of several workers has no need of it, and starts sooner without."""
    from services.scoring.app import build_app

    return build_app(settings)


if __name__ == "__main__":
    sys.exit(start("scoring", ScoringSettings, Path(__file__).parent / "migrations", application))
