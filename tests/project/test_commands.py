"""The commands a newcomer types, as they are typed."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from genmedia.services import Service, running
from tests.project.checkouts import PROJECT, genmedia, make_checkout
from tests.sandboxes import Sandbox


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A project folder of the test's own, with the rooms of this one."""
    return make_checkout(tmp_path)


@pytest.mark.parametrize("arguments", [["--help"], ["sandbox", "--help"], ["demo", "--help"], ["up", "--help"]])
def test_help_is_there(arguments: list[str]) -> None:
    done = genmedia(*arguments)

    assert done.returncode == 0
    assert "Usage: genmedia" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sandbox", "--switch", "assets"], "is not a switch"),
        (["sandbox", "--switch", "flora.asets=true", "--port", "0"], "asets"),
        (["sandbox", "--switch", "flora.casing=kebab", "--port", "0"], "casing"),
        (["demo", "--live"], "needs FLORA_API_KEY"),
        (["demo", "--project", "/nowhere"], "no genmedia project"),
        (["up", "--project", "/nowhere"], "no genmedia project"),
    ],
)
def test_a_wrong_setting_is_told_in_a_line_without_a_traceback(arguments: list[str], words: str) -> None:
    done = genmedia(*arguments, FLORA_API_KEY="")

    assert done.returncode not in (0, None)
    assert words in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_taken_port_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        done = genmedia("sandbox", "--port", str(taken.getsockname()[1]))

    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_the_sandbox_command_prints_where_it_is_ready_and_ends_on_a_signal() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "genmedia", "sandbox", "--port", "0", "--switch", "flora.assets=true"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )
    assert process.stdout is not None
    ready = re.fullmatch(r"sandbox ready: (http://127\.0\.0\.1:\d+)\n", process.stdout.readline())
    assert ready is not None

    accounts = httpx.get(f"{ready[1]}/sandbox/accounts").json()
    process.send_signal(signal.SIGTERM)

    assert process.wait(20) == 0
    assert next(one for one in accounts if one["provider"] == "flora")["switches"]["assets"] is True
    process.stdout.close()


def services_of(folder: Path, port: int) -> Service:
    command = [sys.executable, "-m", "genmedia", "sandbox", "--port", "{port}"]
    return Service("sandbox", folder, command, port, "/sandbox")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_service_is_shared_by_commands_and_stopped_by_the_one_that_started_it(tmp_path: Path) -> None:
    first, second = services_of(tmp_path, free_port()), services_of(tmp_path, 1)
    with running([first]):
        with running([second]):
            assert second.url == first.url
        assert httpx.get(f"{first.url}/sandbox").is_success
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{first.url}/sandbox")


def test_servers_of_a_killed_command_are_taken_over_and_stopped_by_the_next(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom tests.project.test_commands import services_of\n"
        "from genmedia.services import running\n"
        "with running([services_of(Path(sys.argv[1]), int(sys.argv[2]))]):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    port = free_port()
    subprocess.run([sys.executable, "-c", program, str(tmp_path), str(port)], cwd=PROJECT, check=False)
    pid = json.loads((tmp_path / "sandbox.json").read_text())["pid"]
    os.kill(pid, 0)  # its sandbox lives on

    with running([services_of(tmp_path, port)]):
        pass

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_demo_buys_once_shows_what_it_made_and_buys_nothing_the_second_time(
    checkout: Path, sandbox: Sandbox, prefect: str
) -> None:
    account, genova = sandbox.new_account(credits=100, switches={"assets": True}), sandbox.new_account("genova", plan="Pro")
    payer = {
        "FLORA_API_KEY": account["api_key"],
        "FLORA_BASE_URL": account["base_url"],
        "GENOVA_API_KEY": genova["api_key"],
        "GENOVA_BASE_URL": genova["base_url"],
        "GENOVA_PLAN": "Pro",
        "PREFECT_API_URL": prefect,
    }

    first = genmedia("demo", "--live", cwd=checkout, **payer)
    second = genmedia("demo", "--live", cwd=checkout, **payer)

    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "9 bought; 43 credits charged" in first.stdout
    assert "motion: stored" in first.stdout
    assert "nothing was bought" in second.stdout
    assert (len(sandbox.jobs(account)), len(sandbox.jobs(genova))) == (7, 2)
    pictures = {job["request"]["inputs"][0].get("value", "") for job in sandbox.jobs(account)}
    assert len(pictures) == 5  # two pictures feed two techniques each; the poster begins with Genova's picture
    gallery = re.search(r"Gallery +file://(\S+)", first.stdout)
    assert gallery is not None
    assert Path(gallery[1]).is_file()
    for secret in (account["api_key"], genova["api_key"]):
        assert secret not in first.stdout + first.stderr + second.stdout + second.stderr


def test_a_demo_that_fails_says_which_step_and_why(checkout: Path, sandbox: Sandbox, prefect: str) -> None:
    account = sandbox.new_account(credits=100, switches={"assets": True})
    sandbox.fault(account, "fail", error_code="safety_blocked", message="not this one")
    payer = {"FLORA_API_KEY": account["api_key"], "FLORA_BASE_URL": account["base_url"], "PREFECT_API_URL": prefect}

    done = genmedia("demo", "--live", cwd=checkout, **payer)

    assert done.returncode == 1
    assert "relight: the job failed: safety_blocked - not this one" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
