"""A customer of the sandbox's Generio, over real HTTP."""

import base64
import json
import struct
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.sandboxes import Sandbox

ENDED = {"completed", "aborted", "failed"}
GLB = "model/gltf-binary"


class GenerioCustomer:
    """One account and a client that carries its key."""

    def __init__(self, sandbox: Sandbox, account: dict[str, Any], http: httpx.Client) -> None:
        self.sandbox = sandbox
        self.account = account
        self.http = http

    @property
    def credits(self) -> float:
        """The credits left."""
        return self.sandbox.account(self.account)["credits"]

    def order(self, *prompts: str, template: str = "model_generate_fromprompt", **body: Any) -> httpx.Response:
        """Order a flow with these prompts, or without inputs."""
        inputs = [{"data": prompt, "additional": number} for number, prompt in enumerate(prompts)]
        return self.http.post("/flows", json={"template": template, "inputs": inputs or None, **body})

    def create(self, *prompts: str, **body: Any) -> dict[str, Any]:
        """Order a flow and return it."""
        response = self.order(*prompts, **body)
        assert response.status_code == 200, response.text
        return response.json()

    def add(self, flow: dict[str, Any], data: str, **body: Any) -> httpx.Response:
        """Upload an input."""
        return self.http.post(f"/flows/{flow['flow_id']}/inputs", json={"data": data, **body})

    def act(self, flow: dict[str, Any], action: str) -> httpx.Response:
        """Start or abort a flow."""
        return self.http.patch(f"/flows/{flow['flow_id']}", json={"action": action})

    def delete(self, flow: dict[str, Any]) -> httpx.Response:
        """Delete a flow."""
        return self.http.delete(f"/flows/{flow['flow_id']}")

    def look(self, flow: dict[str, Any]) -> dict[str, Any]:
        """Look at a flow once."""
        response = self.http.get(f"/flows/{flow['flow_id']}")
        assert response.status_code == 200, response.text
        return response.json()

    def finish(self, flow: dict[str, Any]) -> dict[str, Any]:
        """Look until the flow has ended; in looks mode that is a handful of looks."""
        for _ in range(20):
            shown = self.look(flow)
            if shown["state"] in ENDED:
                return shown
        pytest.fail("it never ends")

    def flows(self, query: str = "") -> list[dict[str, Any]]:
        """The list."""
        response = self.http.get(f"/flows{query}")
        assert response.status_code == 200, response.text
        return response.json()["flows"]

    def outputs(self, flow: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
        """What came of a flow."""
        response = self.http.get(f"/flows/{flow['flow_id']}/outputs{query}")
        assert response.status_code == 200, response.text
        return response.json()["outputs"]

    def path(self, flow: dict[str, Any]) -> str:
        """The path of a flow's first output."""
        return f"/flows/{flow['flow_id']}/outputs/{self.outputs(flow)[0]['asset_id']}"

    def model(self, *prompts: str, **body: Any) -> bytes:
        """Order a flow, wait for it and fetch its first model."""
        flow = self.finish(self.create(*prompts, **body))
        assert flow["state"] == "completed", flow
        response = self.http.get(self.path(flow))
        assert response.status_code == 200, response.text
        return unpacked(response.json()["data"])


def packed(data: bytes, media_type: str) -> str:
    """A data URI."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def unpacked(data: str, media_type: str = GLB) -> bytes:
    """What is in a data URI of that type."""
    head, _, body = data.partition(",")
    assert head == f"data:{media_type};base64"
    return base64.b64decode(body, validate=True)


def parsed(data: bytes) -> dict[str, Any]:
    """The JSON of a GLB, whose header, chunks and references all fit (glTF 2.0, chapter 4)."""
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    at, chunks = 12, list[tuple[bytes, bytes]]()
    while at < len(data):
        size, kind = struct.unpack_from("<I4s", data, at)
        assert size % 4 == 0
        chunks.append((kind, data[at + 8 : at + 8 + size]))
        at += 8 + size
    assert at == len(data)
    assert [kind for kind, _ in chunks] == [b"JSON", b"BIN\0"]
    content, binary = json.loads(chunks[0][1]), chunks[1][1]
    assert content["asset"]["version"] == "2.0"
    assert content["buffers"][0]["byteLength"] <= len(binary)
    for view in content["bufferViews"]:
        assert view.get("byteOffset", 0) + view["byteLength"] <= content["buffers"][0]["byteLength"]
    for accessor in content["accessors"]:
        each = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}[accessor["type"]] * {5121: 1, 5125: 4, 5126: 4}[
            accessor["componentType"]
        ]
        view = content["bufferViews"][accessor["bufferView"]]
        assert accessor.get("byteOffset", 0) + accessor["count"] * each <= view["byteLength"]
    return content


def assembled(content: dict[str, Any], binary: bytes = b"") -> bytes:
    """A GLB around this JSON and these bytes."""
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    if binary:
        chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def triangles(data: bytes) -> int:
    """How many triangles a GLB has."""
    content = parsed(data)
    pieces = [piece for mesh in content["meshes"] for piece in mesh["primitives"]]
    assert all(piece.get("mode", 4) == 4 for piece in pieces)
    return sum(content["accessors"][piece["indices"]]["count"] // 3 for piece in pieces)


NewGenerio = Callable[..., GenerioCustomer]
