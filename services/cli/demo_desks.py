"""What lies on the desks of the demo's office: something to do for every role, made as its people would make it.

A call that takes applications, a second one whose applications are in preliminary review, a pool of experts,
ballots that wait for two signatures, a helper's station. Called once by `demo.py`, when the round open for voting is.
"""

from __future__ import annotations

import asyncio
import re
import time
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import httpx

from services.cli.embedded.home import PlatformError
from services.cli.people import REGISTRY, SCORING, VOTING

APPLYING, REVIEWING = "kunming-2022", "kunming-2021-extra"
DISTRICT = "wuhua"
# Accounts besides administrators and experts: their names and roles; an officer belongs to the district.
OFFICE = {
    "auditor1": ("审计员", "auditor"),
    "officer1": ("五华区联络员", "channel_officer"),
    "reviewer1": ("审查员甲", "reviewer"),
    "reviewer2": ("审查员乙", "reviewer"),
    "helper1": ("社区工作者", "helper"),
    "operator1": ("运维值班", "operator"),
    "security1": ("安全管理员", "security_administrator"),
}
# Each applicant's unit is the lead of that application; what K15 tells is the first one's second project.
APPLICANTS = {"applicant1": "K02", "applicant2": "K03", "applicant3": "K04"}
IN_REVIEW = {"K02": "applicant1", "K03": "applicant2", "K04": "applicant3", "K15": "applicant1"}
# How long the call whose applications are reviewed takes applications, then recommendations.
_APPLY_S, _RECOMMEND_S = 18, 12
_DAYS = 24 * 3600


class Acting(Protocol):
    """How a person of the demo calls the platform; "" is a caller who is not signed in."""

    async def __call__(self, method: str, path: str, body: Any = None, actor: str = ...) -> httpx.Response: ...


