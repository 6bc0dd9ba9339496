"""People's marks on assets, from the journal or from what a gallery exports or copies, and the purchases that a run makes by them."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from genmedia.errors import Fault, InputError
from genmedia.forms.names import bare_name
from genmedia.forms.prompts import Prompt, prompt_of, seed_of, with_seed
from genmedia.forms.validation import in_words
from genmedia.journal import Attempt
from genmedia.journal.order import FREE, Order
from genmedia.journal.reviews import Opinion, Review, Subject
from genmedia.providers.drafts import Approval
from genmedia.store.named_files import local_path

IN_THE_JOURNAL = "journal"
"""The marks of a run that goes by the verdicts in the journal; a file of that name is `./journal`."""

UNMARKED = "not made before, and nobody asked for a retake of it (buy_unmarked buys it as well)"
UNMARKED_FEED = "made of something that is left out"
UNWANTED_FEED = "made of something that was rejected"
NONE_LEFT = "everything that it is made of was rejected"
REFUSED_FEED = "made of something that was refused"
DOUBTFUL_FEED = "made of something that is in doubt"
UNDECIDED_FEED = "made of something that waits for review"
REJECTED = "rejected"
OTHER_MARKS = "are others than the verdicts in the journal, by which a campaign with a `review` goes; leave them out"
SAME_AGAIN = (
    "{path} was made with the seed {seed}, which gives the same again: nothing is bought for it; give its mark another seed, in the gallery "
    'or in the file of marks, such as "seed": {other}'
)

UNUSABLE = "{path} is to be retaken with a prompt that cannot be used, and nothing is bought for it: {faults}"

TOLD = 3
"""Most retakes for which the reason is given why they are not the run's."""

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MarkedAsset(_Written):
    """One asset and its mark.

    Attributes:
        mark: Keep it, buy it again as another take, or do not use it.
        path: Its path below the store's root at that time.
        sha256: Hash of its bytes.
        submission_key: Key of the submission that gave it.
        output: Name of the output that it is of that submission.
        seed: Seed for the retake, if it is to be bought with another one than before; None for no other.
        prompt: Prompt for the retake, if it is to be bought with another one than before; empty for no other.
    """

    mark: Literal["keep", "retake", "reject"]
    path: str = Field(min_length=1)
    sha256: _Digest
    submission_key: _Digest
    output: str
    seed: int | None = None
    prompt: Prompt | Literal[""] = ""


class Marks(_Written):
    """All marks of one export.

    Attributes:
        marks: Version of the file's format.
        made: Time of the export.
        assets: Every asset that was marked.
    """

    marks: Literal[1]
    made: AwareDatetime
    assets: tuple[MarkedAsset, ...]

    def retakes(self) -> dict[str, MarkedAsset]:
        """The submissions to buy again, by their keys: a submission is retaken when any of its outputs is marked so."""
        marked = [asset for asset in self.assets if asset.mark == "retake"]
        told = sorted(marked, key=lambda asset: (asset.prompt != "", asset.seed is not None))
        return {asset.submission_key: asset for asset in told}

    def rejects(self) -> set[str]:
        """The keys of the submissions that are rejected, and not to be retaken for another of their outputs."""
        return {asset.submission_key for asset in self.assets if asset.mark == "reject"} - self.retakes().keys()

    def keeps(self) -> set[str]:
        """The keys of the submissions that are kept, and neither rejected nor to be retaken for another of their outputs."""
        others = {asset.submission_key for asset in self.assets if asset.mark != "keep"}
        return {asset.submission_key for asset in self.assets} - others


Reword = Callable[[Order, str], Order]
"""Returns an order with another prompt; see `genmedia.providers.steps.StepKind.reword`."""


