"""Events of a campaign's run, for automations: what became of its items, that its budget does not allow what it asks for, or people decide.

Prefect's own thread adds the flow run, with what belongs to it, and sends them; an unreachable server causes no delay here.
"""

from collections.abc import Generator
from contextlib import contextmanager, suppress

from prefect.events import emit_event
from prefect.exceptions import EventTooLarge

from genmedia.campaign.review import Waiting
from genmedia.errors import BudgetError, ContentRefusedError, GenmediaError, InDoubtError, MediaError
from genmedia.journal.order import Order
from genmedia.purchasing.buy import Outcome, Purchase

BUDGET_SHORT, BUDGET_REACHED = "genmedia.budget.short", "genmedia.budget.reached"
"""A budget, a cap, a hold or a balance does not allow a campaign's plan, of which nothing was bought; or ends what it buys on its way."""

REVIEW_WANTED = "genmedia.review.wanted"
"""A run begins to wait for people to decide on something new."""

_FAULTS: tuple[tuple[type[GenmediaError], str], ...] = (
    (ContentRefusedError, "refused"),
    (MediaError, "quarantined"),
    (InDoubtError, "in_doubt"),
)


class ItemEvents:
    """The events of one run's items."""

    def __init__(self) -> None:
        self._reached = set[str]()

    @contextmanager
    def of(self, order: Order) -> Generator[None]:
        """Tell of an error that ends this block."""
        try:
            yield
        except BudgetError as error:
            campaign = order.purpose.campaign
            if campaign not in self._reached:  # one for all items that it ends
                self._reached.add(campaign)
                tell_of_budget(BUDGET_REACHED, campaign, str(error))
            raise
        except GenmediaError as error:
            if word := next((word for kind, word in _FAULTS if isinstance(error, kind)), ""):
                tell_of_item(word, order, str(error))
            raise

    def bought(self, purchase: Purchase) -> Purchase:
        """Tell of a purchase, where this run has made it; returns it."""
        if purchase.outcome is Outcome.BOUGHT:
            tell_of_item("bought", purchase.order, f"{purchase.order.purpose.step} was bought ({purchase.about}).")
        return purchase

    def stored(self, order: Order) -> None:
        """Tell that the files of an item are in the store."""
        tell_of_item("stored", order, f"{order.purpose.step} is in the store.")


def tell_of_item(what: str, order: Order, told: str) -> None:
    """Emit `genmedia.item.WHAT`.

    Args:
        what: One word for it.
        order: The item's order.
        told: A sentence about it, for people.
    """
    wanted = order.purpose
    _emit(
        f"genmedia.item.{what}",
        {"prefect.resource.id": f"genmedia.item.{wanted.campaign}.{wanted.step}", "prefect.resource.name": wanted.step},
        wanted.campaign,
        told=told,
        item=wanted.step,
        provider=order.account.provider,
        operation=order.operation,
        submission_key=order.key,
        price=order.price,
        unit=order.unit,
    )


def tell_of_budget(event: str, campaign: str, told: str) -> None:
    """Emit an event about the budget of a campaign, with a sentence about it."""
    resource = {"prefect.resource.id": f"genmedia.campaign.{campaign}", "prefect.resource.name": campaign}
    _emit(event, resource, campaign, told=told)


def tell_of_review(waiting: Waiting, link: str) -> None:
    """Emit `genmedia.review.wanted`.

    Args:
        waiting: What waits for people.
        link: Address of the gallery in which they can decide; empty while none is served.
    """
    resource = {"prefect.resource.id": f"genmedia.campaign.{waiting.campaign}", "prefect.resource.name": waiting.campaign}
    _emit(REVIEW_WANTED, resource, waiting.campaign, told=waiting.told, count=len(waiting.items), link=link)


def _emit(event: str, resource: dict[str, str], campaign: str, **payload: str | float | None) -> None:
    related = [{"prefect.resource.id": f"genmedia.campaign.{campaign}", "prefect.resource.role": "campaign"}]
    with suppress(EventTooLarge):  # every other fault is logged by Prefect, and raised nowhere
        emit_event(event, resource=resource, related=related, payload={"campaign": campaign, **payload})
