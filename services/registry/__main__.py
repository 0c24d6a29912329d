"""`python -m services.registry`: check the settings and the schema, then serve until a signal."""

import asyncio
import sys

from services.registry.app import build
from services.registry.schema import prepare
from services.registry.settings import load_settings
from services.shared.errors import PingxuanError
from services.shared.serve import run


def main() -> int:
    try:
        settings = load_settings()
        asyncio.run(prepare(settings))
        return run("registry", settings, lambda: build(settings))
    except PingxuanError as error:
        print(f"registry: {error}", file=sys.stderr)  # noqa: T201 - the one sentence a person needs
        return 2


if __name__ == "__main__":
    sys.exit(main())