@dataclass
class Selection:
    """The purchases that a run may make: all, or by a file of marks those marked retake. Stored outputs are reused in any case.

    Attributes:
        campaign: Campaign of the run.
        marks: The marks; None if the run was given none.
        known: The latest attempt for each marked submission that the journal knows, by its key.
        buy_unmarked: True if the run buys what is not marked as well.
        approvals: The steps of which nothing is made until a person keeps what they give, by their names.
        implied: True if nobody named the marks: a campaign's file goes by the verdicts, of which there may be none.
    """

    campaign: str = ""
    marks: Marks | None = None
    known: Mapping[str, Attempt] = field(default_factory=dict[str, Attempt])
    buy_unmarked: bool = False
    approvals: Mapping[str, Approval] = field(default_factory=dict[str, Approval])
    implied: bool = False
    _payers: dict[str, None] = field(default_factory=dict[str, None], init=False)
    _found: set[str] = field(default_factory=set[str], init=False)
    _unbought: dict[str, str] = field(default_factory=dict[str, str], init=False)

    def choose(self, order: Order, reword: Reword, fed_step: str = "") -> Order:
        """Return the order that the run may make: for a retake the first further take, or the same take with another seed.

        If nothing may be bought for it, its `withheld` says why.

        Args:
            order: The run's order.
            reword: Returns an order of its step's kind with another prompt.
            fed_step: Name of the step, if another one feeds it, else empty; see `may_buy`.
        """
        if self.marks is None:
            return order
        if order.free:  # what costs nothing follows from what it is made of, and made again it would be the same
            return replace(order, withheld=REJECTED) if order.key in self._rejects | self._retakes.keys() else order
        self._payers.setdefault(str(order.account))
        chosen = self._retaken(order, reword)
        if chosen is order and not self.may_buy(fed_step):
            chosen = replace(order, withheld=UNMARKED)
        # The same request for another edition is another one: it is rejected by its key alone.
        names = {chosen.key} if chosen.edition else {chosen.key, _asked(chosen)}
        return replace(chosen, withheld=REJECTED) if names & self._rejects else chosen

    def with_verdicts(self, said: Iterable[tuple[Subject, Opinion]]) -> "Selection":
        """Return the same with further verdicts, on outputs that have none."""
        assert self.marks is not None
        assets = (*self.marks.assets, *_marked(said))
        return replace(self, marks=self.marks.model_copy(update={"assets": assets}))

    def awaits(self, name: str, order: Order) -> bool:
        """True if nothing may be made of what a step gives until a person has decided on it.

        Args:
            name: Name of the step.
            order: Its order, as it was chosen.
        """
        return name in self.approvals and order.withheld != REJECTED and order.key not in self._keeps

    def may_buy(self, fed_step: str = "") -> bool:
        """True if the run may buy a submission that has no mark.

        Args:
            fed_step: Name of the step, if another one feeds it, else empty. Another take of its feeder makes its order a new one, which is
                bought if an earlier output of the step is marked retake.
        """
        asked_for = self._retaken_of.get(fed_step, set())
        self._found |= asked_for
        return self.marks is None or self.buy_unmarked or bool(asked_for)

    def tell(self) -> str:
        """Sentence on how many retakes are the run's, and why others are not: `1 retake, 0 of it known here: …`; empty without marks."""
        if self.marks is None:
            return ""
        if self.implied:  # verdicts are the usual there, and those of other editions are none of this one's
            return "; ".join(self._unbought.values())
        strangers = [key for key in self._retakes if key not in self._found]
        count = len(self._retakes)
        if not count:
            return "no retake is marked"
        whose = f"{count} {'retake' if count == 1 else 'retakes'}, {count - len(strangers)} of {'it' if count == 1 else 'them'} known here"
        whys = [f"{self._retakes[key].path} {self._why(key)}" for key in strangers[:TOLD]]
        if len(strangers) > TOLD:
            whys.append(f"and {len(strangers) - TOLD} more")
        return "; ".join([f"{whose}: {', '.join(whys)}" if whys else whose, *self._unbought.values()])

    @cached_property
    def _retakes(self) -> dict[str, MarkedAsset]:
        return self.marks.retakes() if self.marks else {}

    @cached_property
    def _keeps(self) -> set[str]:
        return self.marks.keeps() if self.marks else set()

    @cached_property
    def _rejects(self) -> set[str]:
        """Keys of the rejected submissions, and their requests: the same request by another account is rejected as well."""
        keys = self.marks.rejects() if self.marks else set[str]()
        return keys | {_asked(self.known[key]) for key in keys if key in self.known}

    @cached_property
    def _last_take(self) -> int:
        return max((self.known[key].take for key in self._retakes if key in self.known), default=0)

    def _retaken(self, asked: Order, reword: Reword) -> Order:
        """Return the first further order that is not marked retake; the same order if no take of it is marked so."""
        order, passed = asked, set[str]()
        while marked := self._marked_take(order, passed):
            mark, seed = self._retakes[marked.key], seed_of(marked.request)
            order = replace(marked, take=marked.take + marked.stride)
            reworded = mark.prompt not in ("", prompt_of(marked.request))
            if seed is not None and mark.seed in (None, seed) and not reworded:
                other = (seed + 1 + int(marked.key[:4], 16)) % 2**31
                self._unbought[marked.key] = SAME_AGAIN.format(path=mark.path, seed=seed, other=other)
                return replace(order, withheld=self._unbought[marked.key])
            if seed is not None and mark.seed not in (None, seed):
                order = replace(order, request=with_seed(order.request, mark.seed), take=asked.take)
            if reworded:
                try:
                    order = reword(order, mark.prompt)
                except InputError as error:
                    faults = "; ".join(map(str, error.faults))
                    self._unbought[marked.key] = UNUSABLE.format(path=mark.path, faults=faults)
                    return replace(order, withheld=self._unbought[marked.key])
        return order

    def _marked_take(self, order: Order, passed: set[str]) -> Order | None:
        """Return the last take of an order that is marked retake and is not in `passed`; add all takes found so to `passed`."""
        takes = [replace(order, take=take) for take in range(order.take, max(order.take, self._last_take) + 1, order.stride)]
        marked = [one for one in takes if one.key in self._retakes.keys() - passed]
        self._found |= {one.key for one in marked}
        passed |= {one.key for one in marked}
        return marked[-1] if marked else None

    @cached_property
    def _retaken_of(self) -> Mapping[str, set[str]]:
        """Submissions that are marked retake, by the step of the campaign for which they were bought.

        Once the names of a form's items had their place before their words, such as `01-cup`: journals of that time still have such names.
        """
        found = defaultdict[str, set[str]](set)
        for key in self._retakes:
            attempt = self.known.get(key)
            if attempt is None or attempt.campaign != self.campaign:
                continue
            named, place = attempt.purpose.step, attempt.purpose.place
            prefix = f"{place[0]['number']:02}-" if place and place[0]["name"] != "step" else ""
            for name in (named, named.removeprefix(prefix)):
                found[name].add(key)
        return dict(found)

    def _origin(self, key: str) -> tuple[str, str]:
        attempt = self.known.get(key)
        return (attempt.campaign, attempt.purpose.step) if attempt else ("", "")

    def _why(self, key: str) -> str:
        attempt = self.known.get(key)
        if attempt is None:
            return "is unknown to the journal of this store"
        if attempt.unit == FREE:
            return "was made here of other files: the same again would be the same file; mark what it was made of"
        if attempt.account not in self._payers:
            return f"was bought by {_named(attempt.account)}, and this run pays with {' and '.join(map(_named, self._payers))}"
        return f"was made for {' · '.join(filter(None, self._origin(key)))}, and is not what this run asks for"


