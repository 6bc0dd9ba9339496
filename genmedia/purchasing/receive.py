"""The end of a job that succeeded: its outputs are fetched, verified and stored with their provenance, and its cost is settled."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from typing import NamedTuple

from genmedia import __version__
from genmedia.errors import (
    NO_FILE,
    ApiError,
    ExpiredLinkError,
    GenmediaError,
    JournalError,
    MediaError,
    OversizeError,
    StoreError,
    SupersededError,
    UnreadableAnswerError,
)
from genmedia.jobs.job import Job, Output
from genmedia.journal import Attempt, AttemptState, Journal, Purpose, StoredAsset, are_there
from genmedia.media.conformance import compare
from genmedia.media.facts import Candidate, MediaFacts, SmallCopy
from genmedia.media.probe import inspect_files
from genmedia.providers.base import ProviderClient, at_desk
from genmedia.purchasing.buy import Purchase, say_excess
from genmedia.purchasing.publish import publish, traced
from genmedia.purchasing.uses import other_uses
from genmedia.store import Incoming, Store
from genmedia.store.files import explain
from genmedia.store.sidecar import VERSION, Bought, Cost, Evidence, File, Input, Sidecar, Times, coordinates
from genmedia.store.sidecar import Output as SidecarOutput
from genmedia.text.plain import cut
from genmedia.transport.redaction import bare_url
from genmedia.transport.session import Fetched

OUTPUTS = 500
"""The most outputs that are taken of one job; no operation is known that gives as many."""

DUPLICATES = 20
"""The most files of other requests with the same content that a sidecar's warnings name: a provider may give one picture for all."""


class Received(NamedTuple):
    """The files of a job, and the part of its cost that this run reports.

    Attributes:
        assets: The files, in the order of the job's outputs.
        charged: In the order's unit; 0 where another run that waits for the job reports it, None if it is unknown.
    """

    assets: tuple[StoredAsset, ...]
    charged: float | None


@dataclass(frozen=True)
class _Arrival:
    """One output that was fetched.

    Attributes:
        number: Number under which the output is stored, from 1: outputs of the same name have different numbers.
        place: Its place in the job's list as the provider gives it now, from 1.
    """

    number: int
    place: int
    output: Output
    incoming: Incoming
    fetched: Fetched


async def receive_outputs(client: ProviderClient, store: Store, journal: Journal, purchase: Purchase, job: Job) -> Received:
    """Fetch every output of a job that succeeded, verify it, store it, and settle what the job cost.

    One process at a time does so for an attempt; if another has stored the files, they are returned. An output that is not what it should
    be is put into quarantine, and the attempt stays open: the next run fetches it again and buys nothing.

    Raises:
        SupersededError: The attempt was given up meanwhile.
        DownloadError: An output could not be fetched.
        UnreadableAnswerError: The job names no outputs, or not those that were stored before and are gone.
        MediaError: An output is not what it should be; the others are stored.
        StoreError: The store refused.
        JournalError: The journal cannot be written.
    """
    await journal.end(purchase.attempt, purchase.job_id, job.ran, job.charged_in(purchase.order.unit))
    try:
        async with at_desk(client, journal), journal.claimed(purchase.attempt, purchase.job_id) as attempt:
            stored = await _receive_all(client, store, journal, purchase, job, attempt)
    except GenmediaError as error:
        if not isinstance(error, StoreError | SupersededError | JournalError):
            with suppress(JournalError):  # the cause has to be told
                await journal.note(purchase.attempt, purchase.job_id, f"{job.said}, then: {error.what}")
        if not isinstance(error, JournalError):
            error.charged = await journal.report(purchase.attempt, purchase.order.purpose.run)
            error.money = " ".join(filter(None, (error.money, say_excess(await journal.attempt(purchase.attempt)))))
        raise
    return Received(tuple(stored), await journal.report(purchase.attempt, purchase.order.purpose.run))


async def _receive_all(
    client: ProviderClient, store: Store, journal: Journal, purchase: Purchase, job: Job, attempt: Attempt
) -> list[StoredAsset]:
    """Return the files of an attempt that is claimed, after those that are not in the store were fetched."""
    known = await journal.assets(attempt.id)
    if attempt.state is AttemptState.STORED and known and await are_there(known, store.has):
        return known
    fetched = await _receive(client, store, journal, purchase, job, attempt, known)
    names = {(asset.output, asset.number) for asset in fetched}
    left = [asset for asset in known if (asset.output, asset.number) not in names]
    await journal.store(attempt, [*fetched, *(asset for asset in left if not asset.forgotten_at)])
    for asset in left:
        await _check_there(asset, store, purchase)
    return sorted([*fetched, *left], key=lambda asset: asset.number)


