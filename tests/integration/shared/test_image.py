"""The package as the image holds it: built, unpacked elsewhere, and started without the source tree."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path

import httpx
import pytest

from services.cli.embedded.home import free_port
from services.cli.supervisor import PlatformServers
from tests.support.databases import Databases
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
PAGES = {"registry": "/sign-in", "voting": "/receipts", "scoring": "/results"}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-compile"]
    subprocess.run([*pip, "--target", str(folder), str(ROOT)], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("service", PAGES)
async def test_a_service_starts_from_the_package_alone(
    servers: PlatformServers, databases: Databases, package: Path, service: str
) -> None:
    taken: set[int] = set()
    database, port, prefix = await databases.clone(service), free_port(None, taken), service.upper()
    environment = {
        **servers.environment,
        "PATH": os.defpath,
        "PYTHONPATH": str(package),
        "SERVICE": service,
        "PORT": str(port),
        "PUBLIC_ORIGIN": "https://pingxuan.example",
        f"{prefix}_DATABASE_URL": database.app_url,
        f"{prefix}_OWNER_DATABASE_URL": "",
        f"{prefix}_PORT": str(port),
        f"{prefix}_METRICS_PORT": str(free_port(None, taken)),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"services.{service}", env=environment, cwd="/"
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            await wait_until(lambda: answers(http, service, process), 60, f"{service} is ready")
            assert await health(environment) == 0
            page, style = await http.get(PAGES[service]), await http.get("/static/app.css")
            assert (page.status_code, style.status_code) == (200, 200)
            assert "评选" in page.text
    finally:
        process.terminate()
        assert await process.wait() == 0
    assert await health(environment) == 1


async def answers(http: httpx.AsyncClient, service: str, process: Process) -> bool:
    assert process.returncode is None, f"{service} ended"
    try:
        return (await http.get(f"/api/{service}/v1/readyz")).status_code == 200
    except httpx.TransportError:
        return False


async def health(environment: dict[str, str]) -> int:
    """The image's health check, as its container runs it."""
    checking = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "deploy" / "image" / "pingxuan-health"), env=environment, stderr=DEVNULL
    )
    return await checking.wait()
