"""The running platform: PostgreSQL, Valkey, the three services and Caddy, supervised as child processes.

`Platform` stands behind `pingxuan up`, `make demo` and the system tests; `PlatformServers` (PostgreSQL and Valkey
only) behind integration tests. Invariant: leaving the context leaves no process, whatever happened inside. Create them
in the main thread: children are tied to the thread that started them.
"""

import asyncio
import json
import logging
import os
import signal
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import asyncpg

from services.cli.embedded import caddy, databases, keys, postgres, valkey
from services.cli.embedded.backups import BackupFolder, archive_settings
from services.cli.embedded.child import Child, ChildSpec
from services.cli.embedded.home import (
    Home,
    HomeLock,
    PlatformError,
    asked_port,
    environment_text,
    free_port,
    reachable,
    write_json,
    write_private,
)
from services.cli.embedded.keys import SERVICES, Keys
from services.cli.embedded.observed import Observed
from services.cli.embedded.processes import boot_id, end_orphans
from services.cli.embedded.service import service_child
from services.shared.metrics import serve_metrics

PORT = 8000
SERVICE_PORTS = {"voting": 8001, "registry": 8002, "scoring": 8003}
METRICS_PORTS = {"registry": 9101, "voting": 9102, "scoring": 9103}
PLATFORM_METRICS_PORT = 9104
SERVER_READY_WITHIN_S = 60.0
SERVICE_READY_WITHIN_S = 60.0
PROXY_READY_WITHIN_S = 15.0
# The order of stopping: who is asked first must not lose what it still needs.
STOP_ORDER = (("caddy",), SERVICES, ("valkey",), ("postgres",))

_log = logging.getLogger("pingxuan.supervisor")