class Desks:
    """Fills the desks. `folder` holds the round whose texts are borrowed."""

    def __init__(self, act: Acting, folder: Path, password: str) -> None:
        self._act, self._folder, self._password = act, folder, password

    async def post(self, actor: str, path: str, body: Any = None) -> dict[str, Any]:
        return _taken(await self._act("POST", path, body or {}, actor))

    async def get(self, actor: str, path: str) -> dict[str, Any]:
        return _taken(await self._act("GET", path, None, actor))

    async def put(self, actor: str, path: str, body: Any) -> dict[str, Any]:
        return _taken(await self._act("PUT", path, body, actor))

    async def known(self) -> bool:
        """Whether an earlier run of the demo came this far."""
        return (await self._act("GET", f"{REGISTRY}/calls/{APPLYING}", None, "")).status_code == 200

    # ---- applying, recommending, reviewing ----

    async def applications(self) -> None:
        """Both calls, their units and applications, and the reviews; takes as long as the shorter call is open."""
        # The announcement also makes the channels; the short call opens when all else is there.
        await self._announce(APPLYING, "2022年度", (-_DAYS, 30 * _DAYS, 30 * _DAYS, 37 * _DAYS))
        await self._units()
        closes_s = time.monotonic() + _APPLY_S
        await self._announce(REVIEWING, "2021年增补", (-60, _APPLY_S, _APPLY_S, _APPLY_S + _RECOMMEND_S))
        forms = {name: await self._hand_in(REVIEWING, name, actor) for name, actor in IN_REVIEW.items()}
        await self._hand_in(APPLYING, "K03", "applicant2")
        begun = {key: value for key, value in self._form("K15").items() if key in ("title", "level", "category")}
        await self.post("applicant1", f"{REGISTRY}/calls/{APPLYING}/applications", {"content": begun})
        wanted = {"channel": DISTRICT, "places": 1, "reason": "两个街道的项目互为前提，请一并推荐。"}
        await self.post("admin2", f"{REGISTRY}/calls/{APPLYING}/exemptions", wanted)
        await asyncio.sleep(max(0.0, closes_s - time.monotonic()) + 0.5)
        await self._recommend(list(forms.values()))
        await self._review(forms)

    async def _announce(self, call: str, year: str, seconds: Sequence[int]) -> None:
        files = {path.name: path.read_text("utf-8") for path in self._folder.glob("*.toml")}
        files["rules.toml"] = _rules(files["rules.toml"], call, year, seconds)
        made = await self.post("admin1", f"{REGISTRY}/calls", {"files": files})
        await self.post("admin1", f"{REGISTRY}/calls/{call}/announce", {"version": made["version"]})

    async def _units(self) -> None:
        """Three units approved by their district, with an account each; the fourth waits for the officer."""
        for username, name in APPLICANTS.items():
            made = await self.post("", f"{REGISTRY}/units", self._registration(name))
            decision = {"decision": "approved", "version": made["version"]}
            await self.post("officer1", f"{REGISTRY}/units/{made['unit']}/decisions", decision)
            account = {"username": username, "name": self._told(name)["team"][0]["name"], "roles": ["applicant"]}
            account |= {"unit": made["unit"], "password": self._password}
            await self.post("platform", f"{REGISTRY}/staff", account)
        await self.post("", f"{REGISTRY}/units", self._registration("K01"))

    async def _hand_in(self, call: str, name: str, actor: str) -> str:
        made = await self.post(actor, f"{REGISTRY}/calls/{call}/applications", {"content": self._form(name)})
        await self.post(actor, f"{REGISTRY}/applications/{made['application']}/submit")
        return str(made["application"])

    async def _recommend(self, ranked: list[str]) -> None:
        path = f"{REGISTRY}/calls/{REVIEWING}/channels/{DISTRICT}/recommendations"
        version = (await self.get("officer1", path))["version"]
        body = {"ranked": ranked, "version": version, "opinions": dict.fromkeys(ranked, "同意推荐")}
        saved = await self.put("officer1", path, body)
        await self.post("officer1", f"{path}/send", {"version": saved["version"]})

    async def _review(self, forms: dict[str, str]) -> None:
        """One colleague's checklist is in; two of them disagree; one unit is to complete its form; one is untouched."""
        path = f"{REGISTRY}/calls/{REVIEWING}/reviews"
        deadline = time.monotonic() + _RECOMMEND_S + 20
        while len((await self.get("admin1", path))["items"]) < len(forms):
            if time.monotonic() > deadline:
                raise PlatformError("the demo waited in vain for this: the preliminary reviews open")
            await asyncio.sleep(0.5)
        await self._check("reviewer2", forms["K02"], "accepted")
        await self._check("reviewer1", forms["K03"], "accepted")
        await self._check("reviewer2", forms["K03"], "not_accepted", reason="untrue", comment="参与户数和台账不一致。")
        asked = {"text": "请写明第二项指标的衡量办法，并补上测算依据。", "working_days": 3}
        await self.post("reviewer2", f"{REGISTRY}/applications/{forms['K15']}/completion", asked)

    async def _check(self, actor: str, application: str, verdict: str, **why: str) -> None:
        review = f"{REGISTRY}/applications/{application}/review"
        items = dict.fromkeys((each["item"] for each in (await self.get(actor, review))["items"]), "met")
        if verdict == "not_accepted":
            items["content_true"] = "not_met"
        await self.post(actor, f"{review}/checklists", {"items": items, "verdict": verdict, **why})

    def _told(self, name: str) -> dict[str, Any]:
        return tomllib.loads((self._folder / "applications" / f"{name}.toml").read_text("utf-8"))

    def _registration(self, name: str) -> dict[str, Any]:
        facts = {
            "registration_number": f"滇统字第{name}号", "registration_authority": "五华区有关部门",
            "registered_on": "2003-05-01", "legal_representative": self._told(name)["team"][0]["name"],
            "address": "昆明市五华区人民中路1号", "last_inspection_year": datetime.now(UTC).year - 1,
        }  # fmt: skip
        contact = {"name": self._told(name)["team"][-1]["name"], "email": "office@example.org"}
        return {**self._told(name)["lead"], "channel": DISTRICT, "facts": facts, "contact": contact}

    def _form(self, name: str) -> dict[str, Any]:
        """A whole form without partners, who would have to consent first."""
        told = self._told(name)
        budget = [{key: line[key] for key in ("line", "amount", "basis")} for line in told["budget"]]
        year = datetime.now(UTC).year + 1
        return {
            **{key: told[key] for key in ("title", "level", "category", "summary", "sections", "team")},
            "partners": [], "budget": budget,
            "budget_total": str(sum(Decimal(line["amount"]) for line in budget)),
            "targets": [{**each, "due": each["due"].replace(year=year).isoformat()} for each in told["targets"]],
        }  # fmt: skip

    # ---- the round that is open for voting ----

    async def panel(self, round_id: str, experts: Sequence[str]) -> None:
        """The pool that a draw would use; one expert is not impartial once, another one scores a sheet on paper."""
        told = tomllib.loads((self._folder / "experts.toml").read_text("utf-8"))["experts"]
        units = {each["username"]: each["unit"] for each in told}
        path = f"{SCORING}/rounds/{round_id}"
        pool = [{"expert": name, "unit": units.get(name, ""), "fields": ["社会治理"]} for name in experts]
        await self.post("admin1", f"{path}/pool", {"experts": pool})
        first, second = [each["candidate"] for each in (await self.get(experts[-1], f"{path}/sheets"))["sheets"][:2]]
        await self.post(experts[-1], f"{path}/sheets/{first}/recusals", {"reason": "曾为该社区提供咨询"})
        await self.post("admin1", f"{path}/papers", {"candidate": second, "expert": experts[-1]})

    async def holds(self, round_id: str, receipts: Sequence[str]) -> None:
        """Some ballots wait for a decision, others for the second signature under one."""
        path = f"{VOTING}/rounds/{round_id}/holds"
        waiting = {"ballots": receipts[:4], "reason": "unusual_pattern", "evidence": "四张选票间隔相同，来自同一地址。"}
        await self.post("admin2", path, waiting)
        told = {
            "ballots": receipts[4:6],
            "reason": "rented_accounts",
            "evidence": "同一中介账号在群内兑付现金。",
        }
        hold = (await self.post("admin2", path, told))["hold"]
        await self.post("admin2", f"{path}/{hold}/decisions", {"decision": "exclude", "reason": "证据已核实。"})

    async def station(self, round_id: str) -> None:
        """Where the helper helps."""
        body = {"name": "翠湖社区服务站", "unit": "五华区翠湖街道办事处"}
        await self.post("admin1", f"{VOTING}/rounds/{round_id}/stations", body)


