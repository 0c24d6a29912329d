"""Run a service: one process, or a parent with N workers on one listening socket.

`python -m services.<name>` calls `run`. The parent only holds the socket, restarts workers that die, and adds up
their metrics; each worker is a whole service.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import uvicorn

from services.shared import logs
from services.shared.errors import PingxuanError
from services.shared.live import end_streams
from services.shared.metrics import fetch, merge, own_exposition, serve_metrics
from services.shared.postgres import prepare_schema
from services.shared.processes import RestartPause, die_with_parent
from services.shared.redis_client import check_redis_url
from services.shared.settings import ServiceSettings, load

log = logging.getLogger(__name__)

AppFactory = Callable[[], Any]
SettingsType = TypeVar("SettingsType", bound=ServiceSettings)
_WORKER = "PINGXUAN_WORKER"
_BACKLOG = 4096


def _listen(settings: ServiceSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((settings.host, settings.port))
    listener.listen(_BACKLOG)
    listener.set_inheritable(True)
    return listener


class _Server(uvicorn.Server):
    """Ends on a signal with exit code 0; uvicorn itself would raise the signal again after its shutdown."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Connections are waited for before the application hears of the end: streams would hold it up.
        end_streams()
        await super().shutdown(sockets)


def _server(app: Any) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        loop="uvloop",
        # A service may lead its hottest requests past ASGI, through a protocol of its own on the same parser.
        http=getattr(app, "protocol", "httptools"),
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
        backlog=_BACKLOG,
    )
    return _Server(config)


async def _work(factory: AppFactory, listener: socket.socket, settings: ServiceSettings, metrics: Path | None) -> int:
    server = _server(factory())
    page = await serve_metrics(own_exposition, host=settings.host, port=settings.metrics_port, path=metrics)
    # What was built at start lives for ever: freezing it keeps full collections short on the ballot path.
    gc.collect()
    gc.freeze()
    # A ballot in flight is a few dozen objects that live for milliseconds: looking at them all the time finds nothing.
    gc.set_threshold(20_000, 20, 50)
    try:
        await server.serve(sockets=[listener])
    finally:
        page.close()
    return 0 if server.started else 3


class _Parent:
    """Keeps N workers alive and answers /metrics for all of them."""

    def __init__(self, service: str, settings: ServiceSettings, listener: socket.socket) -> None:
        self._service, self._settings, self._listener = service, settings, listener
        self._stopping = asyncio.Event()
        self._folder = Path(tempfile.mkdtemp(prefix=f"pingxuan-{service}-"))

    def _path(self, index: int) -> Path:
        return self._folder / f"{index}.sock"

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        page = await serve_metrics(self._metrics, host=self._settings.host, port=self._settings.metrics_port)
        try:
            await asyncio.gather(*(self._keep(index) for index in range(self._settings.workers)))
        finally:
            page.close()
            for path in self._folder.iterdir():
                path.unlink()
            self._folder.rmdir()
        return 0

    async def _metrics(self) -> bytes:
        return merge(await asyncio.gather(*(fetch(self._path(index)) for index in range(self._settings.workers))))

    async def _keep(self, index: int) -> None:
        pause = RestartPause()
        while not self._stopping.is_set():
            started = time.monotonic()
            environment = {**os.environ, _WORKER: f"{self._listener.fileno()}:{self._path(index)}"}
            worker = await asyncio.create_subprocess_exec(
                sys.executable, "-m", f"services.{self._service}", env=environment, pass_fds=[self._listener.fileno()]
            )
            ended = asyncio.create_task(worker.wait())
            stop = asyncio.create_task(self._stopping.wait())
            await asyncio.wait({ended, stop}, return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            if not ended.done():
                worker.terminate()
                await ended
                return
            log.error("worker ended", extra={"worker": index, "code": worker.returncode})
            await asyncio.sleep(pause.after(time.monotonic() - started))


def start(service: str, kind: type[SettingsType], migrations: Path, factory: Callable[[SettingsType], Any]) -> int:
    """What `python -m services.<service>` does: settings, schema, then serve; an error is one sentence and exit 2."""
    try:
        settings = load(kind, service)
        check_redis_url(settings.redis_url)
        asyncio.run(prepare_schema(service, settings.owner_database_url, settings.database_url, migrations))
        return run(service, settings, lambda: factory(settings))
    except PingxuanError as error:
        print(f"{service}: {error}", file=sys.stderr)  # noqa: T201 - the one sentence a person needs
        return 2


def run(service: str, settings: ServiceSettings, factory: AppFactory) -> int:
    """Serve until a signal; returns the exit code. Refuses a taken port with one sentence."""
    logs.configure(service, settings.log_level)
    assigned = os.environ.pop(_WORKER, "")
    try:
        if assigned:
            die_with_parent()
            descriptor, _, path = assigned.partition(":")
            listener = socket.socket(fileno=int(descriptor))
            return _run(_work(factory, listener, settings, Path(path)))
        listener = _listen(settings)
        if settings.workers > 1:
            return _run(_Parent(service, settings, listener).run())
        return _run(_work(factory, listener, settings, None))
    except PingxuanError as error:
        print(f"{service}: {error}", file=sys.stderr)  # noqa: T201 - the one sentence a person needs
        return 2
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        print(f"{service}: cannot listen on {where} ({error.strerror}); choose another port", file=sys.stderr)  # noqa: T201
        return 2


def _run(main: Any) -> int:
    with asyncio.Runner(loop_factory=_loop) as runner:
        return int(runner.run(main))


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
