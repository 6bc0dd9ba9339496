"""Review in Prefect: a run that waits for people is suspended, with a form, and goes on when they have decided, wherever they did.

Suspended, it has no process and no slot. The form is one way to answer; a verdict that is given in a gallery or on the command line is
another: whoever sees it there, or recovery, looks through the runs that wait, and resumes those of which enough is decided.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http.client import NOT_FOUND
from typing import Annotated, Any, Literal, NoReturn
from uuid import uuid4

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import Pause, PrefectHTTPStatusError
from prefect.input import RunInput
from prefect.input.run_input import keyset_from_base_key
from prefect.logging import get_run_logger
from prefect.states import Paused
from prefect.utilities.engine import propose_state
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, WithJsonSchema, create_model

from blocks import AssetStore
from genmedia.campaign.review import Again, Answers, Waiting, given
from genmedia.errors import Fault, GenmediaError, InputError
from genmedia.journal import Journal, StoredAsset
from genmedia.progress import Log
from genmedia.purchasing.result import WAITING
from genmedia.text.plain import for_markdown
from tasks.events import tell_of_review
from tasks.lost_runs import read_runs
from tasks.parts import PartRuns
from tasks.reporting import FORM, publish_waiting, sheet_of

REVIEW = "genmedia.review"
"""Label of a run that waits for people, or has waited: what it waits for, as JSON."""

QUIET = timedelta(seconds=30)
"""Time without a further verdict after which a run goes on though some items are left: whoever decides on one may be about to on the next."""

NAMED = 40
"""Most items that the text above the form names."""

CHOICES = 500
"""Most items that the form offers to choose from; the names of more are typed."""


class _Held(BaseModel):
    """What a run waits for.

    Attributes:
        campaign: Name of its campaign.
        store: Name of the saved store whose journal has the verdicts.
        heard: Number of the last review that the run knew.
        since: Time from which the newest item waits that people were told of.
        until: Time of the first deadline; None for none.
        asked: Beginning of the keys under which Prefect keeps its form and the answer.
    """

    model_config = ConfigDict(frozen=True)

    campaign: str
    store: str
    heard: int
    since: AwareDatetime
    until: AwareDatetime | None
    asked: str = ""


def _held_by(run: FlowRun) -> _Held | None:
    told = run.labels.get(REVIEW)
    return _Held.model_validate_json(told) if isinstance(told, str) else None


class Retake(BaseModel):
    """An item that is to be bought again."""

    item: str = Field(title="Item")
    prompt: str = Field(
        default="", title="Prompt", description="What the new one is to show; left empty, the words stay as they are."
    )


class Decision(RunInput):
    """A person's verdicts on what waits."""

    name: str = Field(default="", title="Your name", description="Please fill it in: it stands beside each of your decisions.")
    keep: list[str] = Field(default=[], title="Keep", description="These are good: what is made of them is bought now.")
    reject: list[str] = Field(default=[], title="Reject", description="These are not used, and nothing is made of them.")
    retake: list[Retake] = Field(
        default=[], title="Make again", description="These are bought once more, and you are asked about the new ones."
    )
    rest: Literal["decide later", "keep", "reject"] = Field(
        default="decide later", title="All others", description="What becomes of all that you have not named above."
    )
    why: str = Field(default="", title="Why", description="A reason, for all who look at it later. May be left empty.")

    @classmethod
    def about(cls, names: Sequence[str]) -> "type[Decision]":
        """Return the form in which these names are chosen and not typed, unless they are too many; Prefect takes no others then."""
        if not 0 < len(names) <= CHOICES:
            return cls
        one: Any = Annotated[str, WithJsonSchema({"type": "string", "enum": list(names)})]
        own = cls.model_fields
        again: Any = create_model("Retake", __base__=Retake, item=(one, Retake.model_fields["item"]))
        lists: dict[str, Any] = {"keep": list[one], "reject": list[one], "retake": list[again]}
        fields: Any = {name: (kind, own[name]) for name, kind in lists.items()}
        return create_model("Decision", __base__=cls, **fields)

    @property
    def answers(self) -> Answers:
        """The same as the library reads it."""
        retakes = [Again(one.item.strip(), one.prompt) for one in self.retake]
        return Answers(self.name, self.keep, self.reject, retakes, "" if self.rest == "decide later" else self.rest, self.why)


async def wait_for_review(run: FlowRun, store: str, waiting: Waiting, assets: AssetStore) -> None:
    """Show what waits, tell of it in an event, and suspend the current run, which ends its process.

    Args:
        run: The run.
        store: Name of its saved store.
        waiting: What waits for people.
        assets: The store.
    """
    items = {one.name: one.assets for one in waiting.items}
    async with assets.get_store() as opened:
        sheet = await sheet_of(items.items(), opened)
    await publish_waiting(waiting, assets, sheet)
    async with get_client() as client:
        before = _held_by(await client.read_flow_run(run.id))
    if before is None or waiting.since > before.since:
        tell_of_review(waiting, assets.in_gallery(campaign=waiting.campaign))
    held = _Held(
        campaign=waiting.campaign,
        store=store,
        heard=waiting.heard,
        since=waiting.since,
        until=waiting.until,
    )
    await _suspend(run, held, list(items), _question(held, list(items), sheet, assets))


