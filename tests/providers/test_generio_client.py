"""Generio's client against the sandbox: two phases, inputs that are never doubled, both forms of a download, what a template takes."""

import asyncio
import base64
import hashlib
import io
import threading
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from genmedia import errors
from genmedia.jobs.job import Account, Job, JobStatus, Output
from genmedia.journal.keys import media_reference
from genmedia.providers.generio import client as generio
from genmedia.providers.generio.client import Flow, GenerioClient, Parameter, Template, check_request, data_uri
from genmedia.providers.generio.steps import Material, flow_input, flow_order, given_as, submission
from genmedia.transport.session import Fetched
from tests.contract import ProviderContract
from tests.listening import listening, response
from tests.sandboxes import Sandbox

PHOTO = Path(__file__).parents[2] / "photos" / "coffee.jpg"
PROMPT = "model_generate_fromprompt"
IMAGE = "model_generate_fromimage"
MODEL = Output("model", "model", url="/flows/f/outputs/a")


def client_of(account: dict[str, Any], key: str | None = None) -> AbstractAsyncContextManager[GenerioClient]:
    payer = Account("generio", account["base_url"], account["account"])
    return GenerioClient.lease(payer, account["api_key"] if key is None else key)


@asynccontextmanager
async def client_at(url: str) -> AsyncGenerator[GenerioClient]:
    async with GenerioClient.lease(Account("generio", url), "gn_key") as client:
        client.http.clock_scale = 1000
        yield client


@pytest.fixture
def account(sandbox: Sandbox) -> dict[str, Any]:
    return sandbox.new_account("generio", settings={"advance": "looks"})


@pytest.fixture
async def client(account: dict[str, Any]) -> AsyncGenerator[GenerioClient]:
    async with client_of(account) as client:
        yield client


async def chair(client: GenerioClient, *, start: bool = True) -> str:
    """The id of a flow that makes a chair."""
    flow = await client.create_flow(PROMPT, {"quality": "low"}, additional=None)
    await client.upload_input(flow.flow_id, "A wooden chair", additional="text")
    if start:
        await client.start_flow(flow.flow_id)
    return flow.flow_id


async def wait(client: GenerioClient, flow_id: str) -> Job:
    async def seen(_: object) -> None:
        pass

    return await client.watcher.wait(flow_id, about=flow_id, queue_seconds=1e6, run_seconds=1e6, seen=seen)


class TestContract(ProviderContract):
    """Generio keeps what all providers must."""

    provider = "generio"
    wrong_key = "gn_wrong"
    read_route = ("GET", "/templates/{template}")
    purchase_route = ("POST", "/flows")

    def lease(self, account: dict[str, Any], key: str) -> AbstractAsyncContextManager[GenerioClient]:
        """The account's client."""
        return client_of(account, key)

    async def read(self, client: GenerioClient) -> object:
        """What a template is."""
        return await client.get_template(PROMPT)

    async def purchase(self, client: GenerioClient, sandbox: Sandbox) -> str:
        """A model from words."""
        del sandbox
        return await chair(client)

    async def submit(self, client: GenerioClient, sandbox: Sandbox) -> object:
        """Inputs and start can be asked about; a flow that was made twice would stay for ever."""
        del sandbox
        return await client.create_flow(PROMPT, {}, additional=None)

    async def made(self, client: GenerioClient, sandbox: Sandbox, account: dict[str, Any]) -> int:
        """Flows that wait for their inputs are no jobs yet."""
        del sandbox, account
        return len(await client.list_flows())

    async def refused(self, client: GenerioClient) -> object:
        """A parameter that the template does not have."""
        return await client.create_flow(PROMPT, {"wings": 2}, additional=None)

    async def unknown(self, client: GenerioClient) -> object:
        """A flow of nobody."""
        return await client.get_flow("000000000000000000000000")


async def test_outputs_that_cannot_be_listed_yet_are_waited_for(
    sandbox: Sandbox, account: dict[str, Any], client: GenerioClient
) -> None:
    sandbox.fault(account, "rate_limit", route="list_outputs")
    job = await wait(client, await chair(client))

    assert job.outputs


async def test_a_flow_that_cannot_be_looked_at_hides_no_other(sandbox: Sandbox) -> None:
    account = sandbox.new_account("generio")
    sandbox.fault(account, "server_error", route="get_flow", times=None)
    async with client_of(account) as client:
        good = await chair(client)
        while sandbox.jobs(account)[0]["status"] != "succeeded":  # at its end the list alone tells it
            await asyncio.sleep(0.01)
        bad = asyncio.create_task(wait(client, "000000000000000000000000"))

        assert (await wait(client, good)).status is JobStatus.SUCCEEDED
        assert not bad.done()
        bad.cancel()
        await asyncio.wait([bad])


