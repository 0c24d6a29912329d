"""Somebody else's message clouds on loopback: two providers' documented protocols, errors and throttling included.

Signatures are checked by an implementation of their own, written from the documentation, not with the code under test.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import msgspec

from tests.support.local_server import Asked, Reply

ALIYUN_SECRET, TENCENT_SECRET = b"aliyun-secret-of-a-test", b"tencent-secret-of-a-test"


@dataclass
class Cloud:
    """What both have in common: what was sent, replies to give first, and a gate that lets calls hang."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    mishaps: list[Reply] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0

    def __post_init__(self) -> None:
        self.open.set()

    async def __call__(self, asked: Asked) -> Reply:
        self.asked += 1
        await self.open.wait()
        if not self.signed(asked):
            return self.unsigned()
        return self.mishaps.pop(0) if self.mishaps else self.take(asked)

    def signed(self, asked: Asked) -> bool:
        raise NotImplementedError

    def unsigned(self) -> Reply:
        raise NotImplementedError

    def take(self, asked: Asked) -> Reply:
        raise NotImplementedError


class AliyunCloud(Cloud):
    """RPC calls: parameters in the query, `Code` OK or an error in the answer."""

    def signed(self, asked: Asked) -> bool:
        told = asked.headers["authorization"]
        names = told.split("SignedHeaders=")[1].split(",")[0].split(";")
        pairs = sorted(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in asked.query.items())
        lines = "".join(f"{name}:{asked.headers[name]}\n" for name in names)
        body_hash = hashlib.sha256(asked.body).hexdigest()
        canonical = f"{asked.method}\n{asked.path}\n{'&'.join(pairs)}\n{lines}\n{';'.join(names)}\n{body_hash}"
        text = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
        right = hmac.new(ALIYUN_SECRET, text.encode(), "sha256").hexdigest()
        return told.endswith(f"Signature={right}") and asked.headers["x-acs-content-sha256"] == body_hash

    def unsigned(self) -> Reply:
        return Reply({"Code": "SignatureDoesNotMatch", "Message": "…", "RequestId": "r"}, 400)

    def take(self, asked: Asked) -> Reply:
        number = f"a{len(self.sent) + 1}"
        self.sent.append({"action": asked.headers["x-acs-action"], "id": number, **asked.query})
        id_name = "CallId" if asked.headers["x-acs-action"] == "SingleCallByTts" else "BizId"
        return Reply({"Code": "OK", "Message": "OK", "RequestId": "r", id_name: number})


class TencentCloud(Cloud):
    """JSON calls: everything inside `Response`."""

    def signed(self, asked: Asked) -> bool:
        told = asked.headers["authorization"]
        scope = told.split("Credential=")[1].split(",")[0].partition("/")[2]
        names = told.split("SignedHeaders=")[1].split(",")[0].split(";")
        values = {**asked.headers, "x-tc-action": asked.headers["x-tc-action"].lower()}
        lines = "".join(f"{name}:{values[name]}\n" for name in names)
        canonical = f"POST\n/\n\n{lines}\n{';'.join(names)}\n{hashlib.sha256(asked.body).hexdigest()}"
        key = b"TC3" + TENCENT_SECRET
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), "sha256").digest()
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"TC3-HMAC-SHA256\n{asked.headers['x-tc-timestamp']}\n{scope}\n{digest}"
        return told.endswith(f"Signature={hmac.new(key, text.encode(), 'sha256').hexdigest()}")

    def unsigned(self) -> Reply:
        error = {"Code": "AuthFailure.SignatureFailure", "Message": "…"}
        return Reply({"Response": {"Error": error, "RequestId": "r"}})

    def take(self, asked: Asked) -> Reply:
        number, action = f"t{len(self.sent) + 1}", asked.headers["x-tc-action"]
        form = msgspec.json.decode(asked.body)
        self.sent.append({"action": action, "id": number, **form})
        if action == "SendTtsVoice":
            return Reply({"Response": {"SendStatus": {"CallId": number, "SessionContext": ""}, "RequestId": "r"}})
        status = {"SerialNo": number, "PhoneNumber": form["PhoneNumberSet"][0], "Code": "Ok", "Message": "send success"}
        return Reply({"Response": {"SendStatusSet": [status], "RequestId": "r"}})
