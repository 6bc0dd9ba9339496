"""Parameters about the accounts of all providers that there are. To know these, all providers are loaded."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, create_model

from genmedia.campaign.forms.parameters import payer
from genmedia.forms.fields import field, show_plainly
from genmedia.providers.registry import providers


def _cap(title: str, note: str) -> Any:
    return field(title, f"In {title}'s own credits{note}.", example=10, default=None, ge=0, allow_inf_nan=False)


if TYPE_CHECKING:

    class Accounts(BaseModel):
        """Names of the credentials blocks that pay, by provider."""

    class Caps(BaseModel):
        """The most that each provider may be paid, in its own credits; empty for no limit."""
else:
    _SHOWN = sorted(providers().values(), key=lambda one: one.name)
    Accounts = create_model(
        "Accounts",
        __doc__="Names of the credentials blocks that pay.",
        __config__=ConfigDict(extra="forbid", frozen=True),
        **{one.name: (Annotated[str, payer(one.title, one.title)], "default") for one in _SHOWN},
    )
    Caps = create_model(
        "Caps",
        __doc__="The most that each provider may be paid, in its own credits; empty for no limit.",
        __config__=ConfigDict(extra="forbid", frozen=True, json_schema_extra=show_plainly),
        **{one.name: (float | None, _cap(one.title, one.cap_note)) for one in _SHOWN},
    )


Payers = Annotated[Accounts, field("Accounts", "Whose saved keys pay, one of each provider that the steps name.")]
