"""Tencent Cloud: SMS (SendSms) and voice (SendTtsVoice), signed with TC3-HMAC-SHA256.

Their documented HTTP protocol, spoken directly: the official client would bring its whole cloud for two calls.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from services.voting.delivery.calls import call, open_client
from services.voting.delivery.provider import Failure, Report, Taken

_JSON = "application/json; charset=utf-8"
_SIGNED = "content-type;host;x-tc-action"


class TencentAccount(msgspec.Struct, frozen=True):
    """Who pays, and which approved texts are sent; an empty voice template means no voice."""

    secret_id: str
    secret: bytes
    region: str
    sms_url: str
    sms_app: str
    sign_name: str
    sms_template: str
    voice_url: str
    voice_app: str
    voice_template: str


class _Report(msgspec.Struct):
    sid: str = ""
    report_status: str = ""


class _VoiceReport(msgspec.Struct):
    callid: str = ""
    result: str = ""


class _VoiceCall(msgspec.Struct):
    voiceprompt_callback: _VoiceReport


class Tencent:
    """Sends codes through Tencent Cloud."""

    name = "tencent"

    def __init__(self, account: TencentAccount, timeout_s: float) -> None:
        self._account, self._http = account, open_client(timeout_s)
        self.routes = frozenset({"sms", "voice"} if account.voice_template else {"sms"})

    async def send(self, phone: str, code: str, route: str) -> Taken | Failure:
        return await (self._voice(phone, code) if route == "voice" else self._sms(phone, code))

    async def _sms(self, phone: str, code: str) -> Taken | Failure:
        account = self._account
        form = {
            "PhoneNumberSet": [phone], "SmsSdkAppId": account.sms_app, "SignName": account.sign_name,
            "TemplateId": account.sms_template, "TemplateParamSet": [code],
        }  # fmt: skip
        found = await self._call(account.sms_url, "sms", "SendSms", "2021-01-11", form)
        if isinstance(found, Failure):
            return found
        status = (found.get("SendStatusSet") or [{}])[0]
        if status.get("Code") == "Ok" and status.get("SerialNo"):
            return Taken(str(status["SerialNo"]))
        return failure_of(str(status.get("Code", "")))

    async def _voice(self, phone: str, code: str) -> Taken | Failure:
        account = self._account
        form = {
            "CalledNumber": phone, "VoiceSdkAppid": account.voice_app, "TemplateId": account.voice_template,
            "TemplateParamSet": [code], "PlayTimes": 2,
        }  # fmt: skip
        found = await self._call(account.voice_url, "vms", "SendTtsVoice", "2020-09-02", form)
        if isinstance(found, Failure):
            return found
        call_id = (found.get("SendStatus") or {}).get("CallId")
        return Taken(str(call_id)) if call_id else Failure.PROVIDER_REFUSED

    async def _call(
        self, url: str, service: str, action: str, version: str, form: dict[str, Any]
    ) -> dict[str, Any] | Failure:
        body = msgspec.json.encode(form)
        headers = signed_headers(self._account, url, service, action, version, body, datetime.now(UTC))
        found = await call(self._http, f"{url}/", headers, body)
        if isinstance(found, Failure):
            return found
        answer = found.get("Response")
        if not isinstance(answer, dict):
            return Failure.PROVIDER_AWAY
        error = answer.get("Error")
        return failure_of(str(error.get("Code", ""))) if isinstance(error, dict) else answer

    def read_reports(self, body: bytes) -> list[Report]:
        found = msgspec.json.decode(body, type=list[_Report] | _VoiceCall)
        if isinstance(found, _VoiceCall):
            # Voice: result 0 means that the phone was answered.
            told = found.voiceprompt_callback
            return [Report(told.callid, told.result == "0")] if told.callid else []
        return [Report(each.sid, each.report_status == "SUCCESS") for each in found if each.sid]

    @property
    def report_answer(self) -> dict[str, object]:
        return {"result": 0, "errmsg": "OK"}

    async def close(self) -> None:
        await self._http.aclose()


def failure_of(code: str) -> Failure:
    """Their error codes as ours. What a stranger can bring about with a number never blames the provider: nobody may
    silence it for all by asking much for one."""
    if code.startswith("LimitExceeded.PhoneNumber") or code == "LimitExceeded.DeliveryFrequencyLimit":
        return Failure.NUMBER_THROTTLED
    if "PhoneNumber" in code:
        return Failure.BAD_NUMBER
    if code.startswith(("RequestLimitExceeded", "LimitExceeded")):
        return Failure.PROVIDER_THROTTLED
    return Failure.PROVIDER_AWAY if code.startswith("InternalError") else Failure.PROVIDER_REFUSED


def signed_headers(
    account: TencentAccount, url: str, service: str, action: str, version: str, body: bytes, at: datetime
) -> dict[str, str]:
    """Headers of a signed JSON call (signature method v3)."""
    host, day = urlsplit(url).netloc, at.astimezone(UTC).strftime("%Y-%m-%d")
    timestamp, scope = str(int(at.timestamp())), f"{day}/{service}/tc3_request"
    told = "\n".join(["TC3-HMAC-SHA256", timestamp, scope, canonical_hash(host, action, body)])
    key = b"TC3" + account.secret
    for part in (day, service, "tc3_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, told.encode(), "sha256").hexdigest()
    return {
        "authorization": f"TC3-HMAC-SHA256 Credential={account.secret_id}/{scope}, SignedHeaders={_SIGNED},"
        f" Signature={signature}",
        "content-type": _JSON,
        "host": host,
        "x-tc-action": action,
        "x-tc-version": version,
        "x-tc-timestamp": timestamp,
        "x-tc-region": account.region,
    }


def canonical_hash(host: str, action: str, body: bytes) -> str:
    """SHA-256 of the canonical request, hex."""
    lines = f"content-type:{_JSON}\nhost:{host}\nx-tc-action:{action.lower()}\n"
    canonical = "\n".join(["POST", "/", "", lines, _SIGNED, hashlib.sha256(body).hexdigest()])
    return hashlib.sha256(canonical.encode()).hexdigest()
