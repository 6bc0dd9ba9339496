"""Write the package of a new provider: a copy of genmedia-fal under the new name, without the files that only fal needs.

The copy runs as it is: a sandbox of a queue, a client that passes the contract suite, a kind of step, a block, tasks. Change each of them
to fit the new API, beginning with the sandbox.
"""

import re
import shutil
import sys
from pathlib import Path

FAL = Path(__file__).parent / "genmedia-fal"
LEFT_OUT = ("README.md", "test_fal_client.py", "test_skeleton.py", "fal_client_program.py.txt", "__pycache__", ".*cache")
README = """# genmedia-{name}

{title} as a provider of genmedia. Written from genmedia-fal by `make provider`; what each file is for stands in CONTRIBUTING.md, under
"Adding a provider". Before anything else, write down here what is known of the API, and where from.
"""


def renamed(text: str, name: str) -> str:
    """Return a text of genmedia-fal for a provider called `name`, with a field of its own that tells its kind of step from others."""
    for old, new in (
        (r"\n\[dependency-groups\](.|\n)*", ""),  # fal's own client
        (r"\bfal\.(run|ai|media)\b", f"{name}.example"),  # a key must not go to a host that somebody else may have
        (r"\bFal(?=[A-Z]|\b)", name.capitalize()),
        (r"(?<![A-Za-z-])fal(?=s?(_|\b)(?!-(ai|client)\b))", name),
        (r"genmedia-fal\b", f"genmedia-{name}"),
        (r"\bendpoint\b", f"{name}_model"),
    ):
        text = re.sub(old, new, text)
    return text


def write(name: str, folder: Path) -> Path:
    """Write the package into a new folder in `folder`, and return its path.

    Raises:
        SystemExit: No package can have the name, or the new folder is there already.
    """
    target = folder / f"genmedia-{name}"
    if not re.fullmatch("[a-z][a-z0-9]*", name):
        sys.exit(f"{name!r} cannot be a provider's name: small letters and digits, a letter first")
    if target.exists():
        sys.exit(f"{target} is there already")
    shutil.copytree(FAL, target, ignore=shutil.ignore_patterns(*LEFT_OUT))
    (target / "genmedia_fal").rename(target / f"genmedia_{name}")
    for path in target.rglob("*"):
        if path.is_file():
            path.write_text(renamed(path.read_text(encoding="utf-8"), name), encoding="utf-8")
    (target / "README.md").write_text(README.format(name=name, title=name.capitalize()), encoding="utf-8")
    return target


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make provider NAME=acme")
    written = write(sys.argv[1], FAL.parent)
    print(f"{written}: run its tests with `.venv/bin/pytest {written}`")