async def test_templates_say_what_they_take_and_give(client: GenerioClient) -> None:
    known = {template.name: template for template in await client.list_templates()}

    assert set(known) == {PROMPT, IMAGE, "model_optimize"}
    assert [(one.name, one.default) for one in known["model_optimize"].parameters] == [("polygon_count", 100000)]
    assert known[IMAGE].takes("image/jpeg")
    assert not known[IMAGE].takes("text/plain")
    assert (await client.get_template(known[PROMPT].id)).takes("text/plain")


async def test_nothing_runs_and_nothing_is_paid_before_the_start(
    sandbox: Sandbox, account: dict[str, Any], client: GenerioClient
) -> None:
    flow_id = await chair(client, start=False)

    assert (await client.get_flow(flow_id)).state == "created"
    assert sandbox.account(account)["credits"] == account["credits"]
    await client.start_flow(flow_id)
    assert (await wait(client, flow_id)).status is JobStatus.SUCCEEDED
    assert sandbox.account(account)["credits"] < account["credits"]


@pytest.mark.parametrize("kind", ["lose_answer", "reset", "server_error"])
async def test_an_input_is_never_doubled_whatever_becomes_of_the_answer(
    sandbox: Sandbox, account: dict[str, Any], client: GenerioClient, kind: str
) -> None:
    flow = await client.create_flow(PROMPT, {}, additional=None)
    sandbox.fault(account, kind, route="add_input")

    first = await client.upload_input(flow.flow_id, "A chair", additional="text")
    again = await client.upload_input(flow.flow_id, "A chair", additional="text")

    assert [one.asset_id for one in await client.list_inputs(flow.flow_id)] == [first.asset_id] == [again.asset_id]
    assert (await client.get_input(flow.flow_id, first.asset_id)).data == "A chair"
    assert [one.data for one in await client.list_inputs(flow.flow_id, include_data=True)] == ["A chair"]


@pytest.mark.parametrize("of", ["a text", "a file"])
async def test_what_arrives_is_the_orders_request_with_the_file_that_it_names_by_hash(
    sandbox: Sandbox, account: dict[str, Any], client: GenerioClient, of: str
) -> None:
    content = PHOTO.read_bytes()
    photo = Material("image/jpeg", file=PHOTO, sha256=hashlib.sha256(content).hexdigest(), origin="photo.jpg")
    material, template = (Material("text/plain", text="A chair, é"), PROMPT) if of == "a text" else (photo, IMAGE)
    order = flow_order(client.account, template, {"quality": "low", "seed": 7}, [given_as(material)], 1, 1)

    async with AsyncExitStack() as held:
        flow_id = await (await submission(client, order, [nullcontext(material)], held))(f"{order.key}:1", nullcontext)

    (job,) = sandbox.jobs(account)
    assert job["request"]["template"] == order.request["template"]
    assert job["request"]["parameters"].items() >= order.request["parameters"].items()
    (given,) = order.request["inputs"]
    (arrived,) = await client.list_inputs(flow_id, include_data=True)
    if of == "a text":
        assert arrived.data == given["text"]
    else:
        sent = base64.b64decode((arrived.data or "").partition(",")[2])
        assert hashlib.sha256(sent).hexdigest() == given["file"]["sha256"] == arrived.additional


def test_another_file_than_the_order_names_is_not_sent() -> None:
    photo = Material("image/jpeg", file=PHOTO, sha256="ab" * 32)
    given = {"file": media_reference("cd" * 32)}

    with pytest.raises(ValueError, match="the order names the file"):
        flow_input(given, photo)


