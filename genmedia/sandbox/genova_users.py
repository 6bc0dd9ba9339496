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

from genmedia.sandbox.accounts import Account, new_token
from genmedia.sandbox.provider import Services

PROVIDER = "genova"
KEY_PREFIX = "af_"
TOKEN_LIFETIME = 86_400.0
"""Nominal seconds that a JWT holds."""

_SHOWN = 10


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
            for key in self.keys(account):
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
        claims = {"sub": self.id_of(account), "email": self.email(account), "iat": now, "exp": now + int(TOKEN_LIFETIME)}
        signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        return f"{signed}.{self._sign(signed)}"

    def email(self, account: Account) -> str:
        """An address nobody owns."""
        return f"{account.name}@sandbox.invalid"

    def name(self, account: Account) -> str:
        """What the user is called."""
        return self._names.get(account, account.name)

    def rename(self, account: Account, name: str) -> None:
        """Call the user something else."""
        self._names[account] = name

    def keys(self, account: Account) -> list[Key]:
        """The keys that open the account; the one it came with is among them until it is revoked or rotated."""
        kept = self._keys[account]
        known = {key.secret for key in kept.values()}
        if account.api_key not in known and self._accounts.with_key(PROVIDER, account.api_key) is account:
            self._keep(account, Key("Default", account.api_key, self._clock.now()))
        return [key for key in kept.values() if self._accounts.with_key(PROVIDER, key.secret) is account]

    def add_key(self, account: Account, name: str) -> Key:
        """Make another key."""
        key = Key(name, KEY_PREFIX + new_token(40), self._clock.now())
        self._accounts.admit_key(account, key.secret)
        self._keep(account, key)
        return key

    def revoke_key(self, account: Account, key_id: str) -> bool:
        """Make a key useless for good; False when the account has no such key."""
        key = next((key for key in self.keys(account) if key.id == key_id), None)
        if key is None:
            return False
        self._accounts.revoke_key(account, key.secret)
        return True

    def show_key(self, key: Key) -> dict[str, Any]:
        """A key without its secret."""
        return {
            "id": key.id,
            "name": key.name,
            "prefix": key.secret[:_SHOWN],
            "created_at": iso(key.created_at),
            "last_used_at": iso(key.last_used_at),
        }

    def forget(self, account: Account) -> None:
        """Revoke the keys that were made here, and drop the name."""
        for key in self._keys.pop(account, {}).values():
            if key.secret != account.api_key:
                self._accounts.revoke_key(account, key.secret)
        self._accounts.admit_key(account, account.api_key)
        self._names.pop(account, None)

    def _keep(self, account: Account, key: Key) -> None:
        self._keys[account][key.id] = key

    def _sign(self, text: str) -> str:
        return _base64(hmac.new(self._secret, text.encode(), "sha256").digest())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _encode(claims: dict[str, Any]) -> str:
    return _base64(json.dumps(claims, separators=(",", ":")).encode())


def _decode(part: str) -> dict[str, Any]:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
