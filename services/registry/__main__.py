"""`python -m services.registry`: the registry service alone, with settings from the environment."""

import sys

from services.registry.app import FOLDER, build
from services.registry.settings import RegistrySettings
from services.shared.serve import start

if __name__ == "__main__":
    sys.exit(start("registry", RegistrySettings, FOLDER / "migrations", build))
