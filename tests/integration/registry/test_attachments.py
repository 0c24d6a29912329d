"""Files over HTTP: taken by content, never shown in place, downloaded by those who may see their object."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from services.registry.applications.filing import FILES_MAX
from services.registry.attachments import Files
from services.registry.attachments.scanning import Scanner
from services.registry.attachments.vault import FolderVault
from tests.integration.registry.application_steps import (
    announce,
    applicant_with_draft,
    attach,
    begin,
    logged,
    submitted,
)
from tests.integration.registry.conftest import PREFIX, Registry
from tests.support import sample_files
from tests.support.registry_people import add_applicant, add_officer, add_unit


async def test_a_file_comes_back_as_it_was_and_is_only_ever_downloaded(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    identifier = draft["application"]
    content = sample_files.pdf("年检")
    made = await attach(registry, applicant, identifier, content=content, name='证"明\u202e.pdf')
    assert made.status_code == 201, made.text
    facts = made.json()
    assert (facts["file_name"], facts["media_type"], facts["bytes"]) == ('证"明.pdf', "application/pdf", len(content))
    assert facts["sha256"] == hashlib.sha256(content).hexdigest()
    answer = await registry.call("GET", f"/attachments/{facts['attachment']}", applicant)
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["content-disposition"].startswith('attachment; filename=".pdf"')
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers.get_list("content-security-policy") == ["sandbox; default-src 'none'"]
    assert (await registry.call("GET", f"/applications/{identifier}", applicant)).json()["files"] != []
    assert (await logged(registry, identifier))[-1] == "attachment.read"
    assert "application.file_attached" in await logged(registry, identifier)


async def test_a_file_is_hidden_from_those_who_may_not_see_its_application(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    made = (await attach(registry, applicant, draft["application"])).json()
    foreign = await add_applicant(registry, await add_unit(registry, 2, "panlong"))
    officer = await add_officer(registry)
    await registry.add_staff("expert", "expert")
    await registry.add_staff("audit", "auditor")
    path = f"/attachments/{made['attachment']}"
    people = (applicant, "audit", foreign, officer, "expert", "")
    assert [(await registry.call("GET", path, each)).status_code for each in people] == [200, 200, 404, 404, 404, 401]
    unknown = await registry.call("GET", "/attachments/nothing", foreign)
    assert unknown.json()["reason"] == "unknown_attachment"


async def test_nobody_attaches_to_what_they_may_not_change(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    foreign = await add_applicant(registry, await add_unit(registry, 2))
    people = (foreign, "platform", "")
    answers = [await attach(registry, each, draft["application"]) for each in people]
    assert [each.status_code for each in answers] == [404, 403, 401]
    await submitted(registry, applicant, draft["application"])
    late = await attach(registry, applicant, draft["application"])
    assert (late.status_code, late.json()["reason"]) == (409, "wrong_stage")
    assert await registry.parts.pool.fetchval("SELECT count(*) FROM attachments") == 0


async def test_a_wrong_type_under_a_right_name_is_refused_with_what_it_is(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    for content, what in (
        (sample_files.PROGRAM, "a Windows program"),
        (sample_files.bomb(), "unfolds"),
        (sample_files.office(word__vbaProject_dot_bin=b"x"), "macros"),
    ):
        refused = await attach(registry, applicant, draft["application"], content=content, name="证明.pdf")
        assert (refused.status_code, refused.json()["reason"]) == (422, "wrong_file_type")
        assert what in refused.json()["found"]
    picture = await attach(registry, applicant, draft["application"], "picture", name="图.png")
    assert (picture.status_code, picture.json()["reason"]) == (422, "wrong_file_type")
    assert await registry.parts.pool.fetchval("SELECT count(*) FROM attachments") == 0


async def test_a_file_above_the_limit_is_cut_off_while_it_streams(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    limit = registry.parts.settings.attachment_max_bytes
    fits = sample_files.PDF + b"\n" * 100
    padded = sample_files.PDF[:-40] + b"\n" * (limit - len(sample_files.PDF)) + sample_files.PDF[-40:]
    assert len(padded) == limit
    taken = await attach(registry, applicant, draft["application"], content=padded)
    assert taken.status_code == 201, taken.text
    refused = await attach(registry, applicant, draft["application"], content=padded + b"\n")
    assert (refused.status_code, refused.json()["reason"]) == (413, "body_too_large")
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
        while True:
            sent += 1 << 20
            yield bytes(1 << 20)

    headers = {**registry.headers(applicant), "content-type": "multipart/form-data; boundary=x"}
    path = f"{PREFIX}/applications/{draft['application']}/attachments"
    cut = await registry.http.post(path, content=endless(), headers=headers)
    assert (cut.status_code, cut.json()["reason"]) == (413, "body_too_large")
    assert sent <= limit + (3 << 20)
    assert (await attach(registry, applicant, draft["application"], content=fits)).status_code == 201


async def test_a_form_without_exactly_one_file_is_told_what_to_send(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    path = f"/applications/{draft['application']}/attachments"
    two = [("file", ("a.pdf", sample_files.PDF)), ("file", ("b.pdf", sample_files.PDF))]
    for body in (
        {"data": {"purpose": "other"}},
        {"data": {"purpose": "other", "file": "text"}},
        {"files": two},
        {"files": {"other": ("a.pdf", sample_files.PDF)}},
        {"json": {"purpose": "other"}},
    ):
        refused = await registry.call("POST", path, applicant, **body)
        assert (refused.status_code, refused.json()["reason"]) == (422, "file_missing")
    odd = await attach(registry, applicant, draft["application"], "anything")
    assert (odd.status_code, odd.json()["reason"]) == (422, "bad_purpose")


async def test_an_infected_file_is_refused_and_a_silent_scanner_is_no_clean_bill(
    registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    folder = tmp_path_factory.mktemp("vault")
    for hook, status, reason in (("false {file}", 422, "file_infected"), ("/nonexistent {file}", 503, "unavailable")):
        files = Files(FolderVault(folder), Scanner(hook, 5), 1 << 20, 1)
        registry.app.state.parts = dataclasses.replace(registry.parts, files=files)
        refused = await attach(registry, applicant, draft["application"])
        assert (refused.status_code, refused.json()["reason"]) == (status, reason)
    assert [path for path in folder.rglob("*") if path.is_file()] == []


async def test_a_wrong_file_is_taken_out_and_its_row_stays(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    other = await begin(registry, applicant)
    made = (await attach(registry, applicant, draft["application"])).json()
    path = f"/attachments/{made['attachment']}"
    foreign = await registry.call("DELETE", f"/applications/{other['application']}{path}", applicant)
    assert (foreign.status_code, foreign.json()["reason"]) == (404, "unknown_attachment")
    gone = await registry.call("DELETE", f"/applications/{draft['application']}{path}", applicant)
    assert gone.status_code == 204
    now = (await registry.call("GET", f"/applications/{draft['application']}", applicant)).json()
    assert (now["files"], now["version"]) == ([], 3)
    assert (await logged(registry, draft["application"]))[-1] == "application.file_removed"
    assert await registry.parts.pool.fetchval("SELECT count(*) FROM attachments") == 1
    assert (await registry.call("GET", path, applicant)).status_code == 200


async def test_a_stamped_scan_must_bear_the_newest_code(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    identifier = draft["application"]
    early = await attach(registry, applicant, identifier, "stamped_form", version_code="0000-0000-0000")
    assert (early.status_code, early.json()["reason"]) == (409, "wrong_stage")
    first = (await submitted(registry, applicant, identifier))["version_code"]
    body = {"reason": "改标题"}
    reopened = (await registry.call("POST", f"/applications/{identifier}/reopen-requests", applicant, json=body)).json()
    change = {"version": reopened["version"], "content": {"title": "新标题"}}
    await registry.call("PUT", f"/applications/{identifier}", applicant, json=change)
    second = (await submitted(registry, applicant, identifier))["version_code"]
    for code in (first, "", "7K3M"):
        refused = await attach(registry, applicant, identifier, "stamped_form", version_code=code)
        assert (refused.status_code, refused.json()["reason"]) == (409, "version_code_mismatch")
        assert refused.json()["version_code"] == second
    typed = second.lower().replace("-", " ").replace("0", "o")
    taken = await attach(registry, applicant, identifier, "stamped_form", sample_files.png(), version_code=typed)
    assert taken.status_code == 201, taken.text
    [scan] = (await registry.call("GET", f"/applications/{identifier}", applicant)).json()["files"]
    assert (scan["purpose_name"], scan["version_code"]) == ("盖章申报书扫描件", second)


async def test_an_application_takes_so_many_files_and_no_more(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    made = (await attach(registry, applicant, draft["application"])).json()
    await registry.parts.pool.execute(
        "WITH files AS (INSERT INTO attachments SELECT 'more-' || n, kind, object, purpose, file_name, media_type,"
        " bytes, sha256, uploaded_by, uploaded_at FROM attachments, generate_series(2, $2) n WHERE attachment = $1"
        " RETURNING attachment, object)"
        " INSERT INTO application_files (attachment, application, removed_at) SELECT *, now() FROM files",
        made["attachment"], FILES_MAX,
    )  # fmt: skip
    refused = await attach(registry, applicant, draft["application"])
    assert (refused.status_code, refused.json()["reason"]) == (409, "too_many_files")


async def test_a_file_that_is_gone_from_the_vault_is_told(registry: Registry, tmp_path: Path) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    made = (await attach(registry, applicant, draft["application"], content=sample_files.pdf(str(tmp_path)))).json()
    name = made["sha256"]
    (Path(registry.parts.settings.attachments_folder) / name[:2] / name[2:4] / name).unlink()
    refused = await registry.call("GET", f"/attachments/{made['attachment']}", applicant)
    assert (refused.status_code, refused.json()["reason"]) == (503, "unavailable")


def test_purposes_have_names() -> None:
    from services.registry.attachments.records import PURPOSE_NAMES, Purpose

    assert set(PURPOSE_NAMES) == set(Purpose)
    assert msgspec.json.encode(Purpose.CONSENT) == b'"consent"'
