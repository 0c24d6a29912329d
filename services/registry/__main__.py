"""`python -m services.registry`: the registry service alone, with settings from the environment."""

import sys
from pathlib import Path
from typing import Any

from services.registry.settings import RegistrySettings
from services.shared.serve import start


def application(settings: RegistrySettings) -> Any:
    """Imported where it is served: the parent of several workers has no need of it, and starts sooner without."""
    from services.registry.app import build

    return build(settings)


if __name__ == "__main__":
    sys.exit(start("registry", RegistrySettings, Path(__file__).parent / "migrations", application))
