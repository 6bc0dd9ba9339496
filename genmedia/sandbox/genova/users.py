"""Genova's users: who they are, their keys, their tokens for the dashboard and the extensions."""

import base64
import hmac
import json
import os
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from genmedia.sandbox.accounts import Account, new_token
from genmedia.sandbox.genova.requests import read_object
from genmedia.sandbox.provider import Operation, Refusal, Services

PROVIDER = "genova"
KEY_PREFIX = "af_"
TOKEN_LIFETIME = 86_400.0
"""Nominal seconds that a JWT holds."""

LONGEST_NAME = 200

_SHOWN = 7


def iso(at: float | None) -> str | None:
    """A nominal time as the API writes it: ISO 8601 in UTC, whole seconds."""
    return None if at is None else datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Key:
    """One API key; only its beginning is ever shown again."""

    name: str
    secret: str
    created_at: float
    last_used_at: float | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


class Users:
    """What Genova knows about the accounts beyond their credits.

    Args:
        services: What all providers share.
    """

    def __init__(self, services: Services) -> None:
        self._clock = services.clock
        self._accounts = services.accounts
        self._secret = os.urandom(32)
        self._keys: defaultdict[Account, dict[str, Key]] = defaultdict(dict)
        self._names: dict[Account, str] = {}

    def routes(self) -> tuple[Operation, ...]:
        """The routes for keys and for the profile."""
        return (
            Operation("create_key", "POST", "/api/keys", self._create_key),
            Operation("list_keys", "GET", "/api/keys", self._list_keys),
            Operation("revoke_key", "DELETE", "/api/keys/{key_id}", self._revoke_key),
            Operation("get_me", "GET", "/api/user/me", self._get_me),
            Operation("put_me", "PUT", "/api/user/me", self._rename_me),
            Operation("patch_me", "PATCH", "/api/user/me", self._rename_me),
        )

    def id_of(self, account: Account) -> str:
        """The account's user id: the same as long as the account keeps its name."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{PROVIDER}/{account.name}"))

    def with_id(self, user_id: str | None) -> Account | None:
        """The account of that user, if there is one."""
        mine = (account for account in self._accounts if account.provider == PROVIDER)
        return next((account for account in mine if self.id_of(account) == user_id), None)

    def with_key(self, secret: str) -> Account | None:
        """The account that this key opens; the key counts as used."""
        account = self._accounts.with_key(PROVIDER, secret)
        if account is not None:
            for key in self._open_keys(account):
                if key.secret == secret:
                    key.last_used_at = self._clock.now()
        return account

    def with_token(self, token: str) -> Account | None:
        """The account of a JWT that this sandbox signed and that has not expired."""
        try:
            head, claims, signature = token.split(".")
            if not hmac.compare_digest(signature, self._sign(f"{head}.{claims}")) or _decode(head).get("alg") != "HS256":
                return None
            stated = _decode(claims)
        except ValueError:
            return None
        return self.with_id(stated["sub"]) if stated["exp"] > self._clock.now() else None

    def token(self, account: Account) -> str:
        """A new JWT (HS256) for the account."""
        now = int(self._clock.now())
        claims = {"sub": self.id_of(account), "email": _email(account), "iat": now, "exp": now + int(TOKEN_LIFETIME)}
        signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        return f"{signed}.{self._sign(signed)}"

    def forget(self, account: Account) -> None:
        """Revoke the keys that were made here, and drop the name."""
        for key in self._keys.pop(account, {}).values():
            if key.secret != account.api_key:
                self._accounts.revoke_key(account, key.secret)
        self._accounts.admit_key(account, account.api_key)
        self._names.pop(account, None)

    async def _create_key(self, request: Request, account: Account) -> Response:
        key = Key(await _read_name(request), KEY_PREFIX + new_token(40), self._clock.now())
        self._accounts.admit_key(account, key.secret)
        self._keep(account, key)
        return JSONResponse({**_show(key), "key": key.secret}, 201)

    async def _list_keys(self, request: Request, account: Account) -> Response:  # noqa: ARG002 -- a handler's signature
        return JSONResponse({"keys": [_show(key) for key in self._open_keys(account)]})

    async def _revoke_key(self, request: Request, account: Account) -> Response:
        key = next((key for key in self._open_keys(account) if key.id == request.path_params["key_id"]), None)
        if key is None:
            raise Refusal(404, "API key not found", "")
        self._accounts.revoke_key(account, key.secret)
        return JSONResponse({"success": True})

    async def _get_me(self, request: Request, account: Account) -> Response:  # noqa: ARG002 -- a handler's signature
        return JSONResponse(self._profile(account))

    async def _rename_me(self, request: Request, account: Account) -> Response:
        self._names[account] = await _read_name(request)
        return JSONResponse(self._profile(account))

    def _profile(self, account: Account) -> dict[str, Any]:
        return {
            "id": self.id_of(account),
            "email": _email(account),
            "name": self._names.get(account, account.name),
            "plan": account.plan and account.plan.name.lower(),
            "subscription_status": "active",
            "credits_remaining": account.credits,
            "credits_used": account.spent,
        }

    def _open_keys(self, account: Account) -> list[Key]:
        """The keys that open the account; the one it came with is among them until it is revoked or rotated."""
        kept = self._keys[account]
        known = {key.secret for key in kept.values()}
        if account.api_key not in known and self._accounts.with_key(PROVIDER, account.api_key) is account:
            self._keep(account, Key("Default", account.api_key, self._clock.now()))
        return [key for key in kept.values() if self._accounts.with_key(PROVIDER, key.secret) is account]

    def _keep(self, account: Account, key: Key) -> None:
        self._keys[account][key.id] = key

    def _sign(self, text: str) -> str:
        return _base64(hmac.new(self._secret, text.encode(), "sha256").digest())


def _show(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.secret[:_SHOWN],
        "created_at": iso(key.created_at),
        "last_used_at": iso(key.last_used_at),
    }


def _email(account: Account) -> str:
    return f"{account.name}@sandbox.invalid"


async def _read_name(request: Request) -> str:
    name = (await read_object(request)).get("name")
    if name is None:
        raise Refusal(400, "Missing required fields", "name is required")
    if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_NAME:
        raise Refusal(400, "Invalid parameters", f"name must be a string of 1 to {LONGEST_NAME} characters")
    return name


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _encode(claims: dict[str, Any]) -> str:
    return _base64(json.dumps(claims, separators=(",", ":")).encode())


def _decode(part: str) -> dict[str, Any]:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