class PlatformServers:
    """PostgreSQL and Valkey of one home as an async context manager; ready when entered.

    `environment` is what `platform.env` holds. With `database_url` / `redis_url` (or DATABASE_URL / REDIS_URL) given,
    those servers are used and none of that kind is started. Raises PlatformError, one sentence, where it cannot run.
    """

    def __init__(
        self,
        home: str | os.PathLike[str] | Home | None = None,
        *,
        database_url: str | None = None,
        redis_url: str | None = None,
        backup: str | os.PathLike[str] | None = None,
    ) -> None:
        self.home = home if isinstance(home, Home) else Home.at(home)
        self.environment: dict[str, str] = {}
        self.admin_database_url = ""
        self.operator_redis_url = ""
        self._database_url = os.environ.get("DATABASE_URL", "") if database_url is None else database_url
        self._redis_url = os.environ.get("REDIS_URL", "") if redis_url is None else redis_url
        self._backup = BackupFolder(Path(backup).expanduser().absolute()) if backup else None
        self._children: dict[str, Child] = {}
        self._ports: dict[str, int] = {}
        self._taken: set[int] = set()
        self._mending: asyncio.Task[None] | None = None
        self._lock = HomeLock(self.home)

    async def __aenter__(self) -> Self:
        self.home.create()
        self._lock.acquire()
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Stop everything in order and give the home free; harmless to repeat."""
        if self._mending is not None:
            self._mending.cancel()
        for names in STOP_ORDER:
            children = [self._children[name] for name in names if name in self._children]
            await _together(*(child.stop() for child in children))
        self._lock.release()

    async def _start(self) -> None:
        self._choose_ports()
        for name in await end_orphans(self.home):
            _log.warning("%s of an earlier run was still there and has been stopped", name)
        self.keys = keys.ensure_keys(self.home)
        await _together(self._start_postgres(), self._start_valkey())
        await self._bootstrap()
        self.environment = self._environment()
        write_private(self.home.environment_file, environment_text(self.environment))

    def _choose_ports(self) -> None:
        if not self._redis_url:
            self._ports["valkey"] = free_port(_last_ports(self.home).get("valkey"), self._taken)

    async def _start_postgres(self) -> None:
        if self._database_url:
            if self._backup is not None:
                raise PlatformError("--backup is for the embedded PostgreSQL: the server of DATABASE_URL has its own")
            self.admin_database_url = self._database_url
            return
        password = self.keys.postgres_admin_password
        identity = await postgres.choose_identity(self.home)
        await postgres.ensure_cluster(self.home, identity, password)
        self.admin_database_url = postgres.admin_url(password, self.home.socket_folder())
        archive = self._archive()
        await self._run(postgres.postgres_child(self.home, identity, password, archive), SERVER_READY_WITHIN_S)

    def _archive(self) -> dict[str, str]:
        """PostgreSQL's settings for the backup folder, {} without one."""
        if self._backup is None:
            if _was_archived(self.home):
                _log.warning("the archive of this home ends here: start with --backup to go on with it")
            return {}
        self._backup.create()
        postgres.give(self._backup.wal, self.home)
        return archive_settings(self._backup)

    async def _start_valkey(self) -> None:
        passwords = self.keys.valkey_passwords
        if self._redis_url:
            self.operator_redis_url = self._redis_url
            return
        port = self._ports["valkey"]
        self.operator_redis_url = valkey.url("operator", passwords["operator"], port)
        await self._run(valkey.valkey_child(self.home, port, passwords), SERVER_READY_WITHIN_S)
        mending = valkey.keep_writing(port, passwords["operator"], _tell_mended)
        self._mending = asyncio.create_task(mending, name="keep valkey writing")

    async def _bootstrap(self) -> None:
        try:
            await databases.bootstrap_databases(self.admin_database_url, self.keys.database_passwords)
        except (asyncpg.PostgresError, OSError, ValueError) as error:
            # The reason's first line only: it may be long, and never holds the URL with its password.
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise PlatformError(
                f"cannot prepare roles and databases on the PostgreSQL server ({reason}): "
                "DATABASE_URL must name a reachable server and a role that may create both"
            ) from error

    async def _run(self, spec: ChildSpec, within_s: float) -> Child:
        child = await self._spawn(spec)
        await child.ready(within_s)
        return child

    async def _spawn(self, spec: ChildSpec) -> Child:
        child = self._children[spec.name] = Child(spec, self._write_platform_file)
        await child.start()
        return child

    def _environment(self) -> dict[str, str]:
        made = self.keys
        environment = {
            "PINGXUAN_HOME": str(self.home.folder),
            "PLATFORM_MODE": "embedded",
            "ADMIN_DATABASE_URL": self.admin_database_url,
            "OPERATOR_REDIS_URL": self.operator_redis_url,
            "STAFF_SIGNING_KEY_FILE": str(made.staff_signing),
            "STAFF_PUBLIC_KEY_FILE": str(made.staff_public),
            "VOTING_MASTER_SECRET_FILE": str(made.master),
            "VOTING_ROUND_KEYS_DIR": str(made.rounds),
            "TALLY_KEY_FILE": str(made.tally),
            "SMS_PROVIDER": "outbox",
            "TRUSTED_PROXIES": "127.0.0.1,::1",
        }
        if self._backup is not None:
            environment["PINGXUAN_BACKUP"] = str(self._backup.folder)
        for service in SERVICES:
            environment |= self._service_secrets(service, made)
        return environment

    def _service_secrets(self, service: str, made: Keys) -> dict[str, str]:
        prefix = service.upper()
        own = valkey.url(service, made.valkey_passwords[service], self._ports.get("valkey", 0))
        return databases.service_urls(self.admin_database_url, service, made.database_passwords) | {
            f"{prefix}_REDIS_URL": self._redis_url or own,
            f"{prefix}_WEB_SECRET_FILE": str(made.web[service]),
        }

    @property
    def processes(self) -> dict[str, Child]:
        """By name: `pid` (None while down), `restarts`, `exit_code`."""
        return dict(self._children)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to one process, as a fault would; the supervisor then starts it again."""
        self._children[name].kill(number)

    async def stop_process(self, name: str) -> None:
        """Stop one process and leave it down until `start_process`."""
        await self._children[name].stop()

    async def start_process(self, name: str, within_s: float = SERVICE_READY_WITHIN_S) -> None:
        """Start a stopped process again and wait until it is ready."""
        await self._children[name].start()
        await self._children[name].ready(within_s)

    def _write_platform_file(self) -> None:
        processes = {
            name: {"pid": child.record.pid, "started_ticks": child.record.started_ticks, "restarts": child.restarts}
            for name, child in self._children.items()
            if child.record is not None
        }
        content = {"boot_id": boot_id(), "supervisor": os.getpid(), "ports": self._ports, "processes": processes}
        # A full disk must not stop the supervision; the file only helps tests and the start after a crash.
        with suppress(OSError):
            write_json(self.home.platform_file, content)


class Platform(PlatformServers):
    """The whole platform: entered when everything is started, `await ready()` when everything can work.

    A port left None takes its default, or any free one where that is in use; a port given is used or refused
    (PortTaken). `modules` names the module to run per service, `python -m services.<name>` unless told otherwise.
    """

    def __init__(
        self,
        home: str | os.PathLike[str] | Home | None = None,
        *,
        port: int | None = None,
        voting_port: int | None = None,
        workers: int | None = None,
        host: str = "127.0.0.1",
        proxy: bool = True,
        database_url: str | None = None,
        redis_url: str | None = None,
        backup: str | os.PathLike[str] | None = None,
        modules: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(home, database_url=database_url, redis_url=redis_url, backup=backup)
        self._asked = {"proxy": port, "voting": voting_port}
        self._host = host
        self._workers = workers or max(1, min(4, (os.cpu_count() or 1) // 2))
        self._proxy = proxy
        self._modules = {service: f"services.{service}" for service in SERVICES} | dict(modules or {})
        self._metrics: asyncio.Server | None = None

    async def _start(self) -> None:
        await super()._start()
        await self._tell_metrics()
        for service in SERVICES:
            await self._spawn(service_child(self.home, service, self.environment, self._modules[service]))

    async def _tell_metrics(self) -> None:
        observed = Observed(self.home.folder, lambda: self._children)
        try:
            self._metrics = await serve_metrics(observed.exposition, port=self._ports["platform_metrics"])
        except OSError:
            # Somebody was quicker to this port: nobody votes by metrics.
            _log.warning(
                "metrics of the platform itself cannot be told: port %d is taken", self._ports["platform_metrics"]
            )

    async def stop(self) -> None:
        """The whole platform, its own metrics last."""
        await super().stop()
        if self._metrics is not None:
            self._metrics.close()
            self._metrics = None

    def _choose_ports(self) -> None:
        asked = {"proxy": "--port", "voting": "--voting-port"}
        for name, option in asked.items():
            number = self._asked[name]
            if number is not None and (self._proxy or name != "proxy"):
                host = self._host if name == "proxy" else "127.0.0.1"
                self._ports[name] = asked_port(number, name, option, self._taken, host)
        if self._proxy and "proxy" not in self._ports:
            self._ports["proxy"] = free_port(PORT, self._taken, self._host)
        for service in SERVICES:
            if service not in self._ports:
                self._ports[service] = free_port(SERVICE_PORTS[service], self._taken)
            self._ports[f"{service}_metrics"] = free_port(METRICS_PORTS[service], self._taken)
        self._ports["platform_metrics"] = free_port(PLATFORM_METRICS_PORT, self._taken)
        super()._choose_ports()

    def _environment(self) -> dict[str, str]:
        environment = super()._environment()
        environment["PUBLIC_ORIGIN"] = os.environ.get("PUBLIC_ORIGIN") or self.urls["origin"]
        environment["VOTING_WORKERS"] = str(self._workers)
        for service in SERVICES:
            prefix = service.upper()
            environment[f"{prefix}_HOST"] = "127.0.0.1"
            environment[f"{prefix}_PORT"] = str(self._ports[service])
            environment[f"{prefix}_METRICS_PORT"] = str(self._ports[f"{service}_metrics"])
        # The registry asks the others for the daily report; from here it need not go through the proxy.
        environment |= {f"REGISTRY_{other.upper()}_URL": self.urls[other] for other in ("voting", "scoring")}
        return environment

    @property
    def is_exposed(self) -> bool:
        """Whether other machines reach the origin."""
        return self._host not in ("127.0.0.1", "::1", "localhost")

    @property
    def urls(self) -> dict[str, str]:
        """`origin`, each service's own address, `<service>_metrics` and `platform_metrics` (the supervisor's own).

        Without a proxy the origin is voting's.
        """
        urls = {service: f"http://127.0.0.1:{self._ports[service]}" for service in SERVICES}
        for service in SERVICES:
            urls[f"{service}_metrics"] = f"http://127.0.0.1:{self._ports[f'{service}_metrics']}/metrics"
        urls["platform_metrics"] = f"http://127.0.0.1:{self._ports['platform_metrics']}/metrics"
        host = reachable(self._host)
        urls["origin"] = f"http://{host}:{self._ports['proxy']}" if self._proxy else urls["voting"]
        return urls

    async def ready(self, within_s: float = SERVICE_READY_WITHIN_S) -> None:
        """Wait until every process can work, after a start or a fault; raises StartFailed for the one that cannot."""
        await _together(*(self._children[name].ready(within_s) for name in SERVICES))
        for name in ("postgres", "valkey"):
            if name in self._children:
                await self._children[name].ready(within_s)
        if not self._proxy:
            return
        if "caddy" not in self._children:
            ports = {service: self._ports[service] for service in SERVICES}
            await self._spawn(caddy.caddy_child(self.home, self._host, self._ports["proxy"], ports))
        await self._children["caddy"].ready(PROXY_READY_WITHIN_S)


def _tell_mended() -> None:
    _log.warning("valkey refused every write after its disk had failed; it was told to write its file anew")


async def _together(*work: Coroutine[Any, Any, object]) -> None:
    """Run all at once; the first failure cancels the others and is raised when they have ended."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _last_ports(home: Home) -> dict[str, int]:
    """The ports of the last run: where they are free again, addresses people wrote down stay true."""
    try:
        ports = json.loads(home.platform_file.read_text("utf-8"))["ports"]
        return {str(name): int(number) for name, number in ports.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _was_archived(home: Home) -> bool:
    with suppress(OSError):
        return "\nPINGXUAN_BACKUP=" in home.environment_file.read_text("utf-8")
    return False
