"""A shop: accounts at FLORA, Genova and Algovera, and one store for all, which carries out campaigns' files."""

from pathlib import Path
from typing import Any

from blocks.credentials import ProviderCredentials
from genmedia.campaign.direct import Direct
from genmedia.campaign.forms.campaign import campaign
from genmedia.campaign.run import Ended, Prospect, plan_campaign, run_campaign
from tests.studio import Studio


class Shop:
    """Accounts, and the store of that at FLORA.

    Attributes:
        away: Providers that nobody can reach: connections to them are refused.
    """

    def __init__(self, flora: Studio) -> None:
        self.sandbox = flora.sandbox
        genova, algovera = self.sandbox.new_account("genova", plan="Pro"), self.sandbox.new_account("algovera")
        self.studios = {
            "flora": flora,
            "genova": Studio(self.sandbox, genova, flora.root),
            "algovera": Studio(self.sandbox, algovera, flora.root),
        }
        self.file = flora.root.parent / f"{flora.root.name}.yaml"
        self.away: set[str] = set()

    def write(self, *steps: str, head: str = "") -> None:
        """Write the campaign's file."""
        self.file.write_text(f"campaign: cups\n{head}steps:\n" + "".join(f"  - {one}\n" for one in steps))

    def jobs(self, provider: str) -> list[dict[str, Any]]:
        """What the sandbox sold to its account."""
        return self.studios[provider].jobs

    def fault(self, provider: str, kind: str, **arguments: Any) -> None:
        """Script a fault of its account."""
        self.sandbox.fault(self.studios[provider].account, kind, **arguments)

    def payer(self, provider: str, _name: str) -> ProviderCredentials:
        """The block that pays."""
        found = self.studios[provider].credentials
        return found.model_copy(update={"base_url": "http://127.0.0.1:9"}) if provider in self.away else found

    async def apply(self, file: Path | None = None) -> Ended:
        """Carry the file out."""
        return await run_campaign(campaign(campaign=str(file or self.file)), Direct(self.studios["flora"].store, self.payer))

    async def plan(self, file: Path | None = None) -> Prospect:
        """Tell what it would do."""
        return await plan_campaign(campaign(campaign=str(file or self.file)), Direct(self.studios["flora"].store, self.payer))