def _asked(wish: Order | Attempt) -> str:
    """Text that identifies what is asked for, whichever account pays."""
    return json.dumps([wish.operation, wish.take, wish.request], sort_keys=True, allow_nan=False)


def _named(account: str) -> str:
    provider, _, name = account.split("|")
    return f"{provider}/{name}"


def marks_of(reviews: Iterable[Review]) -> Marks:
    """Return verdicts that count as marks."""
    return Marks(marks=1, made=datetime.now(UTC), assets=tuple(_marked((one.subject, one.opinion) for one in reviews)))


def _marked(said: Iterable[tuple[Subject, Opinion]]) -> Iterator[MarkedAsset]:
    for subject, opinion in said:
        if opinion.verdict in ("keep", "retake", "reject"):
            yield MarkedAsset(
                mark=opinion.verdict,
                path=subject.path,
                sha256=subject.sha256,
                submission_key=subject.key,
                output=subject.output,
                seed=opinion.seed,
                prompt=opinion.prompt,
            )


def read_marks(named: str) -> Marks:
    """Read marks that the gallery exported or copied.

    Args:
        named: The path of a file of marks that it exported, or the marks themselves, as it copied them.

    Raises:
        InputError: They cannot be read, or are no marks; with every fault and its place, such as `marks.json, assets[2].mark`.
    """
    pasted = named.lstrip().startswith("{")
    path = local_path(bare_name(named)) or Path(named)
    source = "marks" if pasted else str(path)
    try:
        return Marks.model_validate_json(named if pasted else path.read_bytes())
    except OSError as error:
        raise InputError([Fault(source, f"cannot be read: {error.strerror}")]) from None
    except ValidationError as error:
        raise InputError([Fault(_place(source, fault["loc"]), in_words(fault)) for fault in error.errors()]) from None


def _place(source: str, where: tuple[int | str, ...]) -> str:
    named = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).lstrip(".")
    return f"{source}, {named}" if named else source
