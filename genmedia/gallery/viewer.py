"""Pages by which a browser turns the models of a store from the disk: one page that draws, and one for each model with its bytes.

A page that was opened from the disk may not read files, so a model's bytes are in a page of their own, as base64. That page is loaded when
the model is looked at, not before. three.js, which comes with the installed trimesh, does the drawing.
"""

import importlib.util
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from zipfile import ZipFile

from genmedia.gallery.pages import read_template, seal

FOLDER = ".genmedia/models"
VIEWER = f"{FOLDER}/viewer.html"
_READ_BYTES = 3 * 2**18  # a multiple of 3: base64 of the pieces is base64 of the whole


def page_of(digest: str) -> str:
    """Path of the page of the model with this SHA-256, below the store's root."""
    return f"{FOLDER}/{digest}.html"


def make_viewer_page() -> str:
    """Make the page that draws; its path is `VIEWER`."""
    return seal(read_template("viewer.html").replace("%three%", _three(), 1))


def make_model_page(model: BinaryIO) -> Iterator[str]:
    """Yield the page of one model in pieces, so that the model may be large; its path is `page_of` its SHA-256."""
    before, _, after = seal(read_template("model.html")).partition("%data%")
    yield before
    while piece := model.read(_READ_BYTES):
        yield b64encode(piece).decode()
    yield after


def _three() -> str:
    """Source of three.js and its reader of glTF; found without importing trimesh, which is slow."""
    found = importlib.util.find_spec("trimesh")
    assert found
    assert found.origin
    with ZipFile(Path(found.origin).parent / "resources" / "templates" / "viewer.zip") as packed:
        page = packed.read("viewer.html.template").decode()
    script, _, _ = page.partition("<script>")[2].partition(
        "var camera,controls,scene"
    )  # from there on it is trimesh's own viewer
    return script
