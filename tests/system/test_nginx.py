"""The nginx of deploy/nginx before the real services: every path leads where Caddy leads it, and nothing else does."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.cli.embedded.home import free_port
from services.cli.people import no_cookies
from tests.support.debian import program
from tests.support.waiting import wait_until
from tests.system.town import Town

ROOT = Path(__file__).parents[2]
NGINX = ROOT / "deploy" / "nginx"
CADDYFILE = (ROOT / "deploy" / "Caddyfile").read_text("utf-8")
BINARY = program("sbin", "nginx")
pytestmark = pytest.mark.skipif(BINARY is None, reason="Debian's nginx is not here (deploy/install-servers)")


def write_configuration(folder: Path, port: int, upstreams: dict[str, str]) -> Path:
    """The shipped files with other ports and places, and plain HTTP: TLS is checked by `nginx -t` below."""
    main = (NGINX / "nginx.conf").read_text("utf-8")
    main = main.replace("/etc/nginx/mime.types", str(folder / "mime.types")).replace("/tmp/nginx", f"{folder}/nginx")
    (folder / "nginx.conf").write_text(main)
    (folder / "mime.types").write_text("types { text/html html; text/css css; image/svg+xml svg; }\n")
    (folder / "upstreams.conf").write_text(
        "".join(
            f"upstream {name} {{ server {place} max_fails=0; keepalive 8; }}\n" for name, place in upstreams.items()
        )
    )
    paths = (NGINX / "pingxuan-paths.conf").read_text("utf-8").replace("/srv", str(folder / "srv"))
    (folder / "pingxuan-paths.conf").write_text(paths)
    (folder / "srv").mkdir()
    (folder / "srv" / "static").symlink_to(ROOT / "services" / "shared" / "static")
    (folder / "pingxuan.conf").write_text(
        (NGINX / "pingxuan.conf").read_text("utf-8").split("server {\n    listen 8080")[0]
        + f"server {{ listen 127.0.0.1:{port}; include pingxuan-paths.conf; }}\n"
    )
    return folder / "nginx.conf"


@pytest.fixture
async def proxied(town: Town, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Clients of an nginx before the town's services; scoring is behind a port where nobody listens."""
    port, urls = free_port(None, set()), town.platform.urls
    upstreams = {name: urls[name].removeprefix("http://") for name in ("voting", "registry")}
    upstreams["scoring"] = f"127.0.0.1:{free_port(None, set())}"
    configuration = write_configuration(tmp_path, port, upstreams)
    assert BINARY is not None
    process = await asyncio.create_subprocess_exec(
        BINARY, "-p", str(tmp_path), "-c", str(configuration), "-g", "daemon off; user root;"
    )
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, cookies=no_cookies(), timeout=10
        ) as http:

            async def answers() -> bool:
                assert process.returncode is None, "nginx ended"
                try:
                    return (await http.get("/api/voting/v1/healthz")).status_code == 200
                except httpx.TransportError:
                    return False

            await wait_until(answers, 10, "nginx answers")
            yield http
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


def paths_of_caddy() -> list[str]:
    """One address under every path that the Caddyfile names, scoring's apart."""
    named = re.findall(r"^\t@(voting|registry|voting_api) path (.+)$", CADDYFILE, re.MULTILINE)
    return sorted({path.replace("*", "x") for _, line in named for path in line.split()})


async def test_every_path_leads_where_caddy_leads_it(town: Town, proxied: httpx.AsyncClient) -> None:
    assert len(paths_of_caddy()) > 20
    for path in paths_of_caddy():
        ours, theirs = await proxied.get(path), await town.http.get(path)
        assert ours.status_code == theirs.status_code, path
        assert ours.headers.get("location") == theirs.headers.get("location"), path
        assert ours.text[:60] == theirs.text[:60], path


async def test_static_files_are_versioned_and_nothing_else_is_served(proxied: httpx.AsyncClient) -> None:
    plain, versioned = await proxied.get("/static/app.css"), await proxied.get("/static/v-0123456789ab/app.css")
    assert plain.content == versioned.content == (ROOT / "services/shared/static/app.css").read_bytes()
    assert plain.headers["cache-control"] == "no-cache"
    assert "immutable" in versioned.headers["cache-control"]
    for path in ("/metrics", "/static-versioned/app.css", "/static-away", "/nothing"):
        assert (await proxied.get(path)).status_code == 404, path


async def test_a_service_that_is_away_is_said_to_be_away(proxied: httpx.AsyncClient) -> None:
    call, page = await proxied.get("/api/scoring/v1/healthz"), await proxied.get("/results")
    assert call.status_code == page.status_code == 503
    assert call.headers["retry-after"] == page.headers["retry-after"] == "2"
    assert call.json()["reason"] == "unavailable"
    assert "请稍候片刻" in page.text


async def test_a_long_body_and_a_borrowed_address_get_nowhere(town: Town, proxied: httpx.AsyncClient) -> None:
    long = await proxied.post("/api/voting/v1/rounds/none/ballots", content=b"x" * 9000)
    assert (long.status_code, long.json()["reason"]) == (413, "body_too_large")
    # Behind this proxy the service believes the header, so the proxy must have replaced it: the outbox is for loopback.
    borrowed = await proxied.get("/api/voting/v1/rounds/none", headers={"x-forwarded-for": "not an address, at all"})
    assert borrowed.status_code == 404


def test_the_shipped_files_are_valid_with_tls(tmp_path: Path) -> None:
    """`nginx -t` over all of it, with names that resolve here and a certificate made now."""
    upstreams = dict.fromkeys(("voting", "registry", "scoring"), "127.0.0.1:9")
    configuration = write_configuration(tmp_path, free_port(None, set()), upstreams)
    certificate, key = tmp_path / "fullchain.pem", tmp_path / "privkey.pem"
    make_certificate(certificate, key)
    shipped = (NGINX / "pingxuan.conf").read_text("utf-8").replace("/etc/nginx/tls", str(tmp_path))
    (tmp_path / "pingxuan.conf").write_text(shipped)
    assert BINARY is not None
    told = subprocess.run(
        [BINARY, "-t", "-p", str(tmp_path), "-c", str(configuration)], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    assert "[warn]" not in told.stderr


def make_certificate(certificate: Path, key: Path) -> None:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    private, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")]),
    )
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + timedelta(days=1))
        .sign(private, hashes.SHA256())
    )  # fmt: skip
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key.write_bytes(private.private_bytes(*plain))