def _taken(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        told = answer.json().get("detail") if "json" in answer.headers.get("content-type", "") else answer.reason_phrase
        raise PlatformError(f"a step of the demo was refused: {answer.request.url.path}: {told}")
    return dict(answer.json()) if answer.content else {}


def _rules(text: str, call: str, year: str, seconds: Sequence[int]) -> str:
    """The borrowed round's rules for another call; `seconds` from now: application, recommendation, open and closed."""
    now = datetime.now(UTC).replace(microsecond=0)
    vote = seconds[3] + 30 * _DAYS
    moments = [now + timedelta(seconds=each) for each in (*seconds, vote, vote + 8 * _DAYS)]
    moments += [moments[-1] + timedelta(days=each) for each in (1, 8)]
    stages = ("application", "recommendation", "voting", "scoring")
    windows = "".join(
        f"{stage} = {{ opens = {opens.isoformat()}, closes = {closes.isoformat()} }}\n"
        for stage, opens, closes in zip(stages, moments[::2], moments[1::2], strict=True)
    )
    text = re.sub(r'^id = "[^"]*"', f'id = "{call}"', text, count=1, flags=re.MULTILINE)
    text = re.sub(r'^title = "([^"]*)"', rf'title = "\1（{year}）"', text, count=1, flags=re.MULTILINE)
    return re.sub(r"\[windows\]\n(?:\w+ +=[^\n]*opens[^\n]*\n)+", f"[windows]\n{windows}", text, count=1)
