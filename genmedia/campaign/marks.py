"""What a person thought of the assets in the gallery, read back from what the gallery exports or copies, and what a run buys by it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from genmedia.errors import Fault, InputError
from genmedia.forms.validation import in_words
from genmedia.journal import Attempt
from genmedia.journal.order import Order
from genmedia.store.named_files import bare_name, local_path

UNMARKED = "neither stored nor marked retake (buy_unmarked buys it as well)"
UNMARKED_FEED = "made from what is not bought"
REJECTED = "marked reject"
SAME_AGAIN = (
    "{path} was made with the seed {seed}, which gives the same again: nothing is bought for it; give its mark another seed, in the gallery "
    'or in the file of marks, such as "seed": {other}'
)

TOLD = 3
"""Of so many retakes that are not the run's it is told why."""

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MarkedAsset(_Written):
    """One asset, and what was thought of it.

    Attributes:
        mark: Keep it, buy it again as another take, or do not use it.
        path: Where it stood below the store's root.
        sha256: Of its bytes.
        submission_key: Of the submission that gave it.
        output: Which of that submission's outputs it is.
        seed: The seed to ask with, where what is to be bought again was asked for with another.
    """

    mark: Literal["keep", "retake", "reject"]
    path: str = Field(min_length=1)
    sha256: _Digest
    submission_key: _Digest
    output: str
    seed: int | None = None


class Marks(_Written):
    """All marks of one export.

    Attributes:
        marks: The version of the file's form.
        made: When it was exported.
        assets: Every asset that was marked.
    """

    marks: Literal[1]
    made: AwareDatetime
    assets: tuple[MarkedAsset, ...]

    def retakes(self) -> dict[str, MarkedAsset]:
        """The submissions to buy again, by their keys: a submission is retaken when any of its outputs is marked so."""
        marked = [asset for asset in self.assets if asset.mark == "retake"]
        return {asset.submission_key: asset for asset in sorted(marked, key=lambda asset: asset.seed is not None)}

    def rejects(self) -> set[str]:
        """The keys of the submissions that are rejected, and not to be retaken for another of their outputs."""
        return {asset.submission_key for asset in self.assets if asset.mark == "reject"} - self.retakes().keys()