async def hear(run: FlowRun, find: Callable[[str], Awaitable[AssetStore]]) -> None:
    """Write down what a person has answered in the form of a run that was resumed by it. A wrong answer suspends the run again.

    Args:
        run: The current run.
        find: Gives a saved store by its name.
    """
    held = _held_by(run)
    if held is None or not held.asked:
        return
    key = keyset_from_base_key(held.asked)["response"]
    async with get_client() as client:
        try:
            told = json.loads(await client.read_flow_run_input(run.id, key))
        except PrefectHTTPStatusError as error:
            if error.response.status_code != NOT_FOUND:
                raise
            return  # it was resumed without an answer: people have decided elsewhere
    answers = Decision(**told).answers
    assets = await find(held.store)
    async with assets.get_journal() as journal:
        items, undecided = await _items(journal, held.campaign)
        try:
            said = given(answers, items, undecided)
            await journal.reviews.give(said)
        except InputError as error:
            get_run_logger().warning("the answer of %s cannot be used: %s", answers.name or "somebody", error)
            async with assets.get_store() as opened:
                sheet = await sheet_of([(name, items[name]) for name in undecided], opened)
            await _suspend(run, held, undecided, _question(held, undecided, sheet, assets, error.faults))
    get_run_logger().info("%s has decided on %d files", answers.name, len(said))
    async with get_client() as client:
        await client.delete_flow_run_input(run.id, key)


async def _items(journal: Journal, campaign: str) -> tuple[Mapping[str, Sequence[StoredAsset]], Sequence[str]]:
    """Return the files of each item of a campaign that waits for people or did, by its name, and the names of those that do now."""
    wanted = await journal.reviews.wanted(campaign)
    found = [one for one in await journal.standings(campaign) if one.attempt.key in wanted]
    files = await journal.assets_of([one.attempt.id for one in found])
    return {one.step: files[one.attempt.id] for one in found}, [one.step for one in found if one.undecided]


async def _suspend(run: FlowRun, held: _Held, names: Sequence[str], question: str) -> NoReturn:
    """Suspend the current run, as `prefect.flow_runs.suspend_flow_run` does, under a name that says for what it waits.

    Args:
        run: The run.
        held: What it waits for.
        names: Names of the items that wait.
        question: Text above its form, as Markdown.

    Raises:
        Pause: Always; it ends the process of the run.
    """
    key = str(uuid4())
    held = held.model_copy(update={"asked": f"review-{key}"})
    keys = keyset_from_base_key(held.asked)
    state = Paused(name=WAITING, message=_told(names), reschedule=True, pause_key=key)
    state.state_details.run_input_keyset = dict(keys)  # pyright: ignore[reportAttributeAccessIssue] # of texts, as Prefect's own
    await PartRuns(run).renew()
    async with get_client() as client:
        await client.update_flow_run_labels(run.id, {REVIEW: held.model_dump_json()})
        suspended = await propose_state(client, state, flow_run_id=run.id)
        await Decision.about(names).with_initial_data(description=question).asave(keys, run.id)
    raise Pause(state=suspended)


def _told(names: Sequence[str]) -> str:
    return f"{len(names)} {'item waits' if len(names) == 1 else 'items wait'} for review; {FORM}"


def _question(held: _Held, names: Sequence[str], sheet: str, assets: AssetStore, faults: Sequence[Fault] = ()) -> str:
    """Text above the form, as Markdown: what was wrong with the last answer, what waits, and its pictures."""
    shown = ", ".join(for_markdown(name) for name in names[:NAMED])
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    end = f" Where nobody decides by {held.until:%Y-%m-%d %H:%M} UTC, the default counts." if held.until else ""
    gallery = assets.in_gallery(campaign=held.campaign)
    wrong = ["Nothing was decided yet, as the last answer cannot be used:", *(f"**{for_markdown(str(one))}**" for one in faults)]
    parts = [
        *(wrong if faults else ()),
        f"These wait for review: {shown}{more}. Choose below what becomes of each.{end} The artifacts of the run show them too.",
        f"[See them larger in the gallery]({gallery})." if gallery else "",
        sheet,
    ]
    return "\n\n".join(filter(None, parts))


async def look_after_reviews(find: Callable[[str], Awaitable[AssetStore]], log: Log, quiet: timedelta = QUIET) -> None:
    """Resume the runs of which enough is decided: all, or some and nothing more since a while, or a deadline is over.

    Args:
        find: Gives a saved store by its name.
        log: Where it is told which runs could not be looked after.
        quiet: Time without a further verdict after which some are enough.
    """
    chosen = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED])))
    async with get_client() as client:
        for run in await read_runs(client, chosen):
            held = _held_by(run)
            if held is None or run.state is None or run.state.name != WAITING:
                continue
            try:
                async with (await find(held.store)).get_journal() as journal:
                    enough = await _is_enough(journal, held, quiet)
            except GenmediaError as error:
                log.warning("it is not known whether %s can go on: %s", run.name, error)
                continue
            if enough:
                await client.resume_flow_run(run.id, run_input={})


async def _is_enough(journal: Journal, held: _Held, quiet: timedelta) -> bool:
    now = datetime.now(UTC)
    if held.until and held.until <= now:
        return True
    wanted = await journal.reviews.wanted(held.campaign)
    news = [
        one
        for one in await journal.reviews.history(held.campaign, after=held.heard)
        if one.opinion.verdict and one.subject.key in wanted
    ]
    return bool(news) and (now - news[-1].at >= quiet or not await journal.reviews.undecided(held.campaign))
