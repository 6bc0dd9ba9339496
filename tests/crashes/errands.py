"""Paid jobs from wish to stored file, in a process of its own that can be made to die at any point on the way.

What Prefect's tasks call is called here as well, in their order; where a process dies is wrapped around it from outside.
"""

import asyncio
import os
import re
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, cast
from uuid import uuid4

import httpx

from genmedia.errors import InDoubtError
from genmedia.jobs.job import Account, Job, JobStatus
from genmedia.jobs.watcher import Seen, Trouble, Watcher
from genmedia.journal import Journal, Purpose, transitions
from genmedia.journal import ownership as owners
from genmedia.journal.order import Order
from genmedia.providers.algovera.client import AlgoveraClient, Txt2Img
from genmedia.providers.algovera.steps import picture_order
from genmedia.providers.base import ProviderClient
from genmedia.providers.flora.client import IDEMPOTENCY_SECONDS, FloraClient, run_inputs
from genmedia.providers.generio.client import GenerioClient
from genmedia.providers.generio.steps import Material, flow_input, flow_order, given_as
from genmedia.providers.generio.templates import TemplateStep
from genmedia.providers.genova.client import GenovaClient, JobRequest
from genmedia.providers.genova.steps import job_order
from genmedia.purchasing.buy import Outcome, Purchase, Submit, buy
from genmedia.purchasing.receive import receive_outputs
from genmedia.store import Store
from genmedia.transport.pace import ANSWER_SECONDS
from genmedia.transport.session import Gate, Session

TECHNIQUE = "art-directors-critique"
"""It gives a text and a picture."""
TEMPLATE = "model_generate_fromprompt"
OUTPUTS = {"algovera": 1, "flora": 2, "generio": 1, "genova": 1}
PATIENCE = 100_000.0


