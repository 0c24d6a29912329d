"""Server-rendered pages: Jinja2 templates, gettext catalogues, Chinese first.

Texts stand in templates as `_("中文")`; English is in `locales/en/LC_MESSAGES/messages.po` of the service and
of `shared`. The language is the `lang` cookie, set by `?lang=en`, else Chinese. `?large=1` sets large type (适老化).
"""

from __future__ import annotations

import gettext
import io
import time
from collections.abc import Callable
from datetime import datetime
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from litestar import Request, Response
from litestar.datastructures import Cookie
from litestar.enums import MediaType

from services.shared.errors import CommonReason, ReasonWord, Refusal
from services.shared.ranking.advice import advice_in
from services.shared.settings import SiteSettings, load
from services.shared.vocabulary import EVENTS
from services.shared.web import STATIC

SHARED = Path(__file__).parent
LANGUAGES = ("zh", "en")
_YEAR_S = 365 * 24 * 3600
AnyRequest = Request[Any, Any, Any]


@cache
def _catalogue(folders: tuple[Path, ...]) -> gettext.NullTranslations:
    """English texts of the given folders, compiled in memory; a missing text falls back to Chinese."""
    merged = gettext.NullTranslations()
    for folder in folders:
        source = folder / "locales" / "en" / "LC_MESSAGES" / "messages.po"
        if not source.is_file():
            continue
        binary = io.BytesIO()
        with source.open("rb") as file:
            write_mo(binary, read_po(file, locale="en"))
        binary.seek(0)
        translations = gettext.GNUTranslations(binary)
        translations.add_fallback(merged)
        merged = translations
    return merged


@lru_cache(maxsize=256)
def static_url(name: str) -> str:
    """URL of a static file under the digest of all of them, so that it, and what it imports, may be cached for ever."""
    return f"/static/v-{_static_digest(int(time.monotonic()))}/{name}"


@lru_cache(maxsize=2)
def _static_digest(second: int) -> str:
    """Looked at once a second: a file that is changed under a running service gets a new address."""
    return _digest_of(tuple((str(path), path.stat().st_mtime_ns) for path in sorted(STATIC.rglob("*.*"))))


@lru_cache(maxsize=2)
def _digest_of(files: tuple[tuple[str, int], ...]) -> str:
    """By name and content, the same on every machine that serves the same files."""
    whole = sha256()
    for name, _ in files:
        whole.update(f"{Path(name).relative_to(STATIC).as_posix()}\0".encode())
        whole.update(sha256(Path(name).read_bytes()).digest())
    return whole.hexdigest()[:12]


# What is over in seconds: the page of such a refusal looks again by itself.
_PASSING = ("unavailable", "staff_stale")


class Pages:
    """Renders the templates of one service; `folder` is the service's package folder."""

    def __init__(self, service: str, folder: Path, site: SiteSettings | None = None) -> None:
        self._service = service
        self._site = site or load(SiteSettings, service)
        self._english = _catalogue((SHARED, folder))
        self._chinese = gettext.NullTranslations()
        self._environment = Environment(
            loader=ChoiceLoader([FileSystemLoader(folder / "templates"), FileSystemLoader(SHARED / "templates")]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.do"],
        )
        self._environment.globals["static"] = static_url
        self._environment.globals["event_name"] = event_name
        self._environment.globals["site"] = self._site
        self._environment.filters["when"] = when
        self._environment.filters["advice"] = advice_in

    def translate(self, request: AnyRequest) -> Callable[[str], str]:
        return self.texts(language(request))

    def texts(self, lang: str) -> Callable[[str], str]:
        """Texts by the Chinese they stand for; they name 12345, which means the hotline of this site."""
        gettext_of = (self._english if lang == "en" else self._chinese).gettext
        if self._site.hotline == "12345":
            return gettext_of
        return lambda text: gettext_of(text).replace("12345", self._site.hotline)

    def render(self, request: AnyRequest, template: str, *, status: int = 200, **context: Any) -> Response[str]:
        """The page as a response; `context` is what the template names beside `_`, `lang`, `large`, `csrf_token`."""
        return self.answer(request, self.text(request, template, **context), status=status)

    @staticmethod
    def look(request: AnyRequest) -> tuple[str, str, bool]:
        """(path, language, large type): in these alone citizens' pages of one context differ."""
        return request.url.path, language(request), _large(request)

    def text(self, request: AnyRequest, template: str, **context: Any) -> str:
        """The page itself."""
        path, lang, large = self.look(request)
        return self._environment.get_template(template).render(
            _=self.translate(request),
            lang=lang,
            large=large,
            path=path,
            csrf_token=csrf_token(request, self._service),
            **context,
        )

    @staticmethod
    def answer(request: AnyRequest, text: str, *, status: int = 200) -> Response[str]:
        """A page as a response, which remembers what look was asked for."""
        lang, large = language(request), _large(request)
        secure = request.url.scheme == "https"
        cookies = [
            Cookie(key=key, value=value, path="/", max_age=_YEAR_S, samesite="lax", secure=secure)
            for key, value in (("lang", lang), ("large", "1" if large else "0"))
            if key in request.query_params
        ]
        return Response(
            text,
            status_code=status,
            media_type=MediaType.HTML,
            cookies=cookies,
            headers={"cache-control": "no-cache", "content-language": "en" if lang == "en" else "zh-Hans"},
        )

    def render_error(self, request: AnyRequest, refusal: Refusal) -> Response[str]:
        """The page of a refusal; one template explains every reason and says what to do next."""
        reason: ReasonWord = refusal.reason
        known = reason if reason.status < 500 or isinstance(refusal.reason, ReasonWord) else CommonReason.INTERNAL
        return self.render(
            request, "refusal.html", status=known.status, reason=known.value, status_code=known.status,
            detail=refusal.detail, headline=known.headline,
            retries=request.method == "GET" and known.value in _PASSING,
        )  # fmt: skip


def language(request: AnyRequest) -> str:
    asked = request.query_params.get("lang") or request.cookies.get("lang") or "zh"
    return asked if asked in LANGUAGES else "zh"


def _large(request: AnyRequest) -> bool:
    return (request.query_params.get("large") or request.cookies.get("large")) == "1"


def csrf_token(request: AnyRequest, service: str) -> str:
    """What a form sends back as `_csrf_token`: Litestar's cookie, or the one it sets with this answer."""
    from litestar.utils.scope.state import ScopeState

    known = ScopeState.from_scope(request.scope).csrf_token
    return known if isinstance(known, str) else request.cookies.get(f"csrf_{service}", "")


def event_name(event: str) -> str:
    """A public event's Chinese name, which the page translates; a word that is not known here stands as it is."""
    return EVENTS.get(event, event)


def when(moment: datetime | None, timezone: str = "Asia/Shanghai", form: str = "%Y-%m-%d %H:%M") -> str:
    """A moment in the round's own time zone."""
    return "" if moment is None else moment.astimezone(ZoneInfo(timezone)).strftime(form)
