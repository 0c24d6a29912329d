"""WeChat as a way to prove a phone: web authorisation shows who asks, the verified phone API names the number.

An openid alone is never an identity, and is not kept: one person may have many. Virtual users of a page snapshot
(`is_snapshotuser`) are refused. Both codes come from the person's WeChat, are good once and only with our secrets.
"""

from __future__ import annotations

import asyncio
import logging
import time
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec

log = logging.getLogger(__name__)
_REPLY_MAX_BYTES = 65536
_BUSY = frozenset({-1, 45009, 45011})
_TOKEN_GONE = frozenset({40001, 40014, 42001})
_PHONE_AGE_MAX_S = 600


class WechatRefusal(StrEnum):
    """Why WeChat proved no phone."""

    SNAPSHOT_USER = "snapshot_user"
    BAD_CODE = "bad_code"
    AWAY = "away"


class WechatAccount(msgspec.Struct, frozen=True):
    """The official account of the web authorisation and the mini program of the phone button."""

    url: str
    app_id: str
    secret: str
    mini_app_id: str
    mini_secret: str
    authorize_url: str
    return_url: str


class Wechat:
    """Exchanges a person's two codes for a verified number."""

    def __init__(self, account: WechatAccount, timeout_s: float) -> None:
        self._account = account
        self._http = httpx.AsyncClient(timeout=timeout_s, follow_redirects=False, trust_env=False)
        self._token, self._token_until = "", 0.0
        self._renewing = asyncio.Lock()

    def authorize_url(self) -> str:
        """Where a person agrees to be known to us, but for a random state and `#wechat_redirect` at the end.

        `snsapi_base` tells who asks and nothing about them.
        """
        account = self._account
        query = {
            "appid": account.app_id, "redirect_uri": account.return_url, "response_type": "code",
            "scope": "snsapi_base", "state": "",
        }  # fmt: skip
        return f"{account.authorize_url}?{urlencode(query)}"

    async def verified_phone(self, code: str, phone_code: str) -> str | WechatRefusal:
        """The number in E.164, proven by `phone_code`; `code` is the one of the web authorisation."""
        refusal = await self._check_person(code)
        return refusal or await self._phone(phone_code)

    async def _check_person(self, code: str) -> WechatRefusal | None:
        account = self._account
        query = {"appid": account.app_id, "secret": account.secret, "code": code, "grant_type": "authorization_code"}
        found = await self._get("/sns/oauth2/access_token", query)
        if found is None or found.get("errcode", 0) in _BUSY:
            return WechatRefusal.AWAY
        if not found.get("openid"):
            return WechatRefusal.BAD_CODE
        return WechatRefusal.SNAPSHOT_USER if found.get("is_snapshotuser") == 1 else None

    async def _phone(self, phone_code: str) -> str | WechatRefusal:
        for _ in range(2):
            token = await self._access_token()
            if token is None:
                return WechatRefusal.AWAY
            found = await self._post("/wxa/business/getuserphonenumber", token, {"code": phone_code})
            if found is not None and found.get("errcode") in _TOKEN_GONE:
                self._token_until = 0.0
                continue
            if found is None or found.get("errcode") in _BUSY:
                return WechatRefusal.AWAY
            return self._number(found)
        return WechatRefusal.AWAY

    def _number(self, found: dict[str, Any]) -> str | WechatRefusal:
        told = found.get("phone_info")
        if found.get("errcode") != 0 or not isinstance(told, dict):
            return WechatRefusal.BAD_CODE
        mark = told.get("watermark")
        if not isinstance(mark, dict) or mark.get("appid") != self._account.mini_app_id:
            return WechatRefusal.BAD_CODE
        taken_at = mark.get("timestamp")
        if not isinstance(taken_at, int) or abs(time.time() - taken_at) > _PHONE_AGE_MAX_S:
            return WechatRefusal.BAD_CODE
        return f"+{told.get('countryCode', '')}{told.get('purePhoneNumber', '')}"

    async def _access_token(self) -> str | None:
        """Our own token, renewed by one caller at a time."""
        async with self._renewing:
            if time.monotonic() < self._token_until:
                return self._token
            account = self._account
            form = {
                "grant_type": "client_credential", "appid": account.mini_app_id, "secret": account.mini_secret,
            }  # fmt: skip
            found = await self._ask("POST", "/cgi-bin/stable_token", {}, form)
            if found is None or not found.get("access_token"):
                return None
            self._token = str(found["access_token"])
            self._token_until = time.monotonic() + max(0, int(found.get("expires_in", 0)) - 60)
            return self._token

    async def _get(self, path: str, query: dict[str, str]) -> dict[str, Any] | None:
        return await self._ask("GET", path, query, None)

    async def _post(self, path: str, token: str, form: dict[str, str]) -> dict[str, Any] | None:
        return await self._ask("POST", path, {"access_token": token}, form)

    async def _ask(
        self, method: str, path: str, query: dict[str, str], form: dict[str, str] | None
    ) -> dict[str, Any] | None:
        """WeChat's answer, or None when there is none; addresses carry secrets and are never logged."""
        try:
            answer = await self._http.request(method, f"{self._account.url}{path}", params=query, json=form)
            if answer.status_code != 200 or len(answer.content) > _REPLY_MAX_BYTES:
                log.warning("wechat refused", extra={"status": answer.status_code})
                return None
            found: dict[str, Any] = msgspec.json.decode(answer.content, type=dict[str, Any])
        except (httpx.HTTPError, msgspec.MsgspecError) as error:
            log.warning("wechat failed", extra={"failure": type(error).__name__})
            return None
        return found

    async def close(self) -> None:
        await self._http.aclose()
