"""The Python of Algovera's document, run as it stands there."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sandboxes import Sandbox

EXAMPLES = Path(__file__).with_name("algovera_document_examples.py.txt").read_text()
PRINTED = {
    "job_id is f988ff3ffa4b4145bd746c804cf39575\n": r"job_id is [0-9a-f]{32}\n",
    "job_status is done\n": "job_status is done\n",
}
"""What the document prints among its code, and what is printed here."""

SHORT_PAYLOAD = """payload = {
        'prompt':"What a beautiful world",
        'width': 512,
        'inf_steps': 30,
        "api_key": "YOUR_API_KEY"
    }"""
"""As the page of the developer API has it."""


@pytest.fixture
def account(sandbox: Sandbox) -> dict[str, Any]:
    return sandbox.new_account("algovera", settings={"advance": "looks", "looks": [0, 0]})


def run(code: str, account: dict[str, Any], folder: Path) -> str:
    """The code with what it leaves to its reader: where the API is, two imports, the key, and the name of the last answer."""
    for old, new, times in (
        *((printed, "", 1) for printed in PRINTED),
        ("res.content", "response.content", 1),
        ("{YOUR_API_KEY}", account["api_key"], 1),
        ("YOUR_API_KEY", account["api_key"], 2),
    ):
        assert code.count(old) - code.count(f"f{old}") == times, old
        code = code.replace(old, new)
    script = folder / "example.py"
    script.write_text(
        f"import io\nfrom PIL import Image\nAPIEndpoint = {account['base_url']!r}\n{code}\n"
        "img.load()\nprint(img.format, img.size)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_documents_own_code_gives_a_picture(sandbox: Sandbox, account: dict[str, Any], tmp_path: Path) -> None:
    models, rest = run(EXAMPLES, account, tmp_path).split("\n", 1)

    listed = re.search(r"^\['dalle'.*?\]", EXAMPLES, re.MULTILINE | re.DOTALL)
    assert listed
    assert ast.literal_eval(models) == ast.literal_eval(listed[0])
    assert re.fullmatch("".join(PRINTED.values()) + r"JPEG \(512, 512\)\n", rest)
    assert sandbox.leaked(account) == 0


def test_the_fields_of_the_shorter_page_give_a_picture_too(sandbox: Sandbox, account: dict[str, Any], tmp_path: Path) -> None:
    (longer,) = re.findall(r"payload = \{\n        'prompt'.*?\}", EXAMPLES, re.DOTALL)

    assert run(EXAMPLES.replace(longer, SHORT_PAYLOAD), account, tmp_path).endswith("JPEG (512, 512)\n")

    (job,) = sandbox.jobs(account)
    assert job["request"].items() >= {"height": 512, "guidance_scale": 7.0, "base_model": "stable"}.items()