async def _check_there(asset: StoredAsset, store: Store, purchase: Purchase) -> None:
    """Check that a file whose output the provider no longer names is in the store, unless a person removed it.

    Raises:
        UnreadableAnswerError: It is not there.
    """
    if not await are_there([asset], store.has):
        raise UnreadableAnswerError(
            f"output {asset.output} of the job is named no more, and {asset.path} is not in the store as it was",
            job=purchase.about,
            money="The job is paid for.",
            advice=f"Run again to ask for it once more. {NO_FILE}",
        )


def _numbers(outputs: Sequence[Output], known: Sequence[StoredAsset]) -> list[int]:
    """Return the number of each output, from 1: the one it was stored under, whatever its place is now, else the lowest free one."""
    stored: dict[str, list[int]] = {}
    for asset in sorted(known, key=lambda asset: asset.number):
        stored.setdefault(asset.output, []).append(asset.number)
    taken = {asset.number for asset in known}
    free = (number for number in count(1) if number not in taken)
    return [stored[one.id].pop(0) if stored.get(one.id) else next(free) for one in outputs]


async def _receive(
    client: ProviderClient,
    store: Store,
    journal: Journal,
    purchase: Purchase,
    job: Job,
    attempt: Attempt,
    known: Sequence[StoredAsset],
) -> list[StoredAsset]:
    left_out = {(asset.output, asset.number) for asset in known if asset.forgotten_at}
    if not job.outputs:
        raise UnreadableAnswerError(
            "the job succeeded, but no outputs are named",
            job=purchase.about,
            money="The job is paid for, and there is no file.",
            advice=f"Run again to ask for them once more. {NO_FILE}",
        )
    wanted = purchase.order.purpose
    bought_for = attempt.purpose  # a campaign that takes the job up is told among the uses
    purpose = replace(
        wanted,
        campaign=bought_for.campaign or wanted.campaign,
        step=bought_for.step or wanted.step,
        inputs=[await traced(journal, one) for one in wanted.inputs],
        labels=bought_for.labels,
    )
    with ExitStack() as stack:
        arrivals: list[_Arrival] = []
        for place, number in enumerate(_numbers(job.outputs[:OUTPUTS], known), 1):
            if (job.outputs[place - 1].id, number) in left_out:
                continue
            incoming = stack.enter_context(store.incoming())
            try:
                job, fetched = await _fetch_freshly(client, store, attempt, job, place, incoming)
            except GenmediaError as error:
                error.job = f"{purchase.about}, output {job.outputs[place - 1].id}"
                raise
            arrivals.append(_Arrival(number, place, job.outputs[place - 1], incoming, fetched))
        files = [arrival for arrival in arrivals if arrival.output.text is None]
        verdicts = await inspect_files([_candidate(arrival) for arrival in files]) if files else []
        looked_at = dict(zip(map(id, files), verdicts, strict=True))
        stored: list[StoredAsset] = []
        refused: list[MediaError] = []
        for arrival in arrivals:
            verdict = looked_at.get(id(arrival), MediaFacts("text/plain"))
            if isinstance(verdict, MediaError):
                refused.append(await _refuse(store, purchase, arrival, verdict))
            else:
                stored.append(await _publish(store, journal, purchase, job, attempt, purpose, arrival, verdict))
    if refused:
        raise refused[0]
    return stored


def _candidate(arrival: _Arrival) -> Candidate:
    kind = arrival.output.kind if arrival.output.kind in ("image", "video", "model") else ""
    return Candidate(arrival.incoming.path, kind, SmallCopy(arrival.incoming.thumbnail))


async def _fetch_freshly(
    client: ProviderClient, store: Store, attempt: Attempt, job: Job, place: int, incoming: Incoming
) -> tuple[Job, Fetched]:
    """Fetch one output; if its link has expired, ask the provider for the job once more and fetch it from the new link.

    Returns:
        The job with its newest links, and the size and hash of what was fetched.

    Raises:
        ExpiredLinkError: The new link has expired too, or the job could not be asked for, or names other outputs now.
        DownloadError: It could not be fetched.
        StoreError: This machine takes no more files.
    """
    try:
        return job, await _fetch(client, store, job.outputs[place - 1], incoming)
    except ExpiredLinkError as error:
        try:
            now = await client.look(client.reference(attempt))
        except ApiError as unanswered:
            error.what = f"{error.what}; the job could not be asked for a fresh link: {unanswered.what}"
            raise error from None
        fresh: dict[str, list[Output]] = {}
        for one in now.outputs:
            fresh.setdefault(one.id, []).append(one)
        if sorted(one.id for one in now.outputs) != sorted(one.id for one in job.outputs):
            raise
        job = replace(job, outputs=tuple(fresh[one.id].pop(0) for one in job.outputs))
        return job, await _fetch(client, store, job.outputs[place - 1], incoming)


