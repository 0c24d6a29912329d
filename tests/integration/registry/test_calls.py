"""Calls: files and form give the same rules, an announcement binds, a change takes two people."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from tests.integration.registry.call_steps import CALL, HOUR_S, announced, call_files, office, post
from tests.integration.registry.conftest import Registry, simple_files


async def test_a_call_is_drafted_from_files_and_edited_by_form_or_file(registry: Registry) -> None:
    await office(registry)
    files = call_files()
    made = await post(registry, "/calls", "admin1", files=files)
    assert (made.status_code, made.json()["state"], made.json()["version"]) == (201, "draft", 1)
    assert made.json()["actions"] == ["files", "rules", "announce"]
    fields = {"windows": {"review_working_days": 7}, "quotas": {"district": 4, "zone": 3}}
    body = {"version": 1, "fields": fields}
    edited = await registry.call("PUT", f"/calls/{CALL}/rules", "admin1", json=body)
    assert (edited.status_code, edited.json()["version"]) == (200, 2), edited.text
    rules = (await registry.call("GET", f"/calls/{CALL}/rules", "admin1")).json()
    expected = files["rules.toml"].replace("review_working_days = 5", "review_working_days = 7")
    expected = expected.replace("district = 2\nmunicipal_unit = 1\n", "district = 4\nmunicipal_unit = 1\nzone = 3\n")
    assert rules["text"] == expected
    assert "# 申报时间" in rules["text"]
    assert rules["fields"]["quotas"] == {"district": 4, "municipal_unit": 1, "zone": 3}
    by_file = {"version": 2, "content": files["rules.toml"]}
    again = await registry.call("PUT", f"/calls/{CALL}/files/rules.toml", "admin1", json=by_file)
    assert again.json()["digest"] == hashlib.sha256(files["rules.toml"].encode()).hexdigest()


async def test_mistakes_are_told_with_their_places_and_nothing_is_stored(registry: Registry) -> None:
    await office(registry)
    files = call_files()
    files["rules.toml"] += "\n[surprise]\n"
    files["channels.toml"] = files["channels.toml"].replace('"district"', '"planet"')
    refused = await post(registry, "/calls", "admin1", files=files)
    assert (refused.status_code, refused.json()["reason"]) == (422, "bad_round")
    assert {(each["file"], bool(each["line"])) for each in refused.json()["problems"]} == {
        ("rules.toml", True), ("channels.toml", True)
    }  # fmt: skip
    checked = await post(registry, "/calls/check", "rev1", files=files)
    assert checked.json()["problems"] == refused.json()["problems"]
    assert (await registry.call("GET", "/calls", "admin1")).json() == {"items": [], "next": None}
    await post(registry, "/calls", "admin1", files=call_files())
    body = {"version": 1, "fields": {"windows": {"application": {"opens": "morgen"}}}}
    bad = await registry.call("PUT", f"/calls/{CALL}/rules", "admin1", json=body)
    assert (bad.status_code, bad.json()["reason"]) == (422, "bad_round")


async def test_a_draft_is_the_offices_and_an_announcement_everybodys(registry: Registry) -> None:
    await office(registry)
    await post(registry, "/calls", "admin1", files=call_files(), rehearsal=True)
    assert (await registry.call("GET", f"/calls/{CALL}", "")).status_code == 404
    assert (await registry.call("GET", f"/calls/{CALL}", "rev1")).status_code == 200
    assert (await post(registry, f"/calls/{CALL}/announce", "rev1", version=1)).status_code == 403
    done = await post(registry, f"/calls/{CALL}/announce", "admin1", version=1)
    facts = (await registry.call("GET", f"/calls/{CALL}", "")).json()
    assert (facts["phase"], facts["rehearsal"], facts["actions"]) == ("application", True, [])
    assert len(facts["number_commitment"]) == 64
    assert facts["number_commitment"] == done.json()["number_commitment"]
    assert "changes" not in facts
    assert [each["name"] for each in facts["channels"]] == ["五华区", "市级单位"]
    [version] = facts["versions"]
    kept = (await registry.call("GET", f"/calls/{CALL}/versions/{version['version']}", "")).json()
    assert kept["files"].keys() == call_files().keys()


async def test_a_call_without_its_windows_or_with_another_kind_of_channel_is_not_announced(registry: Registry) -> None:
    await office(registry)
    await registry.call("POST", "/channels", json={"channel": "wuhua", "name": "五华区", "kind": "zone"})
    files = call_files()
    lines = [line for line in files["rules.toml"].splitlines() if not line.startswith("recommendation")]
    await post(registry, "/calls", "admin1", files={**files, "rules.toml": "\n".join(lines) + "\n"})
    refused = await post(registry, f"/calls/{CALL}/announce", "admin1", version=1)
    assert refused.status_code == 422
    assert [each["file"] for each in refused.json()["problems"]] == ["rules.toml", "channels.toml"]


async def test_a_change_after_announcing_takes_two_people_and_a_reason(registry: Registry) -> None:
    call = await announced(registry)
    rules = (await registry.call("GET", f"/calls/{CALL}/rules", "")).json()["text"]
    longer = rules.replace("district = 2", "district = 3")
    path, version = f"/calls/{CALL}/files/rules.toml", call["version"]
    nameless = await registry.call("PUT", path, "admin1", json={"content": longer, "version": version})
    assert (nameless.status_code, nameless.json()["reason"]) == (422, "reason_missing")
    body = {"content": longer, "version": version, "reason": "名额调整"}
    proposed = await registry.call("PUT", path, "admin1", json=body)
    assert proposed.status_code == 202, proposed.text
    assert (await registry.call("GET", f"/calls/{CALL}", "")).json()["quotas"]["district"] == 2
    confirm = f"/calls/{CALL}/changes/{proposed.json()['change']}/confirm"
    own = await post(registry, confirm, "admin1")
    assert (own.status_code, own.json()["reason"]) == (409, "same_person")
    done = await post(registry, confirm, "admin2")
    assert (done.status_code, done.json()["quotas"]["district"]) == (200, 3), done.text
    assert [each["reason"] for each in done.json()["versions"]] == ["名额调整", "announced"]
    again = await post(registry, confirm, "admin2")
    assert again.json()["reason"] == "already_decided"


async def test_a_proposal_lapses_when_something_else_changed_first(registry: Registry) -> None:
    call = await announced(registry)
    rules = (await registry.call("GET", f"/calls/{CALL}/rules", "")).json()["text"]
    changes = []
    for quota in (3, 4):
        body = {
            "content": rules.replace("district = 2", f"district = {quota}"),
            "version": call["version"],
            "reason": "x",
        }
        answer = await registry.call("PUT", f"/calls/{CALL}/files/rules.toml", "admin1", json=body)
        changes.append(answer.json()["change"])
    assert (await post(registry, f"/calls/{CALL}/changes/{changes[0]}/confirm", "admin2")).status_code == 200
    late = await post(registry, f"/calls/{CALL}/changes/{changes[1]}/confirm", "admin2")
    assert (late.status_code, late.json()["reason"]) == (409, "stale_version")


async def test_what_was_already_done_is_not_changed_afterwards(registry: Registry) -> None:
    call = await announced(registry)
    registry.pass_time(HOUR_S)
    rules = (await registry.call("GET", f"/calls/{CALL}/rules", "")).json()
    closes = datetime.fromisoformat(rules["fields"]["windows"]["application"]["closes"]) + timedelta(days=1)
    for fields in (
        {"windows": {"application": {"closes": closes.isoformat()}}},
        {"quotas": {"district": 1}},
    ):
        body = {"fields": fields, "version": call["version"], "reason": "x"}
        refused = await registry.call("PUT", f"/calls/{CALL}/rules", "admin1", json=body)
        assert (refused.status_code, refused.json()["reason"]) == (409, "too_late")
    body = {"fields": {"quotas": {"district": 5}}, "version": call["version"], "reason": "x"}
    assert (await registry.call("PUT", f"/calls/{CALL}/rules", "admin1", json=body)).status_code == 202


async def test_an_id_belongs_to_one_call_or_round(registry: Registry) -> None:
    await office(registry)
    assert (await post(registry, "/calls", "admin1", files=call_files())).status_code == 201
    again = await post(registry, "/calls", "admin1", files=call_files())
    assert (again.status_code, again.json()["reason"]) == (409, "round_exists")
    files = simple_files(CALL)
    assert (await registry.load(files)).json()["reason"] == "round_exists"
    await registry.load(simple_files("small"))
    taken = await post(registry, "/calls", "admin1", files=call_files(call="small"))
    assert taken.json()["reason"] == "round_exists"
