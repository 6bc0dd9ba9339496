"""What people say of assets: verdicts and comments. The last verdict on an output counts, wherever it was given; all of them are kept."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, get_args

import sqlalchemy as sa

from genmedia.errors import Fault, InputError
from genmedia.forms.prompts import clean, prompt_of, seed_of
from genmedia.journal.database import Clock, Database, read_clock, retry_while_unreachable, uncancellable
from genmedia.journal.rows import in_parts, note_wanted
from genmedia.journal.spending import written
from genmedia.journal.tables import uses, verdicts, wanted
from genmedia.store.sidecar import Sidecar

Verdict = Literal["keep", "retake", "reject", "withdrawn"]
"""Keep it; buy it again as another take; do not use it, nor what would be made of it; or take back what was said before."""

VERDICTS: Sequence[str] = get_args(Verdict)

NAME_CHARACTERS = 60
WHY_CHARACTERS = 2_000
PROMPT_CHARACTERS = 20_000
LARGEST_SEED = 2**53 - 1
"""Largest seed: a browser's page holds no larger number."""


@dataclass(frozen=True)
class Subject:
    """The output of a purchase that is spoken of, and the file that was looked at.

    Attributes:
        key: Key of the submission that gave it.
        attempt: Number of the attempt.
        output: The provider's name for the output.
        number: Number of the output in its job, from 1.
        sha256: SHA-256 of the file.
        path: Path of the file below the store's root at that time.
        campaign: Campaign that it was bought for.
        step: Step of that campaign.
    """

    key: str
    attempt: int
    output: str
    number: int
    sha256: str
    path: str
    campaign: str
    step: str

    @classmethod
    def of(cls, path: str, told: Sidecar) -> "Subject":
        """Return the subject that a file of the store is.

        Args:
            path: Its path below the store's root.
            told: Its sidecar.
        """
        output, number = told.output.id, told.output.number or 1
        path = path.encode(errors="replace").decode()  # a name that is no UTF-8 is no text for a database
        return cls(told.submission_key, told.attempt, output, number, told.file.sha256, path, told.campaign, told.step)


@dataclass(frozen=True)
class Opinion:
    """What somebody says of an asset.

    Attributes:
        verdict: The verdict; None for a comment, which decides nothing.
        who: Name of the person.
        why: Reason, or the comment; may be blank with a verdict.
        prompt: Prompt of a retake; blank for the one that there was.
        seed: Seed of a retake; None for none.
    """

    verdict: Verdict | None
    who: str
    why: str = ""
    prompt: str = ""
    seed: int | None = None

    def cleaned(self) -> "Opinion":
        """Return the same with its texts in one form, blank ones empty, and the name in one line."""
        why, prompt = (text.strip() and clean(text) for text in (self.why, self.prompt))
        return replace(self, who=" ".join(clean(self.who).split()), why=why, prompt=prompt)

    def faults(self, told: Sidecar) -> list[str]:
        """Return everything that is wrong with it as an opinion on a file with this sidecar."""
        retake, why, prompt = self.verdict == "retake", self.why.strip(), self.prompt.strip()
        faults = [
            what
            for what, is_so in (
                ("nobody decides on what a person put into the store", told.is_upload),
                (f"there is no verdict {self.verdict!r}", self.verdict is not None and self.verdict not in VERDICTS),
                ("there is neither a verdict nor a comment", self.verdict is None and not why),
                ("a prompt is for a retake", bool(prompt) and not retake),
                ("its request has no prompt, or several texts", bool(prompt) and prompt_of(told.request) is None),
                ("a seed is for a retake", self.seed is not None and not retake),
                ("its request has no seed", self.seed is not None and seed_of(told.request) is None),
                ("the seed is too large", self.seed is not None and abs(self.seed) > LARGEST_SEED),
            )
            if is_so
        ]
        texts = (("the name", self.who, NAME_CHARACTERS), ("the reason", why, WHY_CHARACTERS))
        for name, text, most in (*texts, ("the prompt", prompt, PROMPT_CHARACTERS)):
            try:
                if text or name == "the name":
                    clean(text)
            except ValueError as error:
                faults.append(f"{name} {error}")
            if len(text) > most:
                faults.append(f"{name} is longer than {most:,} characters")
        return faults