async def _fetch(client: ProviderClient, store: Store, output: Output, incoming: Incoming) -> Fetched:
    try:
        with incoming.path.open("w+b") as sink:
            if output.url is not None:
                return await client.fetch_output(output, sink, store.max_bytes)
            content = (output.text or "").encode()
            if len(content) > store.max_bytes:
                raise OversizeError(f"the text has more than {store.max_bytes} bytes")
            sink.write(content)
            return Fetched(len(content), sha256(content).hexdigest())
    except OSError as error:
        raise explain(f"{store.files.scratch} took no more", error) from None


async def _refuse(store: Store, purchase: Purchase, arrival: _Arrival, error: MediaError) -> MediaError:
    evidence = Evidence(
        **dict(_bought(purchase)),
        output=arrival.output.id,
        number=arrival.number,
        source=bare_url(arrival.output.url or ""),
        sha256=arrival.fetched.sha256,
        bytes=arrival.fetched.size,
        error=type(error).__name__,
        what=error.what,
    )
    kept = await store.quarantine(arrival.incoming, evidence)
    return type(error)(
        f"output {arrival.output.id} is not what it should be: {error.what}",
        job=purchase.about,
        money="The job is paid for.",
        advice=f"The file is kept as {kept}; run again to fetch it once more.",
    )


def _misheard(purchase: Purchase, job: Job) -> list[str]:
    """Return a sentence for each field of the request that the provider repeats with another value."""
    provider, asked = purchase.order.account.provider, purchase.order.request
    heard = {name: value for name, value in job.echo.items() if name in asked and str(value) != str(asked[name])}
    return [cut(f"{provider} says that {name} was {value}, asked for was {asked[name]}") for name, value in heard.items()]


def _odd_outputs(job: Job, place: int) -> Iterator[str]:
    """Yield a sentence if the job has more outputs than are stored, and one if an earlier output has the same name."""
    if len(job.outputs) > OUTPUTS:
        yield f"the job gave {len(job.outputs)} outputs; the first {OUTPUTS} are stored"
    first = next(other for other, one in enumerate(job.outputs, 1) if one.id == job.outputs[place - 1].id)
    if first != place:
        yield f"output {first} of the job has the same name, {job.outputs[place - 1].id}; a step that asks for that name is fed with it"


async def _publish(
    store: Store,
    journal: Journal,
    purchase: Purchase,
    job: Job,
    attempt: Attempt,
    purpose: Purpose,
    arrival: _Arrival,
    facts: MediaFacts,
) -> StoredAsset:
    now, output, digest = datetime.now(UTC), arrival.output, arrival.fetched.sha256
    # Equal short texts are no surprise; a picture that another request gave before is.
    duplicates, equal = ([], 0) if output.text is not None else await journal.duplicates(digest, purchase.key, DUPLICATES)
    sidecar = Sidecar(
        genmedia=__version__,
        sidecar=VERSION,
        campaign=purpose.campaign,
        step=purpose.step,
        place=coordinates(purpose.place),
        stands_in=purpose.stands_in or None,
        labels=dict(purpose.labels),
        uses=other_uses(await journal.uses(purchase.key), purpose.campaign, purpose.step),
        **dict(_bought(purchase)),
        request=purchase.order.request,
        inputs=tuple(map(Input.model_validate, purpose.inputs)),
        cost=Cost(price=attempt.price, charged=attempt.charged, unit=attempt.unit),
        times=Times.of(job.times, stored=now),
        output=SidecarOutput(
            id=output.id,
            kind=output.kind,
            source=bare_url(output.url) if output.url else None,
            number=arrival.number,
            of=min(len(job.outputs), OUTPUTS),
        ),
        file=File(sha256=digest, bytes=arrival.fetched.size, **facts.facts()),
        warnings=(
            *(f"the very same file {duplicate.tell(purchase.order)}: {duplicate.path}" for duplicate in duplicates),
            *([f"the very same file came of {equal - DUPLICATES} more purchases"] if equal > DUPLICATES else []),
            *([attempt.excess] if attempt.excess else []),
            *facts.warnings,
            *compare(facts, purchase.order.expects),
            *_misheard(purchase, job),
            *_odd_outputs(job, arrival.place),
        ),
    )
    return await publish(store, arrival.incoming, sidecar, embed=store.embed_provenance)


def _bought(purchase: Purchase) -> Bought:
    return Bought(
        provider=purchase.order.account.provider,
        account=str(purchase.order.account),
        operation=purchase.order.operation,
        remote_id=purchase.job_id,
        submission_key=purchase.key,
        attempt=purchase.number,
        take=purchase.order.take,
    )
