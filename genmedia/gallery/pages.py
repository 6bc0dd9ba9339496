"""Pages that open from the disk, with no server and no network, and run no script but their own."""

import re
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

_PART = re.compile(r"%([a-z]+\.(?:css|js))%")


def read_template(name: str) -> str:
    """A page of this package with its parts in it (`%name.css%`, `%name.js%`), and places marked `%name%` still to be filled in."""
    text = files("genmedia.gallery").joinpath("web", name).read_text(encoding="utf-8")
    return _PART.sub(lambda part: read_template(part[1]), text)


def seal(page: str) -> str:
    """Let a page's policy allow the page's own script and style, by their hashes, and no other: `%script%` and `%style%`."""
    for tag in ("script", "style"):
        code = page.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        page = page.replace(f"%{tag}%", f"'sha256-{b64encode(sha256(code.encode()).digest()).decode()}'", 1)
    return page
