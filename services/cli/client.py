"""How commands talk to the running platform: found through PINGXUAN_HOME, signed in with the home's own signing key.

Whoever may read the signing key is the operator and may act for any account; the services still check the account
itself. Every failure is one sentence that says what to do.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import click

if TYPE_CHECKING:  # imported late, so that `--help` does not wait for an HTTP client
    import httpx

PLATFORM_ACCOUNT = "platform"
_STAFF = "/api/registry/v1/staff"
TIMEOUT_S = 30.0
POLL_S = 0.25
# How long a service that was killed may need until its supervisor has it back.
RESTART_WITHIN_S = 4.0
_ANY_HOST = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - where a service listens, not where we do

Found = TypeVar("Found")


class CommandFailed(click.ClickException):
    """Wrong use or input, or a refusal of the platform; exit 2."""

    exit_code = 2


class CheckFailed(click.ClickException):
    """The command was right and what it waited for did not come; exit 1."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the platform; `body` is the JSON document, {} where there is none."""

    status: int
    body: dict[str, Any]

    @property
    def reason(self) -> str:
        """The word of a refusal."""
        return str(self.body.get("reason", ""))

    @property
    def told(self) -> str:
        """The refusal as one sentence."""
        detail = str(self.body.get("detail") or self.body.get("title") or "no reason was given").rstrip(".")
        wait_s = self.body.get("retry_after_s")
        again = f"; repeat in {wait_s} s" if wait_s else ""
        return f"{detail}{again} ({self.reason or self.status})"


@dataclass
class Client:
    """Calls of the platform's HTTP interfaces; `actor` is the username of the account that acts."""

    environment: Mapping[str, str]
    explicit_origin: str = ""
    _http: "httpx.Client | None" = field(default=None, repr=False)

    @classmethod
    def find(cls) -> "Client":
        """The platform of this home; raises CommandFailed where none has been started."""
        from services.shared.settings import environment

        known = environment()
        if not known.get("PUBLIC_ORIGIN"):
            home = os.environ.get("PINGXUAN_HOME", "./.pingxuan")
            raise CommandFailed(f"no platform is known under {home}: start it with `pingxuan up`, or set PINGXUAN_HOME")
        return cls(known, os.environ.get("PUBLIC_ORIGIN", ""))

    def close(self) -> None:
        """Give the connections back."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def url(self, path: str) -> str:
        """The service's own address where this machine runs it, else the public origin."""
        service = path.split("/")[2].upper() if path.startswith("/api/") else ""
        port = self.environment.get(f"{service}_PORT")
        if port and not self.explicit_origin:
            host = self.environment.get(f"{service}_HOST", "127.0.0.1")
            return f"http://{_ANY_HOST.get(host, host)}:{port}{path}"
        return self.environment["PUBLIC_ORIGIN"].rstrip("/") + path

    def get(self, path: str, *, actor: str = "") -> Answer:
        return self._call("GET", path, None, actor)

    def post(self, path: str, body: Mapping[str, Any] | None = None, *, actor: str = PLATFORM_ACCOUNT) -> Answer:
        return self._call("POST", path, {} if body is None else body, actor)

    def download(self, path: str, *, actor: str = "") -> "httpx.Response":
        """A file; the whole response, so that the caller can look at its status."""
        return self._send("GET", path, None, actor)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None, actor: str) -> Answer:
        response = self._send(method, path, body, actor)
        try:
            document = response.json() if response.content else {}
        except ValueError:
            document = {}
        return Answer(response.status_code, document if isinstance(document, dict) else {"items": document})

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None, actor: str) -> "httpx.Response":
        import httpx

        if self._http is None:
            # The environment's proxies are for the outer world, and the platform is here.
            self._http = httpx.Client(timeout=TIMEOUT_S, trust_env=False, follow_redirects=False)
        headers = {"authorization": f"Bearer {self.token(actor)}"} if actor else {}
        try:
            return self._http.request(method, self.url(path), json=body, headers=headers)
        except httpx.HTTPError as error:
            origin = self.environment["PUBLIC_ORIGIN"]
            why = type(error).__name__
            raise CommandFailed(
                f"the platform at {origin} does not answer ({why}): is `pingxuan up` running?"
            ) from None

    def token(self, actor: str) -> str:
        """A five-minute token of an account, signed with the home's key; raises CommandFailed where that is missing."""
        from datetime import UTC, datetime

        from services.shared.tokens import StaffSigner

        path = self.environment.get("STAFF_SIGNING_KEY_FILE", "")
        try:
            pem = Path(path).read_bytes()
        except OSError:
            raise CommandFailed(
                "the signing key of this home cannot be read: run the command as the user who runs `pingxuan up`"
            ) from None
        return StaffSigner(pem).sign(actor, actor, [], datetime.now(UTC))[0]


def expect(answer: Answer, *statuses: int) -> dict[str, Any]:
    """The body of an answer with one of these statuses; raises CommandFailed with the refusal's own words."""
    if answer.status in statuses:
        return answer.body
    raise CommandFailed(answer.told)


def require_administrators(client: Client, *names: str) -> None:
    """Refuse early and clearly what the services would refuse as a bad token, or as one person twice."""
    wanted = [name.lower() for name in names]
    if len(set(wanted)) < len(wanted):
        raise CommandFailed("the two names must be two different people")
    accounts = expect(client.get(_STAFF, actor=PLATFORM_ACCOUNT), 200)["staff"]
    active = {account["username"]: account["roles"] for account in accounts if not account["disabled"]}
    for name in wanted:
        if name not in active:
            raise CommandFailed(f"{name} is no active account: see `pingxuan staff list`")
        if "administrator" not in active[name]:
            raise CommandFailed(f"{name} is no administrator: name two accounts with that role")


def part(text: str) -> str:
    """A name as one segment of a path."""
    return quote(text, safe="")


def wait_for(look: Callable[[], Found | None], what: str, timeout_s: float) -> Found:
    """Poll until `look` finds something; raises CheckFailed saying what did not happen.

    On a terminal a line says what is waited for; a pipe stays quiet.
    """
    deadline = time.monotonic() + timeout_s
    told = False
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise CheckFailed(f"{what} did not happen within {timeout_s:.0f} s; see `pingxuan rounds status`")
        if not told:
            progress(f"waiting: {what} …")
            told = True
        time.sleep(POLL_S)


def progress(text: str) -> None:
    """A line for a person who waits; nothing in a pipe."""
    if sys.stderr.isatty():
        click.echo(text, err=True)
