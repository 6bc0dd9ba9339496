"""A company: an account at each of the four providers, and a bucket of a real S3 server from which its FLORA may read."""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import SecretStr

from blocks import AssetStore
from blocks.credentials import ProviderCredentials
from deployments.bootstrap import CREDENTIALS
from genmedia.store import Place
from tests.buckets import Buckets
from tests.sandboxes import Sandbox, running_sandbox

CUP = {"name": "cup", "model": "imagen4", "prompt": "a red cup", "ratio": "square"}
BLUR = {"name": "blur", "technique": "studio-blur", "inputs": [{"id": "input_image", "step": "cup"}]}
SKETCH = {"name": "sketch", "base_model": "stable", "prompt": "a blue cup", "seed": 7}
FRAMED = {"name": "framed", "technique": "studio-blur", "inputs": [{"id": "input_image", "step": "sketch"}]}
FILM = {"name": "film", "model": "veo3_fast", "prompt": "steam rises", "references": [{"step": "cup"}]}


@contextmanager
def running_world(buckets: Buckets) -> Generator[Sandbox]:
    """A sandbox whose FLORA reads from the S3 server."""
    options = {"clock_scale": 50, "size": 256, "input_origins": [buckets.url]}
    with running_sandbox(json.dumps(options)) as sandbox:
        yield sandbox


class Company:
    """Accounts at all providers, and a bucket."""

    def __init__(self, world: Sandbox, place: Place, journal: str) -> None:
        self.world = world
        self.place = place
        self.accounts = {provider: world.new_account(provider) for provider in ("algovera", "flora", "generio", "genova")}
        self.name = self.accounts["flora"]["account"]
        self.store = AssetStore(
            root=place.root,
            journal=SecretStr(journal),
            s3_key=place.key,
            s3_secret=SecretStr(place.secret),
            s3_endpoint=place.endpoint,
        )

    def payer(self, provider: str, name: str) -> ProviderCredentials:
        """The block that pays at a provider."""
        assert name == self.name
        account = self.accounts[provider]
        more: dict[str, Any] = {"input_origins": [self.place.endpoint]} if provider == "flora" else {}
        more |= {"price": 1} if provider == "generio" else {}
        known = {"api_key": account["api_key"], "base_url": account["base_url"], "account": self.name}
        return CREDENTIALS[provider.upper()].model_validate(known | more)

    def wish(self, name: str, steps: tuple[dict[str, Any], ...], parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of a campaign of these steps that this company pays for and keeps."""
        accounts = dict.fromkeys(self.accounts, self.name)
        return {"campaign": {"name": name, "steps": steps}, "accounts": accounts, "store": self.name, **parameters}

    @property
    def bought(self) -> int:
        """How many jobs all providers have from it."""
        return sum(len(self.world.jobs(account)) for account in self.accounts.values())

    def asked(self, provider: str, route: str) -> int:
        """How many requests to a route it has sent."""
        lines = self.world.requests(self.accounts[provider])
        return sum(line["count"] for line in lines if line["route"].endswith(route))
