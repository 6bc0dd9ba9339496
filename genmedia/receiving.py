"""The last part of a job's life: fetch what it gave, verify it, store it with its provenance, settle the cost."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, BinaryIO, Protocol

from genmedia import __version__
from genmedia.buying import Purchase
from genmedia.errors import GenmediaError, MediaError, StoreError, UnreadableAnswerError
from genmedia.http import Fetched
from genmedia.jobs import Job, Output
from genmedia.journal import Journal, StoredAsset
from genmedia.media import SUFFIXES, Candidate, MediaFacts, SmallCopy, inspect_files
from genmedia.redaction import bare_url
from genmedia.store import SIDECAR_VERSION, Incoming, Store


@dataclass(frozen=True)
class Origin:
    """What a sidecar tells about why a file was wanted.

    Attributes:
        campaign: The chain or campaign it belongs to.
        step: The step that gave it.
        inputs: For each input its `id`, and its `text`, or the `sha256` of its file and where that came `from`.
    """

    campaign: str
    step: str
    inputs: Sequence[dict[str, str]] = ()


@dataclass(frozen=True)
class _Arrival:
    output: Output
    incoming: Incoming
    fetched: Fetched


class Client(Protocol):
    """What every provider's client can do for this."""

    async def fetch_output(self, output: Output, sink: BinaryIO, max_bytes: int) -> Fetched:
        """Stream a file output into a sink."""
        ...


async def receive_outputs(
    client: Client, store: Store, journal: Journal, purchase: Purchase, job: Job, origin: Origin
) -> tuple[StoredAsset, ...]:
    """Fetch every output of a job that succeeded, verify it, store it, and settle what the job cost.

    An output that is not what it should be goes to quarantine and the attempt stays open: the next run fetches it again and buys nothing.

    Raises:
        DownloadError: An output could not be fetched.
        MediaError: An output is not what it should be; the others are stored.
        StoreError: The store refused.
    """
    try:
        return await _receive(client, store, journal, purchase, job, origin)
    except GenmediaError as error:
        error.charged = job.charged or 0.0
        raise


async def _receive(
    client: Client, store: Store, journal: Journal, purchase: Purchase, job: Job, origin: Origin
) -> tuple[StoredAsset, ...]:
    if not job.outputs:
        raise UnreadableAnswerError(
            "the job succeeded, but no outputs are named", job=purchase.about, money="The job is paid for."
        )
    with ExitStack() as stack:
        arrivals: list[_Arrival] = []
        for output in job.outputs:
            incoming = stack.enter_context(store.incoming())
            try:
                arrivals.append(_Arrival(output, incoming, await _fetch(client, store, output, incoming)))
            except GenmediaError as error:
                error.job = f"{purchase.about}, output {output.id}"
                raise
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
                stored.append(await _publish(store, purchase, job, origin, arrival, verdict))
    if refused:
        raise refused[0]
    await journal.store(purchase.attempt, stored, job.charged)
    return tuple(stored)


def _candidate(arrival: _Arrival) -> Candidate:
    kind = arrival.output.kind if arrival.output.kind in ("image", "video") else ""
    return Candidate(arrival.incoming.path, kind, SmallCopy(arrival.incoming.thumbnail))


async def _fetch(client: Client, store: Store, output: Output, incoming: Incoming) -> Fetched:
    try:
        with incoming.path.open("wb") as sink:
            if output.url is not None:
                return await client.fetch_output(output, sink, store.max_bytes)
            content = (output.text or "").encode()
            sink.write(content)
            return Fetched(len(content), sha256(content).hexdigest())
    except OSError as error:
        raise StoreError(f"{store.root} took no more: {error.strerror}") from None


async def _refuse(store: Store, purchase: Purchase, arrival: _Arrival, error: MediaError) -> MediaError:
    evidence = {
        **_provenance(purchase),
        "output": arrival.output.id,
        "source": bare_url(arrival.output.url or ""),
        "sha256": arrival.fetched.sha256,
        "bytes": arrival.fetched.size,
        "error": type(error).__name__,
        "what": error.what,
    }
    kept = await store.quarantine(arrival.incoming, evidence)
    return type(error)(
        f"output {arrival.output.id} is not what it should be: {error.what}",
        job=purchase.about,
        money="The job is paid for.",
        advice=f"The file is kept as {kept}; run again to fetch it once more.",
    )


async def _publish(
    store: Store, purchase: Purchase, job: Job, origin: Origin, arrival: _Arrival, facts: MediaFacts
) -> StoredAsset:
    now, output, digest = datetime.now(UTC), arrival.output, arrival.fetched.sha256
    sidecar: dict[str, Any] = {
        "genmedia": __version__,
        "sidecar": SIDECAR_VERSION,
        "campaign": origin.campaign,
        "step": origin.step,
        **_provenance(purchase),
        "request": purchase.order.request,
        "inputs": list(origin.inputs),
        "cost": {"price": purchase.order.price, "charged": job.charged, "unit": purchase.order.unit},
        "times": {**job.times, "stored": now.isoformat(timespec="milliseconds")},
        "output": {"id": output.id, "kind": output.kind, "source": bare_url(output.url) if output.url else None},
        "file": {"sha256": digest, "bytes": arrival.fetched.size, **facts.facts()},
    }
    names = {
        "campaign": origin.campaign,
        "step": origin.step,
        "provider": purchase.order.account.provider,
        "account": purchase.order.account.name,
        "operation": purchase.order.operation,
        "output": output.id,
        "take": str(purchase.order.take),
        "key": purchase.key[:8],
        "sha256": digest[:8],
        "date": now.date().isoformat(),
        "ext": SUFFIXES[facts.media_type],
    }
    path = await store.publish(arrival.incoming, names, sidecar)
    return StoredAsset(path, output.id, digest, {**sidecar, "file": {**sidecar["file"], "path": path}})


def _provenance(purchase: Purchase) -> dict[str, Any]:
    return {
        "provider": purchase.order.account.provider,
        "account": str(purchase.order.account),
        "operation": purchase.order.operation,
        "remote_id": purchase.job_id,
        "submission_key": purchase.key,
        "attempt": purchase.number,
        "take": purchase.order.take,
    }
