"""WeChat's documented API on loopback: web authorisation, our own token, and the verified phone."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.support.local_server import Asked, Reply

APP, SECRET = "wx-official", "wechat-secret-of-a-test"
MINI_APP, MINI_SECRET = "wx-mini", "wechat-mini-secret-of-a-test"


@dataclass
class WechatApi:
    """`people` are web authorisation codes, `phones` phone codes, each good once; `in_browser` agrees on a page."""

    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    phones: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    mishaps: list[Reply] = field(default_factory=list)
    in_browser: str = ""

    def knows(self, code: str, phone: str, **changes: Any) -> None:
        self.people[f"web-{code}"] = {"openid": f"o-{code}", "scope": "snsapi_userinfo", **changes.pop("person", {})}
        mark = {"appid": MINI_APP, "timestamp": int(time.time()), **changes}
        self.phones[f"phone-{code}"] = {
            "phoneNumber": phone, "purePhoneNumber": phone, "countryCode": "86", "watermark": mark,
        }  # fmt: skip

    async def __call__(self, asked: Asked) -> Reply:
        if self.mishaps:
            return self.mishaps.pop(0)
        if asked.path == "/connect/oauth2/authorize":
            back = {"code": f"web-{self.in_browser}", "state": asked.query["state"]}
            return Reply(b"", 302, {"location": f"{asked.query['redirect_uri']}?{urlencode(back)}"})
        if asked.path == "/sns/oauth2/access_token":
            return self._authorise(asked.query)
        if asked.path == "/cgi-bin/stable_token":
            return self._token(asked.json())
        if asked.path == "/wxa/business/getuserphonenumber":
            return self._phone(asked)
        return Reply({}, 404)

    def _authorise(self, query: dict[str, str]) -> Reply:
        if (query["appid"], query["secret"], query["grant_type"]) != (APP, SECRET, "authorization_code"):
            return Reply({"errcode": 40125, "errmsg": "invalid appsecret"})
        person = self.people.pop(query["code"], None)
        if person is None:
            return Reply({"errcode": 40029, "errmsg": "invalid code"})
        return Reply({"access_token": "user-token", "expires_in": 7200, **person})

    def _token(self, form: dict[str, str]) -> Reply:
        if (form["appid"], form["secret"], form["grant_type"]) != (MINI_APP, MINI_SECRET, "client_credential"):
            return Reply({"errcode": 40125, "errmsg": "invalid appsecret"})
        self.tokens.append(f"token-{len(self.tokens) + 1}")
        return Reply({"access_token": self.tokens[-1], "expires_in": 7200})

    def _phone(self, asked: Asked) -> Reply:
        if not self.tokens or asked.query["access_token"] != self.tokens[-1]:
            return Reply({"errcode": 40001, "errmsg": "invalid credential"})
        phone = self.phones.pop(asked.json()["code"], None)
        if phone is None:
            return Reply({"errcode": 40029, "errmsg": "invalid code"})
        return Reply({"errcode": 0, "errmsg": "ok", "phone_info": phone})
