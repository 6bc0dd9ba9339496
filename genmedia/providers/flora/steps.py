"""Techniques of FLORA as steps of a campaign.

FLORA reads an input at the input's own address, while it can; else by a signed link to the store, if FLORA reads from the store's host;
else the input is uploaded.
"""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from typing_extensions import override

from genmedia.concurrency import every
from genmedia.errors import Fault, InputError, NotFoundError
from genmedia.jobs.job import Account
from genmedia.journal.keys import media_reference
from genmedia.journal.order import Order
from genmedia.media.hashing import hash_file
from genmedia.media.probe import inspect_file
from genmedia.providers.flora.client import (
    IDEMPOTENCY_SECONDS,
    MEDIA,
    PICTURE_TYPES,
    PROVIDER,
    FloraClient,
    Technique,
    check_media_url,
    run_inputs,
)
from genmedia.providers.flora.forms import Step
from genmedia.providers.handoff import check_unchanged, file_of, handed_on, sent_as
from genmedia.providers.inputs import Input, PendingInput, ResolvedInput
from genmedia.providers.sources import Source
from genmedia.providers.steps import Operation, PaidKind, PlannedStep, Submit, frame_of, look_up, preparation
from genmedia.store import Store
from genmedia.transport.origins import Origins
from genmedia.transport.session import Gate

LINK_SECONDS = 24 * 3600.0
"""Lifetime of a signed link, in seconds: longer than a run may wait and take."""

NO_FILES = (
    "would have to be uploaded to FLORA, which takes no files here (404 at its assets API); what it reads is a `url` on its own list of "
    "hosts, a store on S3 at such a host, and what a technique of FLORA gives"
)


class Techniques(PaidKind[Step]):
    """Runs of techniques."""

    provider = PROVIDER
    tag = "technique"
    form = Step
    reads_addresses = True
    in_usd = True

    @override
    def sources(self, step: Step) -> list[tuple[str, Source]]:
        """Return the inputs by the technique's names for them."""
        return [(source.id, source) for source in step.inputs]

    @override
    async def describe(self, client: FloraClient, steps: Sequence[Step], payer: Any) -> Mapping[str, Operation | Sequence[Fault]]:
        """Return, by step name, the operation of each technique, or the fault that FLORA does not know it."""
        techniques = await look_up((step.technique for step in steps), client.get_technique)
        return {step.name: self.operation(step, techniques[step.technique]) for step in steps}

    def operation(self, step: Step, technique: Technique | NotFoundError) -> Operation | Sequence[Fault]:
        """Return the operation of a technique, or the fault that FLORA does not know it."""
        if isinstance(technique, NotFoundError):
            return [Fault("", f"names the technique {step.technique!r}, which FLORA does not know")]
        return Operation(
            self,
            step.technique,
            price=technique.run_cost,
            unit=technique.unit,
            takes={one.id: frozenset({MEDIA.get(one.type, one.type)}) for one in technique.inputs},
            gives={one.id: MEDIA.get(one.type, one.type) for one in technique.outputs},
            optional={one.id for one in technique.inputs if one.optional},
            asked={one.id: one.type for one in technique.inputs},
            media_types=PICTURE_TYPES,
        )

    @override
    def order(self, operation: Operation, inputs: Sequence[ResolvedInput], account: Account, take: int) -> Order:
        """Return the order for a run, with FLORA's ids and types of its inputs."""
        named: list[dict[str, Any]] = [
            {
                "id": one.id,
                "type": operation.asked[one.id],
                **(
                    {"text": one.text}
                    if one.type == "text"
                    else {"file": media_reference(one.sha256, preparation(one, operation))}
                ),
            }
            for one in sorted(inputs, key=lambda one: one.id)
        ]
        request = {"technique": operation.name, "inputs": named}
        name = f"technique {operation.name}"
        return Order(account, name, request, operation.price, operation.unit, take, repeat_window=IDEMPOTENCY_SECONDS)

    @override
    async def deliver(
        self,
        client: FloraClient,
        store: Store,
        operation: Operation,
        inputs: Sequence[ResolvedInput],
        order: Order,
        held: AsyncExitStack,
    ) -> Submit:
        """Put every input where FLORA reads it, and return the function that sends the order."""
        addresses = {one.id: await address_of(client, store, one) for one in inputs if one.type != "text"}
        return submission(client, order, addresses)

    @override
    async def explain(
        self, client: FloraClient, store: Store, operation: Operation, source: Input, feeder: Operation | None
    ) -> str:
        """Describe for people the address at which FLORA will read an input."""
        stored = "by a signed link to the store" if await reads_links_of(store, client.http.origins) else "uploaded to FLORA"
        frame = frame_of(source)
        if isinstance(source, ResolvedInput) and source.url:
            return "by its own address"
        if feeder and feeder.provider == PROVIDER and not frame:
            return f"by FLORA's own link, or, once FLORA serves that no more, {stored}"
        done = self.conversion(operation, source) if isinstance(source, ResolvedInput) else ""
        turned = f"turned into a {done.upper()}, " if done else ""
        return f"{frame}{turned}{stored}"

    @override
    def reads(self, url: str, origins: Origins) -> bool:
        """True if FLORA reads from this address."""
        return not check_media_url(url, origins)

    @override
    async def stage(
        self, client: FloraClient, store: Store, plan: Mapping[str, PlannedStep], steps: Sequence[PlannedStep]
    ) -> Sequence[PlannedStep]:
        """Put the inputs that FLORA cannot read where they are to where it can, and return the steps with the new addresses.

        Raises:
            InputError: An input, available or pending, would have to be uploaded, and this FLORA takes no files.
        """
        edges = [(step, source) for step in steps for source in step.inputs if await _is_to_be_hosted(client, source, plan)]
        if not edges:
            return steps
        if not await reads_links_of(store, client.http.origins) and not await client.takes_files():
            raise InputError([Fault(f"step {step.name}, input {source.id}", NO_FILES) for step, source in edges])
        there = {(source.sha256, source.at): source for _, source in edges if isinstance(source, ResolvedInput)}
        hosted = await every(host_input(client, store, given) for given in there.values())
        urls = dict(zip(there, hosted, strict=True))

        def with_address(source: Input) -> Input:
            url = urls.get((source.sha256, source.at)) if isinstance(source, ResolvedInput) else None
            return replace(source, url=url) if url and isinstance(source, ResolvedInput) else source

        return [replace(step, inputs=tuple(map(with_address, step.inputs))) for step in steps]


