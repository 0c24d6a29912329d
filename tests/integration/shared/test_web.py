"""The edge: every error a problem document or a page, request ids, security headers, forms only from our own pages."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import httpx
import msgspec
import pytest
from litestar import Litestar, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from services.shared.errors import CommonReason, Refusal, SignInFirst
from services.shared.logs import JsonFormatter
from services.shared.settings import ServiceSettings
from services.shared.web import Edge, create_app

LIMIT, PHONE = 4096, "13900000000"
SETTINGS = ServiceSettings(
    port=1, metrics_port=1, database_url="", redis_url="", web_secret_file="", staff_public_key_file="",
    body_max_bytes=LIMIT,
)  # fmt: skip


class Form(msgspec.Struct):
    number: int


@get("/api/tests/v1/things/{thing:int}")
async def show(thing: FromPath[int], times: Annotated[int, QueryParameter(ge=1)] = 1) -> dict[str, int]:
    return {"thing": thing, "times": times}


@post("/api/tests/v1/things")
async def add(data: JSONBody[Form]) -> dict[str, int]:
    return {"number": data.number}


@get("/api/tests/v1/fails/{how:str}")
async def fail(how: FromPath[str]) -> None:
    if how == "refused":
        raise Refusal(CommonReason.STAFF_STALE, "Come back.", retry_after_s=7, more="told")
    if how == "away":
        raise asyncpg.AdminShutdownError(f"terminating connection of {PHONE}")
    raise ValueError(f"the person {PHONE} broke it")


@get("/desk")
async def desk() -> None:
    raise SignInFirst


@post("/desk")
async def act_at_desk() -> None:
    raise SignInFirst("/desk?list=2")


@get("/form")
async def form() -> str:
    return "a page"


@post("/form")
async def send_form() -> str:
    return "done"


@asynccontextmanager
async def nothing(app: Litestar) -> AsyncIterator[None]:
    yield


def error_page(request: Any, refusal: Refusal) -> Any:
    from litestar import Response

    return Response(f"<p>{refusal.reason.value}</p>", media_type="text/html", status_code=refusal.reason.status)


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(
        "tests", SETTINGS, b"s" * 32, [show, add, fail, desk, act_at_desk, form, send_form], nothing, "Tests"
    )
    app.state.error_page = error_page
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=Edge(app), raise_app_exceptions=False),  # type: ignore[arg-type]
        base_url="http://test",
    ) as client:
        yield client


def check_problem(answer: httpx.Response, status: int, reason: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert (document["status"], document["reason"]) == (status, reason)
    assert document["type"].startswith("urn:pingxuan:problem:")
    assert document["title"]
    assert document["request_id"] == answer.headers["x-request-id"]
    return document


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/api/tests/v1/nothing", 404, "not_found"),
        ("/nothing", 404, "not_found"),
        ("/static/none.css", 404, "not_found"),
        ("/api/tests/v1/things/notanumber", 404, "not_found"),
        ("/api/tests/v1/things/1?times=0", 400, "bad_request"),
        ("/api/tests/v1/things/1?times=x", 400, "bad_request"),
    ],
)
async def test_what_cannot_be_found_or_read_is_a_problem(
    http: httpx.AsyncClient, path: str, status: int, reason: str
) -> None:
    check_problem(await http.get(path), status, reason)


async def test_a_page_of_staff_leads_to_renewing_the_sign_in_and_back_with_its_query(http: httpx.AsyncClient) -> None:
    away = await http.get("/desk?list=2&page=3")
    assert (away.status_code, away.headers["location"]) == (303, "/sign-in/renew?next=/desk%3Flist%3D2%26page%3D3")
    assert away.headers["cache-control"] == "no-store"
    await http.get("/form")
    sent = await http.post("/desk", data={"_csrf_token": http.cookies["csrf_tests"]})
    assert sent.headers["location"] == "/sign-in/renew?next=/desk%3Flist%3D2"


@pytest.mark.parametrize("path", ["/api/tests/v1/things/1", "/form"])
async def test_only_the_head_may_be_asked_for(http: httpx.AsyncClient, path: str) -> None:
    whole, head = await http.get(path), await http.head(path)
    assert (head.status_code, head.headers["content-length"]) == (200, whole.headers["content-length"])


async def test_another_method_is_405(http: httpx.AsyncClient) -> None:
    check_problem(await http.put("/api/tests/v1/things/1"), 405, "method_not_allowed")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"number": "x"}', b'{"other": 1}', b"\xff\xfe", b"{}"])
async def test_a_body_that_does_not_fit_is_a_400(http: httpx.AsyncClient, body: bytes) -> None:
    answer = await http.post("/api/tests/v1/things", content=body, headers={"content-type": "application/json"})
    check_problem(answer, 400, "bad_request")


async def test_a_body_over_the_limit_is_refused(http: httpx.AsyncClient) -> None:
    fits = b'{"number": 1' + b" " * (LIMIT - 13) + b"}"
    assert (await http.post("/api/tests/v1/things", content=fits)).status_code == 201
    check_problem(await http.post("/api/tests/v1/things", content=fits + b" "), 413, "body_too_large")


async def test_a_refusal_says_when_to_come_back(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/tests/v1/fails/refused")
    document = check_problem(answer, 503, "staff_stale")
    assert (document["retry_after_s"], answer.headers["retry-after"]) == (7, "7")
    assert (document["detail"], document["more"]) == ("Come back.", "told")
    assert answer.headers["cache-control"] == "no-store"


async def test_a_database_that_is_away_is_503_and_worth_repeating(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/tests/v1/fails/away")
    check_problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "2"
    assert PHONE not in answer.text


async def test_a_bug_of_ours_tells_nothing_but_the_request_id(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/tests/v1/fails/bug")
    check_problem(answer, 500, "internal")
    assert PHONE not in answer.text
    assert "ValueError" not in answer.text


async def test_the_log_of_a_missing_database_quotes_no_row(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does that of a bug: the type and the frames, as the services' own formatter writes them."""
    with caplog.at_level(logging.DEBUG):
        await http.get("/api/tests/v1/fails/away")
        await http.get("/api/tests/v1/fails/bug")
    written = "".join(JsonFormatter("tests").format(record) for record in caplog.records)
    assert "database away" in written
    assert "ValueError" in written
    assert "in fail" in written
    assert PHONE not in written


