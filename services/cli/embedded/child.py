"""One supervised process: started, watched, started again when it dies, stopped when asked.

Invariant: it never outlives the supervisor (see launch.py), and what it leaves in its process group is ended with it.
Each runs in a session of its own, so that Ctrl-C in a terminal reaches the supervisor alone.
"""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from services.cli.embedded.home import PlatformError, StartFailed, last_log_line, open_log
from services.cli.embedded.processes import ProcessRecord, end, record_of
from services.shared.processes import RestartPause

LAUNCHER = Path(__file__).with_name("launch.py")
_LOOKED_AT_EVERY_S = 1.0
# PostgreSQL gives its own processes 5 s to end after a crash; a server that is stuck for longer stays so.
_STUCK_MAX_S = 6.0

_log = logging.getLogger("pingxuan.supervisor")


async def _nothing() -> None:
    return


@dataclass(frozen=True)
class ChildSpec:
    """What to run and how to end it. `prepare` runs before every start, `is_ready` says whether it can work.

    `is_stuck` says of its process id whether it lives and will never work again; it is asked every second.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    is_ready: Callable[[], Awaitable[bool]]
    folder: Path | None = None
    identity: str = "direct"
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within_s: float = 5.0
    last_resort: signal.Signals = signal.SIGKILL
    prepare: Callable[[], Awaitable[None]] = _nothing
    is_stuck: Callable[[int], bool] | None = None


class Child:
    """Runs one ChildSpec. `changed` is called after every start and end, for the file of process ids."""

    def __init__(self, spec: ChildSpec, changed: Callable[[], None]) -> None:
        self.spec = spec
        self.restarts = 0
        self.exit_code: int | None = None
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._record: ProcessRecord | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._looker: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._spawning = asyncio.Lock()
        self._was_ready = False

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        return self._record.pid if self._record else None

    @property
    def record(self) -> ProcessRecord | None:
        return self._record

    async def start(self) -> None:
        self._stopping.clear()
        self.exit_code = None
        await self._spawn()
        self._watcher = asyncio.create_task(self._watch(), name=f"watch {self.spec.name}")
        if self.spec.is_stuck is not None:
            self._looker = asyncio.create_task(self._look(self.spec.is_stuck), name=f"look at {self.spec.name}")

    async def _spawn(self) -> None:
        async with self._spawning:
            if self._stopping.is_set():
                return
            await self.spec.prepare()
            log = open_log(self.spec.log)
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *_launched(self.spec),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=dict(self.spec.environment),
                    cwd=self.spec.folder,
                    start_new_session=True,
                )
            finally:
                os.close(log)
            pid = self._process.pid
            self._record = record_of(pid) or ProcessRecord(pid, 0)
            self._changed()

    async def _watch(self) -> None:
        """Restart with a growing pause; a child that never got ready is left alone, its starter reports it."""
        pause = RestartPause()
        while not self._stopping.is_set():
            started = time.monotonic()
            await self._ended()
            if self._stopping.is_set() or not self._was_ready:
                return
            pause_s = pause.after(time.monotonic() - started)
            _log.warning("%s ended (%s); started again in %.1f s", self.spec.name, exit_text(self.exit_code), pause_s)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)
            if self._stopping.is_set():
                return
            self.restarts += 1
            await self._spawn_or_report()

    async def _look(self, is_stuck: Callable[[int], bool]) -> None:
        """End a process that is stuck, so that it is started again."""
        stuck: ProcessRecord | None = None
        since = 0.0
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _LOOKED_AT_EVERY_S)
            record = self._record
            if record is None or not self._was_ready or not is_stuck(record.pid):
                stuck = None
            elif stuck != record:
                stuck, since = record, time.monotonic()
            elif time.monotonic() - since > _STUCK_MAX_S and not self._stopping.is_set():
                _log.warning("%s is stuck and ended", self.spec.name)
                with suppress(PlatformError):
                    await end([record], self.spec.last_resort, 2.0)

    async def _spawn_or_report(self) -> None:
        try:
            await self._spawn()
        except Exception:
            # The next turn tries again: a full disk or a slow orphan must not end the supervision.
            _log.exception("%s could not be started", self.spec.name)

    async def _ended(self) -> None:
        process = self._process
        if process is None:
            return
        self.exit_code = await process.wait()
        with suppress(ProcessLookupError, PermissionError):
            # Workers of a service that was killed would hold its port against its successor.
            os.killpg(process.pid, signal.SIGKILL)
        if self._process is process:
            self._process, self._record = None, None
            self._changed()

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the process itself, as a fault would; raises ProcessLookupError where none runs."""
        if self._record is None:
            raise ProcessLookupError(f"{self.spec.name} does not run")
        os.kill(self._record.pid, number)

    async def ready(self, within_s: float) -> None:
        """Wait until it can work; raises StartFailed with its own last words if it ends or takes too long."""
        deadline = time.monotonic() + within_s
        while not (self._record and await self._is_ready()):
            if self._watcher is None or self._watcher.done():
                raise StartFailed(self._story(f"ended during its start ({exit_text(self.exit_code)})"))
            if time.monotonic() > deadline:
                raise StartFailed(self._story(f"was not ready after {within_s:.0f} s"))
            await asyncio.sleep(0.03)
        if not self._was_ready:
            _log.info("%s is ready", self.spec.name)
        self._was_ready = True

    async def _is_ready(self) -> bool:
        try:
            return await asyncio.wait_for(self.spec.is_ready(), 5.0)
        except (OSError, TimeoutError, EOFError):
            return False

    def _story(self, what: str) -> str:
        words = last_log_line(self.spec.log)
        said = f"; its last words: {words.rstrip('.')}" if words else ""
        return f"{self.spec.name} {what}: see {self.spec.log}{said}"

    async def stop(self) -> None:
        """Ask it to end, insist when its time is over; returns when it is gone."""
        self._stopping.set()
        async with self._spawning:
            process = self._process
        if process is not None:
            for number, patience_s in (
                (self.spec.stop_signal, self.spec.stop_within_s),
                (self.spec.last_resort, 2.0),
                (signal.SIGKILL, 5.0),
            ):
                with suppress(ProcessLookupError):
                    process.send_signal(number)
                with suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(process.wait()), patience_s)
                    break
        for task in (self._watcher, self._looker):
            if task is not None:
                await task
        await self._ended()


def _launched(spec: ChildSpec) -> list[str]:
    options = ["--identity", spec.identity, "--parent", str(os.getpid())]
    options += ["--death-signal", str(int(spec.stop_signal))]
    return [sys.executable, "-I", "-S", str(LAUNCHER), *options, "--", *spec.command]


def exit_text(code: int | None) -> str:
    """`exit 1`, or `signal 9` for a process that was killed."""
    if code is None:
        return "not started"
    return f"signal {-code}" if code < 0 else f"exit {code}"
