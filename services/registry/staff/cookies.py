"""Cookies of staff and what may be done with them: session and token cookies, same-origin checks, safe `next` paths."""

from datetime import timedelta
from urllib.parse import urlsplit

from litestar.datastructures import Cookie

from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest
from services.shared.staff import TOKEN_COOKIE
from services.shared.tokens import LIFETIME

SESSION_COOKIE = "px_session"
_NEXT_MAX = 500


def session_cookie(value: str, lifetime: timedelta, public_origin: str) -> Cookie:
    return _cookie(SESSION_COOKIE, value, lifetime, public_origin)


def token_cookie(value: str, public_origin: str) -> Cookie:
    return _cookie(TOKEN_COOKIE, value, LIFETIME, public_origin)


def gone_cookies(public_origin: str) -> list[Cookie]:
    """Both cookies, taken away."""
    return [_cookie(name, "", timedelta(0), public_origin) for name in (SESSION_COOKIE, TOKEN_COOKIE)]


def _cookie(name: str, value: str, lifetime: timedelta, public_origin: str) -> Cookie:
    return Cookie(
        key=name, value=value, path="/", httponly=True, samesite="lax",
        max_age=int(lifetime.total_seconds()), secure=public_origin.startswith("https:"),
    )  # fmt: skip


def require_same_origin(request: AnyRequest, public_origin: str) -> None:
    """Raise Refusal `cross_site` where a browser says that another site sent this.

    What sends neither header is no browser of today (they send `Origin` with every POST); SameSite=Lax stands behind.
    """
    site = request.headers.get("sec-fetch-site", "")
    origin = request.headers.get("origin", "")
    ours = {public_origin.rstrip("/"), f"{request.url.scheme}://{request.headers.get('host', '')}"}
    own_host = urlsplit(origin).netloc == request.headers.get("host", "")
    if (site and site not in ("same-origin", "none")) or (origin and origin not in ours and not own_host):
        raise Refusal(RegistryReason.CROSS_SITE, "Open the page itself and repeat; this came from another site.")


def safe_next(path: str) -> str:
    """The path to go on to after signing in, or "" where it might lead elsewhere."""
    plain = path.isascii() and path.isprintable() and len(path) <= _NEXT_MAX and "\\" not in path
    if not plain or not path.startswith("/") or path.startswith("//"):
        return ""
    parts = urlsplit(path)
    return "" if parts.scheme or parts.netloc or parts.path.startswith("/sign-") else path


def home_of(roles: list[str]) -> str:
    """Where a role begins its day; a path without a page yet is not named here."""
    if "administrator" in roles or "auditor" in roles or "operator" in roles:
        return "/admin"
    if "helper" in roles:
        return "/stations"
    if "channel_officer" in roles or "reviewer" in roles:
        return "/office"
    if "expert" in roles:
        return "/expert"
    return "/apply" if "applicant" in roles else "/"
