"""A provider of logins by OpenID Connect: authorization code with PKCE, and identities whose signatures hold.

The endpoints and keys are the provider's own word, read over https from the issuer that the settings name.
"""

import base64
import hashlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode

from balsam.exceptions import LoginRefusedError, ServerError
from balsam.server.logins.settings import Provider, is_safe

__all__ = ["Identity", "OpenIdProvider"]

#: Signatures by keys that only the provider has; never ``none``, never a shared secret.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_TIMEOUT_SEC = 10.0
_KEPT_SEC = 3600.0
#: Keys that are not there are not looked for more often, whatever tokens name.
_KEYS_PAUSE_SEC = 10.0
_LEEWAY_SEC = 30


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is to a provider, and what they may like to be called."""

    issuer: str
    subject: str
    name: str


class OpenIdProvider:
    """One provider; what it says of itself is kept for an hour."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}
        self._looked_again = float("-inf")

    def login_address(self, back: str, state: str, nonce: str, verifier: str) -> str:
        """Return where a browser goes to log in; it comes back with ``state``."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
        query = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": back,
            "scope": self._provider.scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
        }
        return f"{self._endpoint('authorization_endpoint')}?{urlencode(query)}"

    def identity(self, code: str, back: str, nonce: str, verifier: str) -> Identity:
        """Exchange the code that a browser came back with; raises LoginRefusedError, ServerError."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": verifier,
        }
        claims = self._checked(self._exchange(form))
        if claims.get("nonce") != nonce:
            raise self._refused("the answer belongs to another login")
        if claims.get("azp", self._provider.client_id) != self._provider.client_id:
            raise self._refused("the answer is for another program")
        name = next(
            (claims[key] for key in ("preferred_username", "email") if claims.get(key)), claims["sub"]
        )
        return Identity(str(claims["iss"]), str(claims["sub"]), str(name))

    def _exchange(self, form: dict[str, str]) -> str:
        """Return the ID token that the code is good for."""
        provider, methods = self._provider, self._about().get("token_endpoint_auth_methods_supported")
        auth: tuple[str, str] | None = None
        if provider.client_secret and "client_secret_basic" in (methods or ["client_secret_basic"]):
            auth = (quote_plus(provider.client_id), quote_plus(provider.client_secret))
        else:
            form = {**form, "client_id": provider.client_id}
            form |= {"client_secret": provider.client_secret} if provider.client_secret else {}
        answer = self._send("POST", self._endpoint("token_endpoint"), data=form, auth=auth)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise self._refused(f"it answered {str(answer.get('error', 'without an id_token'))[:60]}")
        return token

    def _checked(self, token: str) -> dict[str, Any]:
        """Return the claims of an ID token whose signature, issuer, audience and times hold."""
        import jwt

        try:
            header = jwt.get_unverified_header(token)
            key = self._key(str(header.get("kid", "")), str(header.get("alg", "")))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._provider.client_id,
                issuer=self._about()["issuer"],
                leeway=_LEEWAY_SEC,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise self._refused(f"its answer cannot be trusted: {error}") from error
        return claims

    def _key(self, key_id: str, algorithm: str) -> Any:
        """Return the key that a token names, for the one algorithm that the token and the key agree on."""
        import jwt

        if algorithm not in _ALGORITHMS:
            raise jwt.InvalidAlgorithmError(f"{algorithm!r} is no signature that is accepted")
        found = self._named_key(key_id, _KEPT_SEC)
        if found is None and time.monotonic() - self._looked_again > _KEYS_PAUSE_SEC:
            self._looked_again = time.monotonic()
            found = self._named_key(key_id, 0.0)  # it may be new
        if found is None:
            raise jwt.InvalidKeyError("it is signed with a key that the provider does not name")
        return jwt.PyJWK(dict(found), algorithm)

    def _named_key(self, key_id: str, max_age_sec: float) -> Mapping[str, Any] | None:
        told = self._get(self._endpoint("jwks_uri"), max_age_sec).get("keys", [])
        keys = [key for key in told if isinstance(key, Mapping) and _fits(key, key_id)]
        return keys[0] if len(keys) == 1 else None

    def _about(self) -> dict[str, Any]:
        """Return what the provider says of itself."""
        issuer = self._provider.issuer
        about = self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration", _KEPT_SEC)
        if about.get("issuer") != issuer:
            raise self._failed(f"it says that it is {str(about.get('issuer'))[:200]!r}, not {issuer!r}")
        return about

    def _endpoint(self, name: str) -> str:
        address = str(self._about().get(name, ""))
        if not is_safe(address):
            raise self._failed(f"its {name} is {address[:200]!r}")
        return address

    def _get(self, address: str, max_age_sec: float) -> dict[str, Any]:
        with self._lock:
            since, told = self._kept.get(address, (0.0, {}))
            if told and time.monotonic() - since < max_age_sec:
                return told
            told = self._send("GET", address)
            self._kept[address] = (time.monotonic(), told)
            return told

    def _send(self, method: str, address: str, **options: Any) -> dict[str, Any]:
        import httpx

        try:
            answer = httpx.request(method, address, timeout=_TIMEOUT_SEC, **options)
            if method == "GET":
                answer.raise_for_status()
            told = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise self._failed(str(error) or type(error).__name__) from error
        if not isinstance(told, Mapping):
            raise self._failed("its answer is no JSON object")
        return dict(told)

    def _failed(self, why: str) -> ServerError:
        return ServerError(f"{self._provider.name} does not answer as it should: {why}.")

    def _refused(self, why: str) -> LoginRefusedError:
        return LoginRefusedError(f"{self._provider.name} did not log you in: {why}. Try it once more.")


def _fits(key: Mapping[str, Any], key_id: str) -> bool:
    """Say whether a key may be the one that a token names, if it names one."""
    return key.get("use", "sig") == "sig" and (not key_id or key.get("kid") == key_id)