@dataclass(frozen=True)
class Errand:
    """One job to bring home.

    Attributes:
        account: Of the sandbox, as its control plane shows it.
        wish: What is wanted; a text.
        sample: The address of a picture that the sandbox reads.
        root: Of the store.
        journal: Its address.
        embed: Whether pictures get their provenance written into them.
        fresh_links: Whether the picture has another address whenever it is sent, as by a signed link.
        name: Of the account, as the journal knows it, where it is not the sandbox's.
        block: The credentials block that it stands for.
    """

    account: dict[str, Any]
    wish: str
    sample: str
    root: str
    journal: str
    embed: bool = False
    fresh_links: bool = False
    name: str = ""
    block: str = ""

    @property
    def provider(self) -> str:
        return self.account["provider"]

    @property
    def payer(self) -> Account:
        return Account(self.provider, self.account["base_url"], self.name or self.account["account"], self.block)

    @property
    def order(self) -> Order:
        """The wish, as the project's flows put it."""
        return replace(self._order, purpose=Purpose("crashes", self.provider))

    @property
    def _order(self) -> Order:
        match self.provider:
            case "algovera":
                return picture_order(self._picture, self.payer, 1)
            case "genova":
                return job_order(self._image, [], self.payer, 1)
            case "generio":
                return flow_order(self.payer, _STEP.template, _STEP.parameters, [given_as(self.material)], None, 1)
            case _:
                request = {"technique": TECHNIQUE, "inputs": [{"id": "input_image", "type": "imageUrl", "file": self.wish}]}
                price, unit = (0.06, "USD") if self.account["switches"]["casing"] == "snake" else (6, "credits")
                return Order(self.payer, TECHNIQUE, request, price, unit, repeat_window=IDEMPOTENCY_SECONDS)

    @property
    def material(self) -> Material:
        return Material("text/plain", text=self.wish)

    @property
    def _picture(self) -> Txt2Img:
        return Txt2Img(prompt=self.wish, base_model="stable", width=128, height=128)

    @property
    def _image(self) -> JobRequest:
        return JobRequest(model="nano_banana2", type="image", prompt=self.wish)

    def client(self) -> AbstractAsyncContextManager[ProviderClient]:
        """The payer's client."""
        key = self.account["api_key"]
        match self.provider:
            case "algovera":
                return AlgoveraClient.lease(self.payer, key)
            case "genova":
                return GenovaClient.lease(self.payer, key, plan=self.account["plan"])
            case "generio":
                return GenerioClient.lease(self.payer, key)
            case _:
                return FloraClient.lease(self.payer, key)

    async def ask(self, client: ProviderClient) -> None:
        """What a flow asks before it buys; from then on the provider's time is known."""
        match client:
            case AlgoveraClient():
                await client.list_base_models()
            case GenovaClient():
                client.listen()
                await client.hear_account()
            case GenerioClient():
                await client.get_template(TEMPLATE)
            case FloraClient():
                await client.get_technique(TECHNIQUE)
            case _:
                raise AssertionError(client)

    async def submit(self, client: ProviderClient, key: str, gate: Gate) -> str:
        """Send the order once; the remote id."""
        match client:
            case AlgoveraClient():
                return await client.create_job(self.order.request, gate)
            case GenovaClient():
                return (await client.create_job(self.order.request, gate=gate)).job_id
            case GenerioClient():
                request = self.order.request
                flow = await client.create_flow(
                    request["template"], request["parameters"], additional={"genmedia": key}, gate=gate
                )
                data, label = flow_input(request["inputs"][0], self.material)
                await client.upload_input(flow.flow_id, data, additional=label)
                await client.start_flow(flow.flow_id, gate)
                return flow.flow_id
            case FloraClient():
                link = f"{self.sample}?signature={uuid4()}" if self.fresh_links else self.sample
                sent = run_inputs(self.order.request, {"input_image": link})
                return (await client.create_run(TECHNIQUE, sent, idempotency_key=key, gate=gate)).run_id
            case _:
                raise AssertionError(client)

    def pause(self, client: ProviderClient) -> float:
        """Between two submissions, as in the provider's tasks."""
        seconds = {"algovera": 0.0, "flora": ANSWER_SECONDS}.get(self.provider, 1.0)
        return seconds / client.http.clock_scale

    async def buy(self, client: ProviderClient, store: Store, journal: Journal) -> Purchase:
        """Meet the wish."""
        await self.ask(client)

        async def prepare() -> Submit:
            return lambda key, gate: self.submit(client, key, gate)

        return await buy(
            journal,
            self.order,
            prepare,
            has=store.has,
            recover=client.recover,
            repeat_pause=self.pause(client),
            clock=client.http.server_time,
            buyer=client.buyer,
        )

    async def carry(self) -> None:
        """Bring the job home, whatever became of it so far.

        Raises:
            InDoubtError: Nobody can tell whether it was bought.
        """
        async with (
            self.client() as client,
            Store.lease(self.root, embed_provenance=self.embed) as store,
            Journal.lease(self.journal) as journal,
        ):
            purchase = await self.buy(client, store, journal)
            if purchase.outcome is Outcome.REUSED:
                return
            attempt = await journal.live_attempt(purchase.key)
            assert attempt is not None
            ref: Any = client.reference(attempt)
            job = await client.watcher.wait(
                ref, about=purchase.about, queue_seconds=PATIENCE, run_seconds=PATIENCE, seen=_say_nothing
            )
            assert job.status is JobStatus.SUCCEEDED, job
            await receive_outputs(client, store, journal, purchase, job)


_STEP = TemplateStep(template=TEMPLATE, parameters={"quality": "low"})


async def _say_nothing(_: Job | Trouble) -> None:
    """To nobody's terminal."""


def run(errands: Sequence[Errand], death: str = "", times: int = 1, lease: float = 0) -> None:
    """Bring all home at once; those in doubt are left.

    Args:
        errands: What is wanted.
        death: Where the process is to die, one of `DEATHS`; empty for nowhere.
        times: At the how many-th time that it comes there.
        lease: How long a lease on a shared journal lasts, in seconds; 0 for as long as ever.
    """
    if lease:
        owners.LEASE_SECONDS, transitions.ANSWER_SECONDS = lease, lease / 1.5
    if death:
        die_at(death, times)
    asyncio.run(_carry_all(errands))


def die_at(death: str, times: int = 1) -> None:
    """Have this process killed where `death` says; see `run`."""
    DEATHS[death](_Countdown(times))


