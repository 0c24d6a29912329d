"""OpenID Connect as a way to prove phone and ID: authorization code flow with PKCE against a discovered issuer.

What a flow must remember travels sealed with the browser that began it, so that nobody can finish another's flow and we
keep nothing. Claims are mapped by settings; the ID and the name live as long as the request.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import secrets
import time
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

import httpx
import jwt
import msgspec

from services.shared.keys import SealBroken, seal, unseal

log = logging.getLogger(__name__)
FLOW_LIFETIME_S = 600
_DISCOVERY_FRESH_S = 3600
_REPLY_MAX_BYTES = 1 << 20
_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]


class OidcRefusal(StrEnum):
    """Why the issuer proved nothing."""

    BAD_FLOW = "bad_flow"
    BAD_CODE = "bad_code"
    NO_PHONE = "no_phone"
    AWAY = "away"


class OidcClient(msgspec.Struct, frozen=True):
    """Who we are at the issuer, and how its claims are called."""

    issuer: str
    client_id: str
    secret: str
    scope: str
    redirect_uri: str
    claim_phone: str
    claim_phone_verified: str
    claim_national_id: str


class Proven(msgspec.Struct, frozen=True):
    """What the issuer vouches for; `national_id` may be empty."""

    phone: str
    national_id: str


class Flow(msgspec.Struct, frozen=True):
    """What a browser that was sent to the issuer must bring back, sealed."""

    round: str
    state: str
    nonce: str
    verifier: str
    expires: float


class Oidc:
    """One issuer; `key` seals the flows."""

    def __init__(self, client: OidcClient, key: bytes, timeout_s: float) -> None:
        self._client, self._key = client, key
        self._http = httpx.AsyncClient(timeout=timeout_s, follow_redirects=False, trust_env=False)
        self._discovered: dict[str, Any] = {}
        self._keys: jwt.PyJWKSet | None = None
        self._fresh_until = 0.0

    async def begin(self, round_id: str) -> tuple[str, str] | OidcRefusal:
        """(address to go to, sealed flow to bring back)."""
        if not await self._discover():
            return OidcRefusal.AWAY
        flow = Flow(
            round_id, secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48),
            time.time() + FLOW_LIFETIME_S,
        )  # fmt: skip
        challenge = base64.urlsafe_b64encode(hashlib.sha256(flow.verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code", "client_id": self._client.client_id, "scope": self._client.scope,
            "redirect_uri": self._client.redirect_uri, "state": flow.state, "nonce": flow.nonce,
            "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        sealed = base64.urlsafe_b64encode(seal(self._key, msgspec.json.encode(flow), b"oidc-flow")).decode()
        endpoint = str(self._discovered["authorization_endpoint"])
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}", sealed

    def opened(self, round_id: str, sealed: str, state: str) -> Flow | None:
        """The flow that this browser began in this round, or None; the caller sees to it that it is used once."""
        flow = self._open(sealed)
        if flow is None or flow.round != round_id or not secrets.compare_digest(flow.state.encode(), state.encode()):
            return None
        return flow

    async def finish(self, flow: Flow, code: str) -> Proven | OidcRefusal:
        """What the issuer says about whoever came back from `flow` with `code`."""
        if not await self._discover():
            return OidcRefusal.AWAY
        tokens = await self._exchange(code, flow.verifier)
        if isinstance(tokens, OidcRefusal):
            return tokens
        claims = await self._claims(str(tokens.get("id_token", "")), flow.nonce)
        if claims is None:
            return OidcRefusal.BAD_CODE
        if self._client.claim_phone not in claims and "userinfo_endpoint" in self._discovered:
            claims = {**await self._user_info(str(tokens.get("access_token", "")), str(claims["sub"])), **claims}
        return self._proven(claims)

    def _proven(self, claims: dict[str, Any]) -> Proven | OidcRefusal:
        phone, verified = claims.get(self._client.claim_phone), self._client.claim_phone_verified
        if not isinstance(phone, str) or (verified and claims.get(verified) is not True):
            return OidcRefusal.NO_PHONE
        return Proven(phone, str(claims.get(self._client.claim_national_id) or ""))

    def _open(self, sealed: str) -> Flow | None:
        try:
            raw = base64.urlsafe_b64decode(sealed.encode())
            flow = msgspec.json.decode(unseal(self._key, raw, b"oidc-flow"), type=Flow)
        except (ValueError, SealBroken):
            return None
        return flow if flow.expires > time.time() else None

    async def _discover(self) -> bool:
        """Read the discovery document and the issuer's keys; what was read stays good when the issuer is away."""
        if time.monotonic() < self._fresh_until:
            return True
        document = await self._json("GET", f"{self._client.issuer}/.well-known/openid-configuration")
        if document is not None and document.get("issuer") == self._client.issuer:
            keys = await self._json("GET", str(document.get("jwks_uri", "")))
            try:
                self._keys = jwt.PyJWKSet.from_dict(keys or {})
            except jwt.PyJWTError:
                log.warning("issuer has no keys")
            else:
                self._discovered, self._fresh_until = document, time.monotonic() + _DISCOVERY_FRESH_S
        return bool(self._discovered) and self._keys is not None

    async def _exchange(self, code: str, verifier: str) -> dict[str, Any] | OidcRefusal:
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self._client.redirect_uri,
            "client_id": self._client.client_id, "client_secret": self._client.secret, "code_verifier": verifier,
        }  # fmt: skip
        found = await self._json("POST", str(self._discovered["token_endpoint"]), form)
        if found is None:
            return OidcRefusal.AWAY
        return OidcRefusal.BAD_CODE if "error" in found else found

    async def _claims(self, token: str, nonce: str) -> dict[str, Any] | None:
        """Claims of a genuine token of this very flow; keys may have changed since they were read."""
        for fresh in (False, True):
            if fresh:
                self._fresh_until = 0.0
                await self._discover()
            try:
                claims: dict[str, Any] = self._decode(token)
            except KeyError:
                continue
            except jwt.PyJWTError as error:
                log.warning("issuer's token refused", extra={"failure": type(error).__name__})
                return None
            return claims if claims.get("nonce") == nonce else None
        return None

    def _decode(self, token: str) -> dict[str, Any]:
        assert self._keys is not None
        key = self._keys[jwt.get_unverified_header(token).get("kid", "")]
        found: dict[str, Any] = jwt.decode(
            token, key, algorithms=_ALGORITHMS, audience=self._client.client_id, issuer=self._client.issuer,
            leeway=30, options={"require": ["exp", "iat", "sub", "aud", "iss"]},
        )  # fmt: skip
        return found

    async def _user_info(self, access_token: str, subject: str) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {access_token}"}
        found = await self._json("GET", str(self._discovered["userinfo_endpoint"]), headers=headers)
        return found if found is not None and found.get("sub") == subject else {}

    async def _json(
        self, method: str, url: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any] | None:
        """A JSON object, errors of the protocol (400, 401) included; None when the issuer is away."""
        try:
            answer = await self._http.request(method, url, data=form, headers=headers)
            if answer.status_code not in (200, 400, 401) or len(answer.content) > _REPLY_MAX_BYTES:
                log.warning("issuer refused", extra={"status": answer.status_code})
                return None
            found: dict[str, Any] = msgspec.json.decode(answer.content, type=dict[str, Any])
        except (httpx.HTTPError, httpx.InvalidURL, msgspec.MsgspecError) as error:
            log.warning("issuer failed", extra={"failure": type(error).__name__})
            return None
        return found

    async def close(self) -> None:
        await self._http.aclose()