@dataclass(frozen=True)
class Review:
    """An opinion that the journal has.

    Attributes:
        id: Number of the review; a later one has a higher number.
        subject: What it is about.
        opinion: What was said.
        at: Time by the clock of the journal's database.
    """

    id: int
    subject: Subject
    opinion: Opinion
    at: datetime


_DECISIVE = {"retake": "another take is wanted by", "reject": "rejected by", "keep": "kept by"}
"""Verdicts in words. Of those on several outputs of a submission the first of these decides."""


@dataclass(frozen=True)
class Decided:
    """What people have decided on what a submission gave.

    Attributes:
        review: The verdict that decides.
        others: The other campaigns that use the same, and have the verdict in common.
    """

    review: Review
    others: Sequence[str] = ()

    @property
    def is_rejected(self) -> bool:
        """True if it is not to be used."""
        return self.review.opinion.verdict == "reject"

    @property
    def is_news(self) -> bool:
        """True if whoever looks at the campaign should be told: it is rejected, or was decided on for another campaign as well."""
        return self.is_rejected or bool(self.others)

    @property
    def in_words(self) -> str:
        """A sentence about it: `rejected by Ann: too dark (shared with the campaign spring)`."""
        opinion = self.review.opinion
        told = f"{_DECISIVE[opinion.verdict or '']} {opinion.who}{f': {opinion.why}' if opinion.why else ''}"
        whose = f"the campaign{'s' if len(self.others) > 1 else ''} {', '.join(self.others)}"
        return f"{told} (shared with {whose})" if self.others else told


_SUBJECT, _OPINION = tuple(Subject.__dataclass_fields__), tuple(Opinion.__dataclass_fields__)
_OUTPUT = verdicts.c.key, verdicts.c.attempt, verdicts.c.output, verdicts.c.number
_COUNTS = verdicts.c.verdict != "withdrawn"


