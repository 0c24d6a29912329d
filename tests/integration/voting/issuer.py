"""Somebody else's OpenID issuer on loopback: discovery, keys, code for token with PKCE, user info."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.local_server import Asked, Reply

CLIENT, SECRET = "pingxuan", "client-secret-of-a-test"


class Issuer:
    """Lets people sign in, by browser with the claims `in_browser`; `changes` go into next ID tokens, `user_info` is
    told apart."""

    def __init__(self) -> None:
        self.url, self.changes = "", dict[str, Any]()
        self.user_info: dict[str, Any] = {}
        self.mishaps: list[Reply] = []
        self.exchanges = 0
        self.in_browser: dict[str, Any] | None = None
        self._codes: dict[str, tuple[dict[str, str], dict[str, Any]]] = {}
        self.new_key()

    def new_key(self) -> None:
        self.key, self.key_id = ec.generate_private_key(ec.SECP256R1()), f"k{time.monotonic_ns()}"

    def sign_in(self, authorize_url: str, **claims: Any) -> dict[str, str]:
        """What a person's browser brings back after signing in at `authorize_url`."""
        query = dict(parse_qsl(urlsplit(authorize_url).query))
        assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
        code = f"code-{len(self._codes)}"
        self._codes[code] = (query, claims)
        return {"state": query["state"], "code": code}

    def _authorise(self, asked: Asked) -> Reply:
        """The issuer's own page, where whoever has a browser signs in as `in_browser`, or declines when it is None."""
        if self.in_browser is None:
            back = {"error": "access_denied", "state": asked.query["state"]}
        else:
            back = self.sign_in(f"{asked.path}?{asked.raw_query}", **self.in_browser)
        return Reply(b"", 302, {"location": f"{asked.query['redirect_uri']}?{urlencode(back)}"})

    async def __call__(self, asked: Asked) -> Reply:
        if self.mishaps:
            return self.mishaps.pop(0)
        match asked.path:
            case "/.well-known/openid-configuration":
                names = ("authorization", "token", "userinfo")
                ends = {f"{name}_endpoint": f"{self.url}/{name}" for name in names}
                return Reply({"issuer": self.url, "jwks_uri": f"{self.url}/keys", **ends})
            case "/authorization":
                return self._authorise(asked)
            case "/keys":
                public = jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
                return Reply({"keys": [{**public, "kid": self.key_id, "use": "sig", "alg": "ES256"}]})
            case "/token":
                return self._token(asked.form())
            case "/userinfo":
                return Reply(self.user_info)
        return Reply({}, 404)

    def _token(self, form: dict[str, str]) -> Reply:
        self.exchanges += 1
        query, claims = self._codes.pop(form["code"], ({}, {}))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        right = (form["client_id"], form["client_secret"], form["redirect_uri"], challenge.decode())
        if right != (CLIENT, SECRET, query.get("redirect_uri"), query.get("code_challenge")):
            return Reply({"error": "invalid_grant"}, 400)
        now = int(time.time())
        body = {"iss": self.url, "aud": CLIENT, "sub": "s1", "iat": now, "exp": now + 60, "nonce": query["nonce"]}
        token = jwt.encode({**body, **claims, **self.changes}, self.key, "ES256", headers={"kid": self.key_id})
        return Reply({"access_token": "at", "token_type": "Bearer", "id_token": token})
