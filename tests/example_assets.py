"""Assets as a store keeps them: the file, its sidecar, its thumbnail. Made by hand, so that tests can also make them wrong."""

import asyncio
import hashlib
import io
import json
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from genmedia.gallery.page import write_gallery
from genmedia.journal import StoredAsset
from genmedia.provenance.reading import read_assets
from genmedia.store import Store
from genmedia.store.sidecar import Bought, Evidence, Sidecar
from genmedia.store.store import thumbnail_path


def picture(colour: str, size: tuple[int, int] = (96, 64), form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, form)
    return buffer.getvalue()


def film(path: Path, options: dict[str, str] | None = None) -> bytes:
    """Two seconds in which a grey gets lighter, written with options of FFmpeg."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream("libx264", 12)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for number in range(24):
            frame = av.VideoFrame.from_ndarray(np.full((96, 128, 3), number * 10, np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    content = path.read_bytes()
    path.unlink()
    return content


def pack_glb(document: dict[str, Any], binary: bytes = b"") -> bytes:
    """A GLB file of a glTF document, and of the bytes behind it."""
    described = json.dumps(document).encode()
    described += b" " * (-len(described) % 4)
    binary += bytes(-len(binary) % 4)
    chunks = struct.pack("<I4s", len(described), b"JSON") + described
    chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary if binary else b""
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def pyramid(colour: tuple[float, float, float] = (1, 0, 0)) -> tuple[dict[str, Any], bytes]:
    """A glTF document of a pyramid, 2 m wide, 3 m high and 4 m deep, and the bytes behind it: 5 vertices, 6 triangles."""
    corners = np.array([[-1, 0, -2], [1, 0, -2], [1, 0, 2], [-1, 0, 2], [0, 3, 0]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3], [0, 4, 1], [1, 4, 2], [2, 4, 3], [3, 4, 0]], np.uint16)
    document: dict[str, Any] = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorFactor": [*colour, 1], "metallicFactor": 0}}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 5, "type": "VEC3", "min": [-1, 0, -2], "max": [1, 3, 2]},
            {"bufferView": 1, "componentType": 5123, "count": 18, "type": "SCALAR"},
        ],
        "bufferViews": [{"buffer": 0, "byteLength": 60}, {"buffer": 0, "byteOffset": 60, "byteLength": 36}],
        "buffers": [{"byteLength": 96}],
    }
    return document, corners.tobytes() + faces.tobytes()


def sidecar_json(
    path: str, digest: str = "cd" * 32, size: int = 5, media_type: str = "image/png", **changes: Any
) -> dict[str, Any]:
    """The sidecar of an asset; `changes` replace whole fields of it."""
    campaign, step, *_ = path.split("/")
    facts = {"width": 96, "height": 64} if media_type.startswith("image/") else {}
    return {
        "genmedia": "0.1.0",
        "sidecar": 1,
        "campaign": campaign,
        "step": step,
        "provider": "flora",
        "account": "flora|https://app.flora.ai|default",
        "operation": "technique:studio-blur",
        "remote_id": "j57abc",
        "submission_key": hashlib.sha256(path.encode()).hexdigest(),
        "attempt": 1,
        "take": 1,
        "request": {},
        "inputs": [],
        "cost": {"price": 3.0, "charged": 3.0, "unit": "credits"},
        "times": times(0),
        "output": {"id": "output_image", "kind": media_type.partition("/")[0], "source": None},
        "file": {"sha256": digest, "bytes": size, "media_type": media_type, **facts, "path": path},
        **changes,
    }


def stored_asset(path: str = "coffee/hero/a.png", **changes: Any) -> StoredAsset:
    """A file as the journal knows it; `changes` replace whole fields of its sidecar."""
    sidecar = Sidecar.model_validate(sidecar_json(path, **changes))
    return StoredAsset(path, sidecar.output.id, sidecar.file.sha256, sidecar)


def make_evidence(key: str, output: str) -> Evidence:
    """Of a file that does not decode."""
    told = sidecar_json("coffee/hero/a.png", submission_key=key)
    bought = {name: told[name] for name in Bought.model_fields}
    return Evidence(**bought, output=output, sha256="ab" * 32, bytes=6, what="it does not decode")


def write_asset(
    root: Path, path: str, content: bytes, media_type: str = "image/png", *, thumbnail: bytes | None = None, **changes: Any
) -> str:
    """Put an asset below the store's root and return its SHA-256; `changes` replace whole fields of its sidecar."""
    digest = hashlib.sha256(content).hexdigest()
    sidecar = sidecar_json(path, digest, len(content), media_type, **changes)
    asset = root / path
    asset.parent.mkdir(parents=True, exist_ok=True)
    asset.write_bytes(content)
    (root / f"{path}.json").write_text(json.dumps(sidecar), encoding="utf-8")
    if thumbnail:
        small = root / thumbnail_path(digest)
        small.parent.mkdir(parents=True, exist_ok=True)
        small.write_bytes(thumbnail)
    return digest


def draw_gallery(root: Path) -> Path:
    """The page of the store in a folder."""

    async def draw() -> None:
        async with Store.lease(str(root)) as store:
            await write_gallery(store, await read_assets(store))

    with ThreadPoolExecutor(1) as aside:  # a browser that a test drives has a loop of its own
        aside.submit(asyncio.run, draw()).result()
    return root / "index.html"


def times(minute: int) -> dict[str, str]:
    """When a job was bought, ran for 29 seconds and was stored."""
    at = {"created": "00.000", "started": "01.000", "completed": "30.000", "stored": "31.500"}
    return {name: f"2026-03-01T12:{minute:02}:{second}+00:00" for name, second in at.items()}
