"""The last part of a job's life: fetch what it gave, verify it, store it with its provenance, settle the cost."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from genmedia import __version__
from genmedia.buying import Purchase
from genmedia.errors import GenmediaError, MediaError, UnreadableAnswerError
from genmedia.http import Fetched
from genmedia.inspection.expectations import compare
from genmedia.inspection.media import SUFFIXES, Candidate, MediaFacts, SmallCopy, inspect_files
from genmedia.jobs import Job, Output
from genmedia.journal import AttemptState, Journal, Purpose, StoredAsset
from genmedia.keys import hash_file
from genmedia.provenance import sidecar as form
from genmedia.provenance import xmp
from genmedia.providers.client import ProviderClient
from genmedia.redaction import bare_url
from genmedia.store import Incoming, Store
from genmedia.store.files import explain


class Received(NamedTuple):
    """The files that a job gave, and what of its cost is to be reported: of all runs that wait for a job, one reports it."""

    assets: tuple[StoredAsset, ...]
    charged: float


@dataclass(frozen=True)
class _Arrival:
    output: Output
    incoming: Incoming
    fetched: Fetched


async def receive_outputs(client: ProviderClient, store: Store, journal: Journal, purchase: Purchase, job: Job) -> Received:
    """Fetch every output of a job that succeeded, verify it, store it, and settle what the job cost.

    One process does so at a time; where another did, its files are the answer. An output that is not what it should be goes to quarantine
    and the attempt stays open: the next run fetches it again and buys nothing.

    Raises:
        SupersededError: The attempt was given up meanwhile.
        DownloadError: An output could not be fetched.
        MediaError: An output is not what it should be; the others are stored.
        StoreError: The store refused.
    """
    charged = await journal.charge(purchase.attempt, job.charged)
    try:
        async with journal.claimed(purchase.attempt) as attempt:
            stored = await journal.assets(attempt.id) if attempt.state is AttemptState.STORED else []
            if not stored or not all([await store.has(asset.path) for asset in stored]):
                stored = await _receive(client, store, journal, purchase, job, attempt.labels)
                await journal.store(attempt, stored)
    except GenmediaError as error:
        error.charged = charged
        raise
    return Received(tuple(stored), charged)


async def _receive(
    client: ProviderClient, store: Store, journal: Journal, purchase: Purchase, job: Job, labels: Mapping[str, str]
) -> list[StoredAsset]:
    if not job.outputs:
        raise UnreadableAnswerError(
            "the job succeeded, but no outputs are named", job=purchase.about, money="The job is paid for."
        )
    wanted = purchase.order.purpose
    purpose = replace(wanted, inputs=[await _traced(journal, one) for one in wanted.inputs], labels=labels)
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
                stored.append(await _publish(store, journal, purchase, job, purpose, arrival, verdict))
    if refused:
        raise refused[0]
    return stored


def _candidate(arrival: _Arrival) -> Candidate:
    kind = arrival.output.kind if arrival.output.kind in ("image", "video", "model") else ""
    return Candidate(arrival.incoming.path, kind, SmallCopy(arrival.incoming.thumbnail))


async def _fetch(client: ProviderClient, store: Store, output: Output, incoming: Incoming) -> Fetched:
    try:
        with incoming.path.open("w+b") as sink:
            if output.url is not None:
                return await client.fetch_output(output, sink, store.max_bytes)
            content = (output.text or "").encode()
            sink.write(content)
            return Fetched(len(content), sha256(content).hexdigest())
    except OSError as error:
        raise explain(f"{store.files.scratch} took no more", error) from None


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


def _misheard(purchase: Purchase, job: Job) -> list[str]:
    """Where the provider says that something else was asked for than what was."""
    provider, asked = purchase.order.account.provider, purchase.order.request
    heard = {name: value for name, value in job.echo.items() if name in asked and str(value) != str(asked[name])}
    return [f"{provider} says that {name} was {value}, asked for was {asked[name]}" for name, value in heard.items()]


async def _publish(
    store: Store, journal: Journal, purchase: Purchase, job: Job, purpose: Purpose, arrival: _Arrival, facts: MediaFacts
) -> StoredAsset:
    now, output, digest = datetime.now(UTC), arrival.output, arrival.fetched.sha256
    # A short text may well come twice; a picture that another request gave belongs to that one.
    twins = [] if output.text is not None else await journal.twins(digest, purchase.key)
    place = {"number": job.outputs.index(output) + 1, "of": len(job.outputs)}
    sidecar: dict[str, Any] = {
        "genmedia": __version__,
        "sidecar": form.VERSION,
        "campaign": purpose.campaign,
        "step": purpose.step,
        "labels": dict(purpose.labels),
        **_provenance(purchase),
        "request": purchase.order.request,
        "inputs": list(purpose.inputs),
        "cost": {"price": purchase.order.price, "charged": job.charged, "unit": purchase.order.unit},
        "times": {**_times(job), "stored": now.isoformat(timespec="milliseconds")},
        "output": {"id": output.id, "kind": output.kind, "source": bare_url(output.url) if output.url else None, **place},
        "file": {"sha256": digest, "bytes": arrival.fetched.size, **facts.facts()},
        "warnings": [
            *(f"the very same file came of a different request: {path}" for path in twins),
            *facts.warnings,
            *compare(facts, purchase.order.expects),
            *_misheard(purchase, job),
        ],
    }
    names = {
        "campaign": purpose.campaign,
        "step": purpose.step,
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
    if store.embed_provenance and facts.media_type in xmp.TYPES:
        await asyncio.to_thread(_embed, arrival.incoming.path, sidecar)
    path = await store.publish(arrival.incoming, names, sidecar)
    return StoredAsset(path, output.id, sidecar["file"]["sha256"], {**sidecar, "file": {**sidecar["file"], "path": path}})


def _embed(picture: Path, sidecar: dict[str, Any]) -> None:
    """Write the provenance into the picture, and what it is by that into the sidecar."""
    if not xmp.embed(picture, xmp.make_packet(sidecar)):
        sidecar["warnings"].append("the provenance is not in the picture: it has XMP or a signature of its own, which is kept")
        return
    came_as = sidecar["file"]["sha256"]
    sidecar["file"] |= {"sha256": hash_file(picture), "original_sha256": came_as, "bytes": picture.stat().st_size}


async def _traced(journal: Journal, given: Mapping[str, str]) -> Mapping[str, str]:
    """The input, with the path of the asset that it is, if it is one."""
    if given.get("asset") or not given.get("sha256"):
        return given
    paths = await journal.paths_of(given["sha256"])
    # Of several that are the same, the one that was named; else the first that there was.
    named = [path for path in paths if given.get("from", "").endswith(path)]
    return {**given, "asset": (named or paths)[0]} if paths else given


def _times(job: Job) -> dict[str, str]:
    """The job's times as far as they are such: a sidecar that does not read would tell nothing at all."""
    told: dict[str, str] = {}
    for name, value in job.times.items():
        with suppress(ValueError):
            time = datetime.fromisoformat(value)
            told[name] = value if time.tzinfo else f"{value}+00:00"
    return told


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
