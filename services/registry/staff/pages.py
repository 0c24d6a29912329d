"""Pages of signing in and out. The form works without script; a token that ran out is renewed on the way to a page."""

from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.enums import MediaType
from litestar.params import URLEncodedBody

from services.registry.parts import parts
from services.registry.reasons import RegistryReason
from services.registry.staff import cookies
from services.registry.staff.devices import device_of
from services.registry.staff.sessions import StaffToken
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest


class SignInForm(msgspec.Struct, frozen=True):
    username: str = ""
    password: str = ""
    totp: str = ""
    next: str = ""


@get("/sign-in", sync_to_thread=False)
def sign_in_page(request: AnyRequest) -> Response[str]:
    """The form; `?next=` is where to go on."""
    return _form(request, cookies.safe_next(request.query_params.get("next", "")))


def _form(request: AnyRequest, following: str, *, refusal: Refusal | None = None, username: str = "") -> Response[str]:
    return parts(request).pages.render(
        request, "sign_in.html", status=refusal.reason.status if refusal else 200,
        next=following, username=username, reason=refusal.reason.value if refusal else "",
        retry_after_s=refusal.retry_after_s if refusal else None,
    )  # fmt: skip


@get("/sign-in/invitation", sync_to_thread=False)
def invitation_page(request: AnyRequest) -> Response[str]:
    """Where an invitation's link leads; the token behind its # never comes here."""
    return parts(request).pages.render(request, "invitation.html")


@post("/sign-in")
async def sign_in_with_form(request: AnyRequest, data: URLEncodedBody[SignInForm]) -> Response[Any]:
    """Check the form and go on to the page that was wanted, or to the role's own."""
    own = parts(request)
    following = cookies.safe_next(data.next)
    try:
        opened = await own.sessions.sign_in(
            data.username, data.password, own.address(request),
            totp=data.totp, device=device_of(request.headers.get("user-agent", "")),
        )  # fmt: skip
    except Refusal as refusal:
        if refusal.reason is RegistryReason.TOTP_MISSING and not refusal.extra.get("enrolled"):
            return await _enrol(request, data, following)
        return _form(request, following, refusal=refusal, username=data.username[:200])
    session = cookies.session_cookie(opened.session, own.sessions.lifetime, own.settings.public_origin)
    path = following or cookies.home_of(opened.account.roles)
    if opened.token.recovery_codes:
        return _show_codes(request, path, opened.token, session)
    return _go_on(request, path, opened.token, session)


async def _enrol(request: AnyRequest, data: SignInForm, following: str) -> Response[Any]:
    """For who must have a second factor and has none: its secret, and the form once more, for a first code."""
    own = parts(request)
    try:
        account = await own.sessions.authenticate(data.username, data.password, own.address(request))
        enrolment = await own.sessions.second_factor.start(account)
    except Refusal as refusal:
        return _form(request, following, refusal=refusal, username=data.username[:200])
    page = own.pages.render(
        request, "totp_enrolment.html", status=RegistryReason.TOTP_MISSING.status, next=following,
        username=account.username, enrolment=enrolment,
    )  # fmt: skip
    page.headers["cache-control"] = "no-store"
    return page


def _show_codes(request: AnyRequest, path: str, token: StaffToken, session: Cookie) -> Response[Any]:
    """The recovery codes of a factor that this sign-in confirmed: shown once, before going on."""
    page = parts(request).pages.render(request, "recovery_codes.html", codes=token.recovery_codes, next=path)
    page.headers["cache-control"] = "no-store"
    page.cookies += [cookies.token_cookie(token.token, parts(request).settings.public_origin), session]
    return page


@get("/sign-in/renew")
async def renew_and_go_on(request: AnyRequest) -> Response[bytes]:
    """Renew the token by the session and go back to the page; without a session, to the form."""
    own = parts(request)
    following = cookies.safe_next(request.query_params.get("next", ""))
    renewed = await own.sessions.renew(request.cookies.get(cookies.SESSION_COOKIE, ""))
    if renewed is None:
        return _redirect(sign_in_path(following), [])
    account, token = renewed
    return _go_on(request, following or cookies.home_of(account.roles), token)


# Proxies that hand /sign-in/* to the registry need no second rule for the form of the pages.
@post(["/sign-out", "/sign-in/out"])
async def sign_out_with_form(request: AnyRequest) -> Response[bytes]:
    """End the session and show the form again.

    Pages of every service send this form, whose token is their service's own: what stands against another site's form
    is its origin, and the session's SameSite.
    """
    own = parts(request)
    cookies.require_same_origin(request, own.settings.public_origin)
    await own.sessions.end(request.cookies.get(cookies.SESSION_COOKIE, ""))
    return _redirect("/sign-in", cookies.gone_cookies(own.settings.public_origin))


def sign_in_path(following: str) -> str:
    return f"/sign-in?next={quote(following, safe='/')}" if following else "/sign-in"


def _go_on(request: AnyRequest, path: str, token: StaffToken, *more: Cookie) -> Response[bytes]:
    return _redirect(path, [cookies.token_cookie(token.token, parts(request).settings.public_origin), *more])


def _redirect(path: str, set_cookies: list[Cookie]) -> Response[bytes]:
    headers = {"location": path, "cache-control": "no-store"}
    return Response(b"", status_code=303, media_type=MediaType.TEXT, headers=headers, cookies=set_cookies)


ROUTES = [sign_in_page, invitation_page, sign_in_with_form, renew_and_go_on, sign_out_with_form]