async def test_an_input_that_is_larger_than_an_answer_may_be_is_put_up_though_the_answer_was_lost(
    sandbox: Sandbox, account: dict[str, Any], client: GenerioClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genmedia.transport.session.ANSWER_BYTES", 50_000)
    flow = await client.create_flow(IMAGE, {}, additional=None)
    sandbox.fault(account, "lose_answer", route="add_input")
    picture = data_uri("image/jpeg", PHOTO.read_bytes() + bytes(300_000))

    first = await client.upload_input(flow.flow_id, picture, additional="picture")

    assert [one.asset_id for one in await client.list_inputs(flow.flow_id)] == [first.asset_id]


@pytest.mark.parametrize("kind", ["lose_answer", "reset", "server_error"])
async def test_a_start_whose_answer_was_lost_is_one_start(
    sandbox: Sandbox, account: dict[str, Any], client: GenerioClient, kind: str
) -> None:
    flow_id = await chair(client, start=False)
    sandbox.fault(account, kind, route="control_flow")

    try:
        await client.start_flow(flow_id)
    except errors.MaybeAcceptedError:
        assert (await client.get_flow(flow_id)).state == "created", "it may be sent again, because it did not arrive"
        await client.start_flow(flow_id)
    await client.start_flow(flow_id)

    assert (await wait(client, flow_id)).status is JobStatus.SUCCEEDED
    assert sandbox.account(account)["credits"] == account["credits"] - 1


async def test_a_start_whose_answer_was_lost_is_in_doubt_where_the_flow_is_known_no_more(
    sandbox: Sandbox, account: dict[str, Any], client: GenerioClient
) -> None:
    flow_id = await chair(client, start=False)
    sandbox.fault(account, "vanish")
    sandbox.fault(account, "lose_answer", route="control_flow")

    with pytest.raises(errors.InDoubtError, match=f"knows flow {flow_id} no more"):
        await client.start_flow(flow_id)


async def test_starting_without_inputs_and_uploading_after_the_start_are_refused(client: GenerioClient) -> None:
    empty = await client.create_flow(PROMPT, {}, additional=None)
    with pytest.raises(errors.RefusedError):
        await client.start_flow(empty.flow_id)
    started = await chair(client)
    with pytest.raises(errors.RefusedError):
        await client.upload_input(started, "Another chair", additional="another")


async def test_outputs_are_not_there_before_the_end(client: GenerioClient) -> None:
    flow_id = await chair(client, start=False)

    with pytest.raises(errors.RefusedError):
        await client.list_outputs(flow_id)


@pytest.mark.parametrize("switches", [{}, {"asset_key": "id"}, {"download": "raw"}, {"progress": "ramp"}])
async def test_a_model_comes_whole_in_every_form(sandbox: Sandbox, switches: dict[str, str]) -> None:
    account = sandbox.new_account("generio", settings={"advance": "looks"}, switches=switches)
    async with client_of(account) as client:
        job = await wait(client, await chair(client))
        (listed,) = await client.list_outputs(job.id, include_data=True)
        sink = io.BytesIO()
        fetched = await client.fetch_output(job.outputs[0], sink, 10**7)

    content = sink.getvalue()
    assert content.startswith(b"glTF")
    assert fetched.size == len(content) == int.from_bytes(content[8:12], "little")
    assert listed.data == data_uri("model/gltf-binary", content)
    with pytest.raises(errors.OversizeError):
        async with client_of(account) as client:
            await client.fetch_output(job.outputs[0], io.BytesIO(), len(content) - 1)


CONTENT = bytes(range(256)) * 100 + b"end"
ENCODED = base64.b64encode(CONTENT)
HEAD = b'{"asset_id": "a", "data": "data:model/gltf-binary;base64,'


@pytest.mark.parametrize("piece", [4, 5, 7, 1000, 2**20])
@pytest.mark.parametrize(
    "body",
    [
        HEAD + ENCODED + b'"}',
        b'"data:model/gltf-binary;base64,' + ENCODED + b'"',
        b' {"data" : "data:;base64,'.lstrip() + ENCODED + b'", "additional": {"data": 1}}\n',
        HEAD.replace(b"/", b"\\/") + ENCODED.replace(b"/", b"\\/").replace(b"+", b"\\u002b") + b'"}',
    ],
)
async def test_a_file_in_json_is_decoded_in_pieces_however_the_json_is_written(
    monkeypatch: pytest.MonkeyPatch, piece: int, body: bytes
) -> None:
    monkeypatch.setattr("genmedia.providers.generio.client.PIECE_BYTES", piece)
    async with listening(response("200 OK", body)) as (url, _), client_at(url) as client:
        sink = io.BytesIO()
        fetched = await client.fetch_output(MODEL, sink, 10**6)
    assert (sink.getvalue(), fetched) == (CONTENT, Fetched(len(CONTENT), hashlib.sha256(CONTENT).hexdigest()))


@pytest.mark.parametrize("piece", [8, 2**20])
@pytest.mark.parametrize(
    "body",
    [
        HEAD + ENCODED,
        HEAD + ENCODED[:-1] + b'"}',
        HEAD + ENCODED + b'"',
        HEAD + ENCODED + b"====" + ENCODED + b'"}',
        HEAD + ENCODED[:400] + b"QQ==" + ENCODED[400:] + b'"}',
        HEAD + ENCODED[:400] + b"\\n" + ENCODED[400:] + b'"}',
        HEAD + ENCODED + b'", "data": "another"}',
        HEAD.replace(b'"data": ', b'"other": ') + ENCODED + b'"}',
        b'{"padding": "' + b"x" * 70_000 + b'", ' + HEAD[1:] + ENCODED + b'"}',
        HEAD + ENCODED + b'", "padding": "' + b"x" * 70_000 + b'"}',
        b'{"data": "data:model/gltf-binary,glTF"}',
        b'{"data": null}',
        b'"',
        b"{",
    ],
)
async def test_json_without_a_whole_file_in_it_is_a_broken_download(
    monkeypatch: pytest.MonkeyPatch, piece: int, body: bytes
) -> None:
    monkeypatch.setattr("genmedia.providers.generio.client.PIECE_BYTES", piece)
    async with listening(response("200 OK", body)) as (url, _), client_at(url) as client:
        with pytest.raises(errors.BrokenDownloadError, match="without a readable data URI"):
            await client.fetch_output(MODEL, io.BytesIO(), 10**6)


async def test_a_file_in_json_takes_a_few_pieces_of_memory_and_no_time_of_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(2**20) * 48
    decoded_in: list[int] = []

    def unwrap(file: BinaryIO) -> Fetched:
        decoded_in.append(threading.get_ident())
        return plain(file)

    plain = generio._unwrap  # pyright: ignore[reportPrivateUsage] # where it runs is what the test is about
    monkeypatch.setattr("genmedia.providers.generio.client._unwrap", unwrap)
    async with listening(response("200 OK", HEAD + base64.b64encode(content) + b'"}')) as (url, _), client_at(url) as client:
        with (tmp_path / "model").open("w+b") as sink:
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            fetched = await client.fetch_output(MODEL, sink, len(content))
            peak = tracemalloc.get_traced_memory()[1] - before
            tracemalloc.stop()
    assert fetched == Fetched(len(content), hashlib.sha256(content).hexdigest())
    assert (tmp_path / "model").stat().st_size == len(content)
    assert peak < 12 * 2**20
    assert threading.get_ident() not in decoded_in
    assert len(decoded_in) == 1


async def test_a_picture_becomes_a_model_and_the_model_a_smaller_one(client: GenerioClient) -> None:
    flow = await client.create_flow(IMAGE, {"quality": "high"}, additional=None)
    await client.upload_input(flow.flow_id, data_uri("image/jpeg", PHOTO.read_bytes()), additional="photo")
    await client.start_flow(flow.flow_id)
    job = await wait(client, flow.flow_id)
    (output,) = await client.list_outputs(job.id, include_data=True)
    assert output.additional == "photo"

    smaller = await client.create_flow("model_optimize", {"polygon_count": 500}, additional=None)
    await client.upload_input(smaller.flow_id, output.data or "", additional="model")
    await client.start_flow(smaller.flow_id)
    sink = io.BytesIO()
    await client.fetch_output((await wait(client, smaller.flow_id)).outputs[0], sink, 10**7)

    assert sink.getvalue().startswith(b"glTF")
    assert len(sink.getvalue()) < len(base64.b64decode((output.data or "").partition(",")[2]))


async def test_a_flow_that_runs_is_aborted_and_costs_the_wait(sandbox: Sandbox) -> None:
    account = sandbox.new_account("generio", settings={"run": [3000, 3000]})
    async with client_of(account) as client:
        flow_id = await chair(client)

        assert (await client.abort_flow(flow_id)).state == "aborted"
        assert (await client.abort_flow(flow_id)).state == "aborted"
        assert (await wait(client, flow_id)).status is JobStatus.CANCELLED


async def test_an_abort_that_comes_after_the_end_finds_the_result(client: GenerioClient) -> None:
    flow_id = await chair(client)
    await wait(client, flow_id)

    assert (await client.abort_flow(flow_id)).state == "completed"


async def test_a_flow_that_was_never_started_is_not_aborted_but_deleted(client: GenerioClient) -> None:
    flow_id = await chair(client, start=False)
    with pytest.raises(errors.RefusedError):
        await client.abort_flow(flow_id)

    await client.delete_flow(flow_id)
    await client.delete_flow(flow_id)

    with pytest.raises(errors.NotFoundError):
        await client.get_flow(flow_id)


async def test_a_flow_that_runs_is_not_deleted(sandbox: Sandbox) -> None:
    async with client_of(sandbox.new_account("generio", settings={"run": [3000, 3000]})) as client:
        flow_id = await chair(client)
        with pytest.raises(errors.RefusedError):
            await client.delete_flow(flow_id)


async def test_flows_are_listed_sorted_and_by_state(client: GenerioClient) -> None:
    first = await chair(client)
    await wait(client, first)
    second = await chair(client, start=False)

    assert [flow.flow_id for flow in await client.list_flows()] == [second, first]
    assert {flow.flow_id for flow in await client.list_flows(sort_by="finished_at")} == {first, second}
    assert [flow.flow_id for flow in await client.list_flows(filter_by="completed")] == [first]


async def test_a_list_of_flows_by_fields_is_read_where_it_has_what_makes_a_flow(client: GenerioClient) -> None:
    flow_id = await chair(client, start=False)

    assert [(flow.flow_id, flow.state) for flow in await client.list_flows(filter_by="flow_id,state")] == [(flow_id, "created")]


async def test_a_list_of_flows_that_were_chosen_otherwise_than_was_meant_is_told(client: GenerioClient) -> None:
    await chair(client, start=False)

    with pytest.raises(
        errors.UnreadableAnswerError, match=r"filter_by=progress in another way .* 1 flows came, 0 of them"
    ) as told:
        await client.list_flows(filter_by="progress")

    assert "names of fields, to which flow_id and state must belong" in str(told.value)


@pytest.mark.parametrize(("meaning", "asked"), [("fields", "completed"), ("states", "flow_id,state")])
async def test_a_choice_that_a_generation_of_the_api_does_not_know_is_refused(sandbox: Sandbox, meaning: str, asked: str) -> None:
    async with client_of(sandbox.new_account("generio", switches={"filter_by": meaning})) as client:
        await chair(client, start=False)
        with pytest.raises(errors.RefusedError):
            await client.list_flows(filter_by=asked)


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"id": "1", "state": "starting"}, JobStatus.QUEUED, ""),
        ({"flow_id": "1", "state": "created"}, JobStatus.UNSTARTED, ""),
        ({"flow_id": "1", "state": "aborting", "progress": None}, JobStatus.RUNNING, ""),
        ({"flow_id": "1", "state": "dreaming", "wings": 2}, JobStatus.RUNNING, ""),
        ({"flow_id": "1", "state": "failed", "message": "no light"}, JobStatus.FAILED, "no light"),
        ({"flow_id": "1", "state": "failed", "error": {"code": 3}}, JobStatus.FAILED, '{"code":3}'),
    ],
)
def test_a_flow_is_read_in_every_shape_that_was_seen(body: dict[str, Any], status: JobStatus, error: str) -> None:
    job = Flow.model_validate(body).as_job()

    assert (job.id, job.status, job.error) == ("1", status, error)


