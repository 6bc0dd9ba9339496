"""Review: what people have to decide before a campaign can go on, and their answer in one form for many items."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Literal

from genmedia.errors import Fault, InputError
from genmedia.journal import StoredAsset
from genmedia.journal.reviews import Opinion
from genmedia.purchasing.result import Result, tell_waiting
from genmedia.store.sidecar import Sidecar

DEADLINE = "deadline"
"""Name under which the default of a review is given once its deadline is over."""


@dataclass(frozen=True)
class Waiting:
    """What people have to decide before a run of a campaign can go on.

    Attributes:
        campaign: Name of the campaign.
        items: Results of its steps on which nobody has decided.
        held: Number of its steps that wait for that.
        since: Time from which the newest of them waits.
        heard: Number of the last review that the run knew; 0 for none.
        until: Time of the first deadline after which a default counts; None where there is none.
    """

    campaign: str
    items: Sequence[Result]
    held: int
    since: datetime
    heard: int
    until: datetime | None = None

    @property
    def keys(self) -> set[str]:
        """Keys of the submissions on which a verdict is wanted."""
        return {asset.sidecar.submission_key for one in self.items for asset in one.assets}

    @property
    def told(self) -> str:
        """A sentence about it."""
        return tell_waiting(self.items)


@dataclass(frozen=True)
class Again:
    """An item that is to be bought again, with another prompt; empty for the one that there was."""

    item: str
    prompt: str = ""


@dataclass(frozen=True)
class Answers:
    """What a person says of many items at once.

    Attributes:
        name: Name of the person.
        keep: Names of items that are kept.
        reject: Names of items that are rejected.
        retake: Items that are bought again.
        rest: The verdict on all others that wait; empty for none.
        why: Reason; may be empty.
    """

    name: str
    keep: Sequence[str] = ()
    reject: Sequence[str] = ()
    retake: Sequence[Again] = ()
    rest: Literal["", "keep", "reject"] = ""
    why: str = ""


def given(
    answers: Answers, items: Mapping[str, Sequence[StoredAsset]], undecided: Sequence[str]
) -> list[tuple[Opinion, str, Sidecar]]:
    """Return the opinions that answers are, each with the path and the sidecar of its file.

    Args:
        answers: The answers.
        items: The files of each item that waits or has waited, by its name.
        undecided: Names of the items that wait.

    Raises:
        InputError: An item is not there, or is named twice, or nobody says who decides.
    """
    who, why = answers.name, answers.why
    said = [
        *((name.strip(), Opinion("keep", who, why)) for name in answers.keep),
        *((name.strip(), Opinion("reject", who, why)) for name in answers.reject),
        *((one.item, Opinion("retake", who, why, one.prompt)) for one in answers.retake),
    ]
    named = Counter(name for name, _ in said)
    faults = [
        Fault(name, "is named more than once; keep it, reject it or make it again") for name, times in named.items() if times > 1
    ]
    faults += [Fault(name or "an item without a name", _strange(name, items)) for name in named if name not in items]
    if answers.rest:
        said += [(name, Opinion(answers.rest, who, why)) for name in undecided if name not in named]
    if said and not who.strip():
        faults.append(Fault("Your name", "is missing: it stands beside each verdict"))
    if faults:
        raise InputError(faults)
    return [(opinion, one.path, one.sidecar) for name, opinion in said for one in items[name] if not one.forgotten_at]


def _strange(name: str, items: Mapping[str, Sequence[StoredAsset]]) -> str:
    near = get_close_matches(name, items, n=1)
    return f"is no item that waits for review{f'; did you mean {near[0]}?' if near else ''}"