class Reviews:
    """The reviews of a journal.

    Args:
        database: The journal's database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def give(self, said: Sequence[tuple[Opinion, str, Sidecar]]) -> None:
        """Write down opinions, all or none; who waits for the journal's changes is told.

        Args:
            said: Each opinion, with the path below the store's root of the file that it is about, and the file's sidecar.

        Raises:
            InputError: Everything that is wrong with them, each with the path of its file.
        """
        faults = [Fault(path, what) for opinion, path, told in said for what in opinion.faults(told)]
        if faults:
            raise InputError(faults)
        if said:
            await self._write([{**vars(Subject.of(path, told)), **vars(opinion.cleaned())} for opinion, path, told in said])

    @retry_while_unreachable
    async def _write(self, rows: Sequence[dict[str, Any]]) -> None:
        async with self._database.transaction(waking=True) as connection:
            # One writer at a time: who has seen a review has seen all that have a lower number.
            await self._database.lock(connection, "verdicts")
            await connection.execute(verdicts.insert().values(at=Clock()), rows)

    async def standing(self, keys: Collection[str]) -> dict[str, list[Review]]:
        """Return the verdicts that count for outputs of these submissions, by key, the one that was given first at the beginning."""
        found = defaultdict[str, list[Review]](list)
        for some in in_parts(sorted(keys)):
            for one in await self._standing(verdicts.c.key.in_(some)):
                found[one.subject.key].append(one)
        return dict(found)

    async def standing_in(self, campaign: str = "") -> list[Review]:
        """Return the verdicts that count for what was bought for a campaign or is used by it, the one that was given first at the beginning.

        Args:
            campaign: Name of the campaign; empty for all of the journal.
        """
        return await self._standing(*_is_in(campaign))

    async def decided(self, keys: Collection[str], campaign: str) -> dict[str, Decided]:
        """Return what people have decided on what these submissions of a campaign gave, by key."""
        said = await self.standing(keys)
        others, order = await self._others(said, campaign), list(_DECISIVE)
        return {
            key: Decided(min(some, key=lambda one: order.index(one.opinion.verdict or "")), others.get(key, ()))
            for key, some in said.items()
        }

    @retry_while_unreachable
    async def _others(self, keys: Collection[str], campaign: str) -> dict[str, Sequence[str]]:
        """Return the other campaigns that use each of these submissions, where there are some."""
        found = defaultdict[str, list[str]](list)
        async with self._database.transaction(reading=True) as connection:
            for some in in_parts(sorted(keys)):
                query = sa.select(uses.c.key, uses.c.campaign).distinct().where(uses.c.key.in_(some), uses.c.campaign != campaign)
                for row in await connection.execute(query.order_by(uses.c.campaign)):
                    found[row.key].append(row.campaign)
        return dict(found)

    @retry_while_unreachable
    async def _standing(self, *where: sa.ColumnElement[bool]) -> list[Review]:
        query = sa.select(verdicts).where(verdicts.c.id.in_(_last_verdicts(*where)), _COUNTS).order_by(verdicts.c.id)
        async with self._database.transaction(reading=True) as connection:
            return [_as_review(row) for row in await connection.execute(query)]

    @retry_while_unreachable
    async def last(self) -> int:
        """Return the number of the last review; 0 for none."""
        async with self._database.transaction(reading=True) as connection:
            return (await connection.execute(sa.select(sa.func.max(verdicts.c.id)))).scalar() or 0

    @retry_while_unreachable
    async def want(self, campaign: str, keys: Iterable[str]) -> None:
        """Write down that a campaign waits for verdicts on these submissions, unless that is written down already."""
        async with self._database.transaction(waking=True) as connection:
            await note_wanted(connection, campaign, sorted({*keys}), written(await read_clock(connection)))

    @retry_while_unreachable
    async def wanted(self, campaign: str) -> dict[str, datetime]:
        """Return the submissions on which a campaign waits or has waited for a verdict, by key, each with the time from which it did."""
        query = sa.select(wanted.c.key, wanted.c.since).where(wanted.c.campaign == campaign)
        async with self._database.transaction(reading=True) as connection:
            return {row.key: datetime.fromisoformat(row.since) for row in await connection.execute(query)}

    @retry_while_unreachable
    async def undecided(self, campaign: str = "") -> set[str]:
        """Return the submissions on which a campaign waits for a verdict, or any campaign does where none is named, by key."""
        is_decided = sa.exists().where(verdicts.c.id.in_(_last_verdicts()), verdicts.c.key == wanted.c.key, _COUNTS)
        query = sa.select(wanted.c.key).where(~is_decided, *([wanted.c.campaign == campaign] if campaign else []))
        async with self._database.transaction(reading=True) as connection:
            return {row.key for row in await connection.execute(query)}

    @uncancellable
    async def history(self, campaign: str = "", after: int = 0) -> list[Review]:
        """Return all verdicts and comments, the first one first. An unreachable database is not waited for.

        Args:
            campaign: Only those on what was bought for this campaign or is used by it; empty for all of the journal.
            after: Number of a review: only later ones.

        Raises:
            JournalError: The database cannot be used.
        """
        query = sa.select(verdicts).where(verdicts.c.id > after, *_is_in(campaign)).order_by(verdicts.c.id)
        async with self._database.transaction(reading=True) as connection:
            return [_as_review(row) for row in await connection.execute(query)]


def _last_verdicts(*where: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """The numbers of the last verdicts on each output."""
    return sa.select(sa.func.max(verdicts.c.id)).where(verdicts.c.verdict.is_not(None), *where).group_by(*_OUTPUT)


def _is_in(campaign: str) -> list[sa.ColumnElement[bool]]:
    used = sa.select(uses.c.key).where(uses.c.campaign == campaign)
    return [(verdicts.c.campaign == campaign) | verdicts.c.key.in_(used)] if campaign else []


def _as_review(row: sa.Row[Any]) -> Review:
    subject = Subject(**{name: getattr(row, name) for name in _SUBJECT})
    opinion = Opinion(**{name: getattr(row, name) for name in _OPINION})
    return Review(row.id, subject, opinion, datetime.fromisoformat(row.at))