def test_everything_a_template_does_not_take_is_told_at_once() -> None:
    template = Template(
        name="t",
        parameters=(
            Parameter(name="quality", type="str", values=("low", "high")),
            Parameter(name="seed", type="int"),
            Parameter(name="texture", type="bool"),
        ),
        input_types=("image/jpg",),
    )

    faults = check_request("step 1", template, {"quality": "best", "seed": True, "texture": 1, "wings": 2}, {"a": "text/plain"})

    assert [str(fault) for fault in faults] == [
        "step 1, parameter wings: is unknown to t; it takes quality, seed, texture",
        "step 1, parameter quality: is 'best', not one of low, high",
        "step 1, parameter seed: is True, but int is needed",
        "step 1, parameter texture: is 1, but bool is needed",
        "step 1, input a: is text/plain, but t takes image/jpg",
    ]
    assert check_request("step 1", template, {"quality": "low", "seed": -1, "texture": False}, {"a": "image/jpeg"}) == []
    assert [str(fault) for fault in check_request("step 1", template, {}, {})] == ["step 1: has no input; t takes image/jpg"]
    named = {
        "name": "t",
        "input_types": ["image/png"],
        "inputs": [{"id": one, "types": ["image/png"]} for one in ("front", "back")],
    }
    assert [str(fault) for fault in check_request("step 1", Template.model_validate(named), {}, {"a": "image/png"})] == [
        "step 1: takes front and back together, which only a campaign can give it"
    ]
