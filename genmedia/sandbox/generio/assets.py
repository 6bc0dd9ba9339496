"""Generio's inputs and outputs: the routes under a flow, and how their files travel inside the answers."""

import base64
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from genmedia.sandbox.accounts import Account
from genmedia.sandbox.generio.flows import ENDED, Flow, Flows, Input, iso, new_id, switches_of
from genmedia.sandbox.generio.requests import Content, NewInput, read_body, read_flag, read_inputs
from genmedia.sandbox.provider import Operation, Refusal, Services


class Assets:
    """The routes.

    Args:
        services: The media origin keeps the outputs, under addresses that nobody is told.
        flows: Where the flows are.
    """

    def __init__(self, services: Services, flows: Flows) -> None:
        self._clock = services.clock
        self._media = services.media
        self._flows = flows

    def routes(self) -> tuple[Operation, ...]:
        """The documented routes, and the older generation's path of a download."""
        return (
            Operation("list_inputs", "GET", "/flows/{flow_id}/inputs", self._list_inputs),
            Operation("add_input", "POST", "/flows/{flow_id}/inputs", self._add_input),
            Operation("get_input", "GET", "/flows/{flow_id}/inputs/{asset_id}", self._get_input),
            Operation("list_outputs", "GET", "/flows/{flow_id}/outputs", self._list_outputs),
            Operation("get_output", "GET", "/flows/{flow_id}/outputs/{asset_id}", self._get_output),
            Operation("get_output_singular", "GET", "/flows/{flow_id}/output/{asset_id}", self._get_output),
        )

    def take(self, flow: Flow, given: NewInput, content: Content) -> Input:
        """Add an input to a flow."""
        now = self._clock.now()
        taken = Input(new_id(now), new_id(now), given.data, *content, given.additional)
        flow.inputs.append(taken)
        return taken

    async def _list_inputs(self, request: Request, account: Account) -> Response:
        flow, with_data = self._flows.find(request, account), read_flag(request, "include_data")
        shown = [_show_input(flow, each) | ({"data": each.data} if with_data else {}) for each in flow.inputs]
        return JSONResponse({"flow_id": flow.id, "inputs": shown})

    async def _add_input(self, request: Request, account: Account) -> Response:
        flow, body = self._flows.find(request, account), await read_body(request, NewInput)
        flow.hold({"created"}, "given inputs")
        plain = switches_of(account).plain_base64 == "accept"
        (content,) = read_inputs(flow.template, [body], ("body",), plain_base64=plain)
        return JSONResponse({"flow_id": flow.id, **_show_input(flow, self.take(flow, body, content))})

    async def _get_input(self, request: Request, account: Account) -> Response:
        flow = self._flows.find(request, account)
        found = next((each for each in flow.inputs if each.id == request.path_params["asset_id"]), None)
        if found is None:
            raise Refusal(404, "", "Input not found")
        return JSONResponse(_show_input(flow, found) | {"data": found.data})

    async def _list_outputs(self, request: Request, account: Account) -> Response:
        flow, with_data = self._flows.find(request, account), read_flag(request, "include_data")
        flow.hold(ENDED, "asked for outputs")
        shown: list[dict[str, Any]] = []
        for source, output in flow.outputs():
            one = _show_asset(flow, source.output_id, "ready" if output else "error", source.additional)
            if output and with_data:
                data = await self._media.read(output.value)
                one["data"] = _data_uri(data or b"", output.media_type)
            shown.append(one if output else one | {"error": source.error})
        return JSONResponse({"flow_id": flow.id, "outputs": shown})

    async def _get_output(self, request: Request, account: Account) -> Response:
        flow = self._flows.find(request, account)
        flow.hold(ENDED, "asked for outputs")
        wanted = request.path_params["asset_id"]
        output = next((output for source, output in flow.outputs() if source.output_id == wanted), None)
        if output is None:
            raise Refusal(404, "", "Output not found")
        gone = JSONResponse({"detail": "Flow not found"}, 404)
        if switches_of(account).download == "raw":
            return await self._media.deliver(output.value, request, gone=gone)
        return await self._media.deliver(output.value, request, wrap=_in_json, gone=gone)


def _show_asset(flow: Flow, asset_id: str, status: str, additional: Any) -> dict[str, Any]:
    if switches_of(flow.account).asset_key == "asset_id":
        return {"asset_id": asset_id, "status": status, "additional": additional}
    processed = iso(flow.job.ended_at if flow.job else None)
    return {"id": asset_id, "status": status, "processed": processed, "additional": additional}


def _show_input(flow: Flow, given: Input) -> dict[str, Any]:
    status = "error" if given.error else "processing" if flow.job and flow.job.open else "available"
    return _show_asset(flow, given.id, status, given.additional)


def _data_uri(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _in_json(data: bytes, media_type: str) -> tuple[bytes, str]:
    return json.dumps({"data": _data_uri(data, media_type)}).encode(), "application/json"