async def test_people_get_a_page_and_programs_a_problem(http: httpx.AsyncClient) -> None:
    browser = {"accept": "text/html,application/xhtml+xml"}
    page = await http.get("/nothing", headers=browser)
    assert (page.status_code, page.text) == (404, "<p>not_found</p>")
    check_problem(await http.get("/api/tests/v1/nothing", headers=browser), 404, "not_found")


async def test_a_well_formed_request_id_is_kept_and_any_other_replaced(http: httpx.AsyncClient) -> None:
    kept = await http.get("/form", headers={"x-request-id": "abcdefgh-1234"})
    assert kept.headers["x-request-id"] == "abcdefgh-1234"
    for bad in ("short", "x" * 65, "has space 1234", "line%0abreak", "<script>alert</script>"):
        assert (await http.get("/form", headers={"x-request-id": bad})).headers["x-request-id"] != bad


@pytest.mark.parametrize("path", ["/form", "/nothing", "/api/tests/v1/fails/bug"])
async def test_every_answer_has_the_security_headers(http: httpx.AsyncClient, path: str) -> None:
    headers = (await http.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


async def test_a_form_of_another_site_is_refused_and_our_own_goes_through(http: httpx.AsyncClient) -> None:
    refused = await http.post("/form")
    check_problem(refused, 403, "forbidden")
    token = (await http.get("/form")).cookies["csrf_tests"]
    assert (await http.post("/form", headers={"x-csrftoken": token})).status_code == 201
    http.cookies.clear()
    assert (await http.post("/form", headers={"x-csrftoken": token})).status_code == 403


async def test_calls_under_api_need_no_form_token(http: httpx.AsyncClient) -> None:
    """They carry their token in a header that no other site can set."""
    assert (await http.post("/api/tests/v1/things", json={"number": 1})).status_code == 201


async def test_the_label_of_a_route_is_its_template(http: httpx.AsyncClient) -> None:
    """A path in a metric would tell who looked at what, and grow without end."""
    from services.shared.metrics import own_exposition

    await http.get("/api/tests/v1/things/271828182845")
    await http.get("/wp-login.php")
    text = (await own_exposition()).decode()
    assert 'route="/api/tests/v1/things/{thing}"' in text
    assert "271828182845" not in text
    assert "wp-login" not in text
