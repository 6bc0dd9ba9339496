"""Pages that open from the disk, with no server and no network, and run no script but their own."""

import re
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

_PART = re.compile(r"%([a-z]+\.(?:css|js))%")


def read_template(name: str) -> str:
    """Read a page of this package and fill in its parts (`%name.css%`, `%name.js%`); the caller fills in places such as `%name%`."""
    text = files("genmedia.gallery").joinpath("web", name).read_text(encoding="utf-8")
    return _PART.sub(lambda part: read_template(part[1]), text)


def seal(page: str) -> str:
    """Fill the hashes of a page's own script and style into its policy, at `%script%` and `%style%`, so that it allows no others."""
    for tag in ("script", "style"):
        code = page.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        page = page.replace(f"%{tag}%", f"'sha256-{b64encode(sha256(code.encode()).digest()).decode()}'", 1)
    return page