@dataclass
class Selection:
    """What a run may buy: everything, or by a file of marks what is marked retake there. What is there is reused in any case.

    Attributes:
        campaign: The run's.
        marks: None where the run was given none.
        known: The latest attempt for each marked submission that the journal knows, by its key.
        buy_unmarked: Whether the run buys what is not marked as well.
    """

    campaign: str = ""
    marks: Marks | None = None
    known: Mapping[str, Attempt] = field(default_factory=dict[str, Attempt])
    buy_unmarked: bool = False
    _payers: dict[str, None] = field(default_factory=dict[str, None], init=False)
    _found: set[str] = field(default_factory=set[str], init=False)
    _same: dict[str, str] = field(default_factory=dict[str, str], init=False)

    def choose(self, order: Order, fed_step: str = "") -> Order:
        """The wish as the run may make it: for what is marked retake the first further take, or the same with another seed.

        One for which nothing may be bought says why, as `Order.withheld`.

        Args:
            order: What the run asks for.
            fed_step: The step that asks for it, where another one feeds it; see `may_buy`.
        """
        if self.marks is None:
            return order
        self._payers.setdefault(str(order.account))
        chosen = self._retaken(order)
        if chosen is order and not self.may_buy(fed_step):
            chosen = replace(order, withheld=UNMARKED)
        return replace(chosen, withheld=REJECTED) if {chosen.key, _asked(chosen)} & self._rejects else chosen

    def may_buy(self, fed_step: str = "") -> bool:
        """Whether the run may buy what no mark names by its submission.

        Args:
            fed_step: The step that asks for it, where another one feeds it: with another take of that one it asks for something new, which
                is bought where what the step gave before is marked retake.
        """
        asked_for = {key for key in self._retakes if self._was_made_for(fed_step, key)} if fed_step else set[str]()
        self._found |= asked_for
        return self.marks is None or self.buy_unmarked or bool(asked_for)

    def tell(self) -> str:
        """How many retakes are the run's, and why others are not, such as `1 retake, 0 of it known here: …`; empty without marks."""
        if self.marks is None:
            return ""
        strangers = [key for key in self._retakes if key not in self._found]
        count = len(self._retakes)
        if not count:
            return "no retake is marked"
        whose = f"{count} {'retake' if count == 1 else 'retakes'}, {count - len(strangers)} of {'it' if count == 1 else 'them'} known here"
        whys = [f"{self._retakes[key].path} {self._why(key)}" for key in strangers[:TOLD]]
        if len(strangers) > TOLD:
            whys.append(f"and {len(strangers) - TOLD} more")
        return "; ".join([f"{whose}: {', '.join(whys)}" if whys else whose, *self._same.values()])

    @cached_property
    def _retakes(self) -> dict[str, MarkedAsset]:
        return self.marks.retakes() if self.marks else {}

    @cached_property
    def _rejects(self) -> set[str]:
        """The keys of what is rejected, and what was asked for then: the same of another account is rejected as well."""
        keys = self.marks.rejects() if self.marks else set[str]()
        return keys | {_asked(self.known[key]) for key in keys if key in self.known}

    @cached_property
    def _last_take(self) -> int:
        return max((self.known[key].take for key in self._retakes if key in self.known), default=0)

    def _retaken(self, asked: Order) -> Order:
        """The first further wish that no mark wants to have bought again; the same where no take of it is marked so."""
        order, passed = asked, set[str]()
        while marked := self._marked_take(order, passed):
            mark, seed = self._retakes[marked.key], seed_of(marked.request)
            order = replace(marked, take=marked.take + marked.stride)
            if seed is not None and mark.seed in (None, seed):
                other = (seed + 1 + int(marked.key[:4], 16)) % 2**31
                self._same[marked.key] = SAME_AGAIN.format(path=mark.path, seed=seed, other=other)
                return replace(order, withheld=self._same[marked.key])
            if seed is not None:
                order = replace(asked, request=_with_seed(asked.request, mark.seed))
        return order

    def _marked_take(self, order: Order, passed: set[str]) -> Order | None:
        """The last take of a wish that is marked retake, and was not met before."""
        takes = [replace(order, take=take) for take in range(order.take, max(order.take, self._last_take) + 1, order.stride)]
        marked = [one for one in takes if one.key in self._retakes.keys() - passed]
        self._found |= {one.key for one in marked}
        passed |= {one.key for one in marked}
        return marked[-1] if marked else None

    def _was_made_for(self, step: str, key: str) -> bool:
        """Whether a submission was bought for this step of the campaign.

        A form's items were called by their place before their words once, such as `01-cup`: a journal of that time still says so.
        """
        attempt = self.known.get(key)
        if attempt is None or attempt.campaign != self.campaign:
            return False
        named, place = attempt.purpose.step, attempt.purpose.place
        prefix = f"{place[0]['number']:02}-" if place and place[0]["name"] != "step" else ""
        return step in (named, named.removeprefix(prefix))

    def _origin(self, key: str) -> tuple[str, str]:
        attempt = self.known.get(key)
        return (attempt.campaign, attempt.purpose.step) if attempt else ("", "")

    def _why(self, key: str) -> str:
        attempt = self.known.get(key)
        if attempt is None:
            return "is unknown to the journal of this store"
        if attempt.account not in self._payers:
            return f"was bought by {_named(attempt.account)}, and this run pays with {' and '.join(map(_named, self._payers))}"
        return f"was made for {' · '.join(filter(None, self._origin(key)))}, and is not what this run asks for"


def seed_of(request: Mapping[str, Any]) -> int | None:
    """The seed with which a request gives the same again; None where it names none."""
    return next(
        (fields["seed"] for fields in (request, request.get("parameters", {})) if isinstance(fields.get("seed"), int)), None
    )


def _with_seed(request: Mapping[str, Any], seed: int | None) -> dict[str, Any]:
    inside = "seed" not in request
    return {**request, "parameters": {**request["parameters"], "seed": seed}} if inside else {**request, "seed": seed}


def _asked(wish: Order | Attempt) -> str:
    """What is asked for, whoever pays."""
    return json.dumps([wish.operation, wish.take, wish.request], sort_keys=True, allow_nan=False)


def _named(account: str) -> str:
    provider, _, name = account.split("|")
    return f"{provider}/{name}"


def read_marks(named: str) -> Marks:
    """Read marks that the gallery gave.

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