TITLE = "FLORA"
KINDS = (Techniques(),)


def submission(client: FloraClient, order: Order, addresses: Mapping[str, str]) -> Submit:
    """Return the function that sends the request of an order; `addresses` has FLORA's address of each file, by the id of the input."""
    technique, sent = order.request["technique"], run_inputs(order.request, addresses)

    async def submit(idempotency_key: str, gate: Gate) -> str:
        return (await client.create_run(technique, sent, idempotency_key=idempotency_key, gate=gate)).run_id

    return submit


async def address_of(client: FloraClient, store: Store, given: ResolvedInput) -> str:
    """Return an address of an input that FLORA can read now."""
    return given.url if await _is_readable(client, given) else await host_input(client, store, given)


async def _is_readable(client: FloraClient, given: ResolvedInput) -> bool:
    return bool(given.url) and (not (given.file or given.asset) or await client.reads(given.url))


async def _is_to_be_hosted(client: FloraClient, source: Input, plan: Mapping[str, PlannedStep]) -> bool:
    """True if FLORA will not be able to read an input where it is, or where its provider will put it."""
    if source.type == "text":
        return False
    if isinstance(source, PendingInput):
        return source.at is not None or plan[source.run].operation.provider != PROVIDER
    return not await _is_readable(client, source)


async def host_input(client: FloraClient, store: Store, given: ResolvedInput) -> str:
    """Return an address of an input that FLORA can read: a signed link to the store, if FLORA reads from there; else that of an upload."""
    if link := await link_to(given, store, client.http.origins):
        return link
    async with file_of(given, store, sent_as(given, PICTURE_TYPES)) as file:
        facts = await inspect_file(file)
        return await client.upload(file, facts.media_type)


async def link_to(given: ResolvedInput, store: Store, origins: Origins) -> str:
    """Return a signed link to an input that FLORA can read; empty where the store signs none, or FLORA does not read from its host.

    An input that is not in the store in the form that is sent is put there first, under its hash.

    Raises:
        InputError: It was changed since it was stored.
    """
    if not await reads_links_of(store, origins):
        return ""
    how = sent_as(given, PICTURE_TYPES)
    if given.asset and given.at is None and not how:
        await check_unchanged(given, store)
        return await store.files.link(given.asset, LINK_SECONDS)
    async with file_of(given, store, how) as file:
        path = f"{handed_on(given.sha256)}{await asyncio.to_thread(hash_file, file)}{file.suffix}"
        if await store.files.size(path) is None:
            with store.incoming() as incoming:
                await asyncio.to_thread(shutil.copyfile, file, incoming.path)
                await store.files.put(incoming.path, path)
    return await store.files.link(path, LINK_SECONDS)


async def reads_links_of(store: Store, origins: Origins) -> bool:
    """True if FLORA reads from the host that the store's signed links lead to."""
    link = await store.files.link("any", LINK_SECONDS)
    return bool(link) and not check_media_url(link, origins)
