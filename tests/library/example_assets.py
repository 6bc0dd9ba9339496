"""Assets as a store keeps them: the file, its sidecar, its thumbnail. Made by hand, so that tests can also make them wrong."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from genmedia.store import Store


def picture(colour: str, size: tuple[int, int] = (96, 64), form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, form)
    return buffer.getvalue()


def film(path: Path) -> bytes:
    """Two seconds in which a grey gets lighter."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 12)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for number in range(24):
            frame = av.VideoFrame.from_ndarray(np.full((96, 128, 3), number * 10, np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    content = path.read_bytes()
    path.unlink()
    return content


def write_asset(
    store: Store, path: str, content: bytes, media_type: str = "image/png", *, thumbnail: bytes | None = None, **changes: Any
) -> str:
    """Put an asset below the store's root and return its SHA-256; `changes` replace whole fields of its sidecar."""
    campaign, step, *_ = path.split("/")
    digest = hashlib.sha256(content).hexdigest()
    facts = {"width": 96, "height": 64} if media_type.startswith("image/") else {}
    sidecar: dict[str, Any] = {
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
        "file": {"sha256": digest, "bytes": len(content), "media_type": media_type, **facts, "path": path},
        **changes,
    }
    asset = store.root / path
    asset.parent.mkdir(parents=True, exist_ok=True)
    asset.write_bytes(content)
    (store.root / f"{path}.json").write_text(json.dumps(sidecar), encoding="utf-8")
    if thumbnail:
        small = store.thumbnail(digest)
        small.parent.mkdir(parents=True, exist_ok=True)
        small.write_bytes(thumbnail)
    return digest


def times(minute: int) -> dict[str, str]:
    """When a job was bought, ran for 29 seconds and was stored."""
    at = {"created": "00.000", "started": "01.000", "completed": "30.000", "stored": "31.500"}
    return {name: f"2026-03-01T12:{minute:02}:{second}+00:00" for name, second in at.items()}