async def _carry_all(errands: Sequence[Errand]) -> None:
    async with asyncio.TaskGroup() as group:
        for errand in errands:
            group.create_task(_carry(errand))


async def _carry(errand: Errand) -> None:
    with suppress(InDoubtError):
        await errand.carry()


class _Countdown:
    """Kills this process when it has been asked so often."""

    def __init__(self, times: int) -> None:
        self._left = times

    def __call__(self) -> None:
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)


class _Torn:
    """A file that half of a piece gets into before the process dies."""

    def __init__(self, sink: BinaryIO, die: Callable[[], None]) -> None:
        self._sink, self._die = sink, die

    def write(self, data: bytes) -> int:
        self._sink.write(data[: len(data) // 2])
        self._sink.flush()
        self._die()
        return self._sink.write(data[len(data) // 2 :]) + len(data) // 2

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)


Method = Callable[..., Awaitable[Any]]
Death = Callable[[Callable[[], None]], None]
"""Wraps what is called where the process is to die."""


def _always(*_: Any) -> bool:
    return True


def _before(owner: Any, name: str, applies: Callable[..., bool] = _always) -> Death:
    def wrap(die: Callable[[], None]) -> None:
        plain: Method = getattr(owner, name)

        async def dying(*args: Any, **named: Any) -> Any:
            if applies(*args):
                die()
            return await plain(*args, **named)

        setattr(owner, name, dying)

    return wrap


def _after(owner: Any, name: str) -> Death:
    def wrap(die: Callable[[], None]) -> None:
        plain: Method = getattr(owner, name)

        async def dying(*args: Any, **named: Any) -> Any:
            done = await plain(*args, **named)
            die()
            return done

        setattr(owner, name, dying)

    return wrap


def _answer_lost(asked: str) -> Death:
    """The provider has done what it was asked for, and its answer is not read."""

    def applies(_: Session, response: httpx.Response, where: str) -> bool:
        return response.is_success and re.fullmatch(asked, where) is not None

    return _before(Session, "_read", applies)


def _in_waiting(die: Callable[[], None]) -> None:
    plain: Method = Watcher[Any].wait

    async def wait(self: Watcher[Any], ref: Any, *, seen: Seen, **options: Any) -> Any:
        async def dying(news: Job | Trouble) -> None:
            await seen(news)
            if isinstance(news, Job) and not news.status.terminal:
                die()

        return await plain(self, ref, seen=dying, **options)

    Watcher.wait = wait


def _in_download(die: Callable[[], None]) -> None:
    plain: Method = Session.fetch

    async def fetch(self: Session, url: str, sink: BinaryIO, **options: Any) -> Any:
        return await plain(self, url, cast("BinaryIO", _Torn(sink, die)), **options)

    Session.fetch = fetch


def _is_start(_: Session, request: httpx.Request, *__: object) -> bool:
    return request.method == "PATCH"


def _is_sidecar(_: Store, path: str, __: object) -> bool:
    return path.endswith(".json")


GENERIO_DEATHS: dict[str, Death] = {
    "input sent": _answer_lost("generio: POST /flows/.*/inputs"),
    "before the start": _before(Session, "_call_once", _is_start),
    "started": _answer_lost("generio: PATCH .*"),
}
DEATHS: dict[str, Death] = {
    "before the intent": _before(Journal, "intend"),
    "after the intent": _after(Journal, "intend"),
    "at the gate": _after(Journal, "assure"),
    "answer lost": _answer_lost("algovera: POST /api/txt2img|flora: POST .*/runs|generio: POST /flows|genova: POST /api/jobs"),
    **GENERIO_DEATHS,
    "before the id is bound": _before(Journal, "bind"),
    "after the id is bound": _after(Journal, "bind"),
    "in waiting": _in_waiting,
    "in download": _in_download,
    "published without sidecar": _before(Store, "write", _is_sidecar),
    "after the sidecar": _after(Store, "publish"),
    "before the row": _before(Journal, "store"),
    "after the row": _after(Journal, "store"),
}
"""Where a process can die, in the order of a job's life."""
