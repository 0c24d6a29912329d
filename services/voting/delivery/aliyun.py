"""Alibaba Cloud: SMS (Dysmsapi SendSms) and voice (Dyvmsapi SingleCallByTts), signed with ACS3-HMAC-SHA256.

Their documented HTTP protocol, spoken directly: the official client would bring a dozen packages for two calls.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import msgspec

from services.voting.delivery.calls import call, open_client
from services.voting.delivery.provider import Failure, Report, Taken

_VERSION = "2017-05-25"
_EMPTY_HASH = hashlib.sha256(b"").hexdigest()
_SPENT = ("isv.DAY_LIMIT_CONTROL", "isv.MONTH_LIMIT_CONTROL")
_AWAY = ("isp.SYSTEM_ERROR", "isp.GATEWAY_ERROR", "ServiceUnavailable", "InternalError")


class AliyunAccount(msgspec.Struct, frozen=True):
    """Who pays, and which approved texts are sent; an empty voice template means no voice."""

    key_id: str
    secret: bytes
    sms_url: str
    sign_name: str
    sms_template: str
    voice_url: str
    voice_template: str


class _Report(msgspec.Struct):
    biz_id: str = ""
    success: bool = False


class Aliyun:
    """Sends codes through Alibaba Cloud."""

    name = "aliyun"

    def __init__(self, account: AliyunAccount, timeout_s: float) -> None:
        self._account, self._http = account, open_client(timeout_s)
        self.routes = frozenset({"sms", "voice"} if account.voice_template else {"sms"})

    async def send(self, phone: str, code: str, route: str) -> Taken | Failure:
        account, local = self._account, phone.removeprefix("+86").removeprefix("+")
        values = msgspec.json.encode({"code": code}).decode()
        if route == "voice":
            query = {"CalledNumber": local, "TtsCode": account.voice_template, "TtsParam": values}
            return await self._call(account.voice_url, "SingleCallByTts", query, "CallId")
        query = {
            "PhoneNumbers": local, "SignName": account.sign_name, "TemplateCode": account.sms_template,
            "TemplateParam": values,
        }  # fmt: skip
        return await self._call(account.sms_url, "SendSms", query, "BizId")

    async def _call(self, url: str, action: str, query: Mapping[str, str], id_name: str) -> Taken | Failure:
        headers = signed_headers(self._account, url, action, query, datetime.now(UTC), secrets.token_hex(16))
        found = await call(self._http, f"{url}/?{canonical_query(query)}", headers)
        if isinstance(found, Failure):
            return found
        if found.get("Code") == "OK" and found.get(id_name):
            return Taken(str(found[id_name]))
        return failure_of(str(found.get("Code", "")))

    def read_reports(self, body: bytes) -> list[Report]:
        reports = msgspec.json.decode(body, type=list[_Report])
        return [Report(each.biz_id, each.success) for each in reports if each.biz_id]

    @property
    def report_answer(self) -> dict[str, object]:
        return {"code": 0, "msg": "OK"}

    async def close(self) -> None:
        await self._http.aclose()


def failure_of(code: str) -> Failure:
    """Their error codes as ours. What a stranger can bring about with a number never blames the provider: nobody may
    silence it for all by asking much for one."""
    if code == "isv.BUSINESS_LIMIT_CONTROL":
        return Failure.NUMBER_THROTTLED
    if code == "isv.MOBILE_NUMBER_ILLEGAL":
        return Failure.BAD_NUMBER
    if code.startswith("Throttling") or code in _SPENT:
        return Failure.PROVIDER_THROTTLED
    return Failure.PROVIDER_AWAY if code in _AWAY else Failure.PROVIDER_REFUSED


def canonical_query(query: Mapping[str, str]) -> str:
    """Parameters sorted by name and percent-encoded as RFC 3986 has it."""
    return "&".join(f"{quote(name, safe='-_.~')}={quote(query[name], safe='-_.~')}" for name in sorted(query))


def signed_headers(
    account: AliyunAccount, url: str, action: str, query: Mapping[str, str], at: datetime, nonce: str,
    version: str = _VERSION,
) -> dict[str, str]:  # fmt: skip
    """Headers of a signed call without a body (signature method V3)."""
    headers = {
        "host": urlsplit(url).netloc,
        "x-acs-action": action,
        "x-acs-content-sha256": _EMPTY_HASH,
        "x-acs-date": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": nonce,
        "x-acs-version": version,
    }
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    canonical = "\n".join(["POST", "/", canonical_query(query), lines, names, _EMPTY_HASH])
    told = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(account.secret, told.encode(), "sha256").hexdigest()
    credential = f"Credential={account.key_id},SignedHeaders={names},Signature={signature}"
    return {**headers, "authorization": f"ACS3-HMAC-SHA256 {credential}"}
