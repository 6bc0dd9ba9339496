"""The commands a newcomer types, as they are typed, and the servers that they start."""

import gc
import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import sleep

import httpx
import pytest

from deployments.engines.ports import free_port
from genmedia.cli.exit_codes import EVERY
from genmedia.cli.services import Service, prefect_key, prefect_service, running, sandbox_service, signal_group, webhooks_service
from tests.commands import PROJECT, genmedia, genmedia_on_a_full_disk, python
from tests.sandboxes import Sandbox

COMMANDS = (
    "apply",
    "caps",
    "completion",
    "deliver",
    "demo",
    "deploy",
    "doctor",
    "forget",
    "gallery",
    "hold",
    "init",
    "journal",
    "keep",
    "ledger",
    "lineage",
    "manifest",
    "plan",
    "providers",
    "reject",
    "retake",
    "review",
    "run",
    "sandbox",
    "setup",
    "status",
    "undeploy",
    "up",
    "verdicts",
    "webhooks",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_there(command: str) -> None:
    done = genmedia(command, "--help")

    assert done.returncode == 0
    assert f"Usage: genmedia {command}" in done.stdout


@pytest.mark.parametrize(
    ("absent", "command", "extra"),
    [
        ("uvicorn", ["sandbox", "--port", "0"], "sandbox"),
        ("uvicorn", ["up"], "sandbox"),
        ("uvicorn", ["review"], "sandbox"),
        ("prefect", ["up"], "prefect"),
        ("prefect", ["run", "pictures"], "prefect"),
        ("prefect", ["doctor"], "prefect"),
    ],
)
def test_a_command_says_which_extra_brings_what_is_not_installed(absent: str, command: list[str], extra: str) -> None:
    program = f"import sys\nsys.modules[{absent!r}] = None\nfrom genmedia.cli.app import main\nmain()"
    done = python("-c", program, *command)

    assert (done.returncode, done.stdout) == (2, "")
    assert f"genmedia: {absent} is not installed" in done.stderr
    assert done.stderr.endswith(f"pip install 'genmedia[{extra}]'\n")


@pytest.mark.parametrize("command", ["gallery", "manifest", "journal", "ledger", "status", "verdicts"])
def test_what_is_about_a_folder_needs_neither_prefect_nor_the_sandboxs_server(command: str, tmp_path: Path) -> None:
    absent = "import sys\nfor name in ('prefect', 'uvicorn', 'httptools', 'uvloop'):\n    sys.modules[name] = None"
    done = python("-c", f"{absent}\nfrom genmedia.cli.app import main\nmain()", command, "--folder", str(tmp_path))

    assert (done.returncode, done.stderr) == (0, "")


def test_who_asks_how_a_campaign_stands_waits_for_no_client_of_a_provider(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom genmedia.cli.app import main\ntry:\n    main()\n"
        "finally:\n    print({'prefect', 'httpx', 'PIL', 'yaml', 'genmedia.providers'} & set(sys.modules))"
    )
    done = python("-c", program, "status", "--folder", str(tmp_path))

    assert done.stdout.endswith("set()\n"), done.stdout + done.stderr


def test_the_help_lists_every_command_and_the_exit_codes_and_needs_neither_prefect_nor_pydantic() -> None:
    program = (
        "import sys\nfrom genmedia.cli.app import main\ntry:\n    main()\n"
        "finally:\n    print({'prefect', 'pydantic', 'httpx', 'sqlalchemy'} & set(sys.modules))"
    )
    done = python("-c", program, "--help", COLUMNS="200")

    assert done.returncode == 0
    assert re.findall(r"^│ ([a-z]+) ", done.stdout, re.MULTILINE) == list(COMMANDS)
    assert EVERY in " ".join(done.stdout.split())
    assert done.stdout.endswith("set()\n")


@pytest.mark.parametrize(
    ("command", "own"),
    [
        (
            "plan",
            {
                0: "nothing is to be bought or made",
                4: "people have to decide",
                10: "something is to be bought, made or fetched again",
            },
        ),
        ("apply", {0: "done", 1: "part of the work failed, or you did not say yes", 4: "people have to decide"}),
        ("run", {0: "done", 4: "people have to decide"}),
        ("run pictures", {0: "done", 4: "people have to decide"}),
        ("status", {0: "done", 1: "part of the work failed, or a check did"}),
        ("journal rebuild", {0: "done"}),
    ],
)
def test_the_help_of_a_command_tells_the_exit_codes_that_it_has(command: str, own: dict[int, str]) -> None:
    told = " ".join(genmedia(*command.split(), "--help", COLUMNS="200").stdout.split())

    listed = told.partition("Exit codes: ")[2].rstrip(".").split("; ")
    codes = {int(number): meaning for number, _, meaning in (one.partition(" ") for one in listed)}
    assert set(codes) == {0, 1, 2, 3, 130, *own}
    assert all(codes[code].startswith(meaning) for code, meaning in own.items()), codes
    assert told.count("Exit codes: ") == 1
    assert "exit code is" not in told


def test_the_help_waits_for_no_parser_of_markdown() -> None:
    program = (
        "import sys\nfrom genmedia.cli.app import main\ntry:\n    main()\n"
        "finally:\n    print({'markdown_it', 'pygments'} & set(sys.modules))"
    )
    done = python("-c", program, "demo", "--help")

    assert done.stdout.endswith("set()\n")


def test_a_reader_who_has_enough_is_no_error() -> None:
    done = subprocess.run(
        ["bash", "-c", "set -o pipefail; $0 -m genmedia completion bash | head -1", sys.executable],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words", ["--help", "--version", "completion bash", "run --help", "providers --json --sandbox {}"])
def test_output_that_cannot_be_written_is_told_in_a_line(words: str, sandbox: Sandbox) -> None:
    done = genmedia_on_a_full_disk(*words.format(sandbox.url).split())

    assert (done.returncode, done.stderr) == (1, "genmedia: the output could not be written: No space left on device\n")


def test_a_closed_output_is_no_error() -> None:
    done = subprocess.run(
        ["bash", "-c", "$0 -m genmedia --help >&-", sys.executable], cwd=PROJECT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_shell_completes_commands_and_the_names_of_flows_and_presets() -> None:
    script = (
        'eval "$(genmedia completion bash)"\n'
        'complete() { COMP_WORDS=(genmedia "$@"); COMP_CWORD=$#; _genmedia; echo "${COMPREPLY[@]}"; }\n'
        "complete do; complete run co; complete run imag\n"
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True, env={**os.environ, "PATH": path}
    )

    assert done.stdout.splitlines() == ["doctor", "coffee", "image-batch"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_completion_script_for_each_shell(shell: str) -> None:
    done = genmedia("completion", shell)

    assert done.returncode == 0
    assert "__complete" in done.stdout


def test_a_sandbox_is_started_as_the_apis_are_today_save_for_what_a_switch_says() -> None:
    command = [sys.executable, "-m", "genmedia", "sandbox", "--port", "0", "--profile", "today", "--switch", "flora.workspaces=2"]
    with subprocess.Popen([*command, "--switch", "generio.download=json"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            url = process.stdout.readline().removeprefix("sandbox ready: ").strip()
            switches = {one["provider"]: one["switches"] for one in httpx.get(f"{url}/sandbox/accounts").json()}
        finally:
            process.terminate()

    assert (switches["flora"]["casing"], switches["flora"]["workspaces"]) == ("snake", 2)
    assert (switches["generio"]["asset_key"], switches["generio"]["download"]) == ("id", "json")
    assert switches["genova"]["download"] == "json"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sandbox", "--switch", "assets"], "is not a switch"),
        (["sandbox", "--switch", "flora.asets=true", "--port", "0"], "asets"),
        (["sandbox", "--switch", "flra.assets=true", "--port", "0"], "flra"),
        (["sandbox", "--profile", "yesterday"], "yesterday"),
        (["sandbox", "--switch", "flora.casing=kebab", "--port", "0"], "casing"),
        (["demo", "--live"], "needs a key"),
        (["sandbox", "--clock-scale", "0"], "clock_scale should be more than 0"),
        (["sandbox", "--clock-scale", "nan"], "clock_scale"),
        (["sandbox", "--size", "0"], "size"),
        (["sandbox", "--port", "99999"], "port should be 65535 or less"),
        (["demo", "--project", "/nowhere"], "no genmedia project"),
        (["up", "--project", "/nowhere"], "no genmedia project"),
        (["run", "coffee", "--project", "/nowhere"], "no genmedia project"),
        (["providers", "--project", "/nowhere"], "no genmedia project"),
        (["setup", "--project", "/nowhere"], "no genmedia project"),
        (["providers", "--jsn"], "--jsn"),
        (["conduct"], "conduct"),
    ],
)
def test_a_wrong_setting_is_told_in_a_line_without_a_traceback(arguments: list[str], words: str) -> None:
    done = genmedia(*arguments, FLORA_API_KEY="")

    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_taken_port_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        done = genmedia("sandbox", "--port", str(taken.getsockname()[1]))

    assert done.returncode == 2
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
    return Service("sandbox", folder, sandbox_service(folder).command, port, "/sandbox")


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
        "import os, signal, sys\nfrom pathlib import Path\nfrom tests.cli.test_commands import services_of\n"
        "from genmedia.cli.services import running\n"
        "with running([services_of(Path(sys.argv[1]), int(sys.argv[2]))]):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    port = free_port()
    subprocess.run([sys.executable, "-c", program, str(tmp_path), str(port)], cwd=PROJECT, check=False)
    pid = json.loads((tmp_path / "sandbox.json").read_text())["pid"]
    os.kill(pid, 0)  # its sandbox lives on

    with running([services_of(tmp_path, port)]):
        pass

    with suppress(ProcessLookupError):
        while True:  # it has ended; its number is free a moment later, by whoever adopted it, or the test's time is up
            os.kill(pid, 0)
            sleep(0.01)


def test_no_connection_takes_the_port_of_a_server_that_is_starting(tmp_path: Path) -> None:
    service = services_of(tmp_path, free_port())
    service.start()
    try:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", service.port))
    finally:
        service.stop()


def test_two_servers_that_are_started_at_the_same_moment_get_a_port_each_and_answer_there_themselves(tmp_path: Path) -> None:
    port = free_port()
    two = [services_of(tmp_path / name, port) for name in ("first", "second")]
    with running(two):
        said = [httpx.get(f"{one.url}/sandbox").json()["links"]["accounts"] for one in two]

    assert said == [f"{one.url}/sandbox/accounts" for one in two]
    assert [one.port == port for one in two] == [True, False]


@pytest.mark.parametrize("kind", ["sandbox", "prefect", "webhooks"])
def test_a_port_that_is_held_for_a_server_is_taken_by_no_other_program(tmp_path: Path, kind: str) -> None:
    prefect = prefect_service(tmp_path, PROJECT)
    service = {
        "sandbox": sandbox_service(tmp_path),
        "prefect": prefect,
        "webhooks": webhooks_service(tmp_path, PROJECT, prefect),
    }[kind]
    service.port = free_port()
    service.hold_port()
    try:
        with pytest.raises(OSError, match="in use"):
            socket.create_server(("127.0.0.1", service.port)).close()  # as servers do it, with SO_REUSEADDR
    finally:
        service.stop()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_stopped_while_it_starts_a_server_leaves_none(tmp_path: Path, sign: signal.Signals) -> None:
    program = (
        "import os, signal, subprocess, sys\nfrom pathlib import Path\nfrom tests.cli.test_commands import services_of\n"
        "from genmedia.cli.services import running\n"
        "class Stopped(subprocess.Popen):\n"
        "    def __init__(self, *args, **options):\n"
        "        super().__init__(*args, **options)\n        print(self.pid, flush=True)\n"
        f"        os.kill(os.getpid(), {sign.value})\n"
        f"signal.signal({sign.value}, signal.default_int_handler)\nsubprocess.Popen = Stopped\n"
        "with running([services_of(Path(sys.argv[1]), int(sys.argv[2]))]):\n    print('went on')\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path), str(free_port())]
    said = subprocess.run(command, cwd=PROJECT, check=False, capture_output=True, text=True).stdout

    [pid] = said.split()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def test_a_process_that_got_the_number_of_a_dead_server_is_left_alone(tmp_path: Path) -> None:
    with running([services_of(tmp_path, free_port())]):
        state = json.loads((tmp_path / "sandbox.json").read_text())
    command = [sys.executable, "-m", "genmedia", "sandbox", "--port", "0"]
    stranger = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert stranger.stdout is not None
    port = int(stranger.stdout.readline().rpartition(":")[2])
    (tmp_path / "sandbox.json").write_text(json.dumps({**state, "pid": stranger.pid, "port": port}))

    service = services_of(tmp_path, free_port())
    with running([service]):
        assert service.port != port

    assert stranger.poll() is None
    stranger.terminate()
    stranger.wait(20)
    stranger.stdout.close()


@pytest.mark.parametrize(
    "state",
    [
        "[]",
        "{}",
        '{"pid": 1, "port": 4280}',
        '{"pid": "x", "port": 1, "began": ""}',
        '{"pid": 1, "port": 99999, "began": ""}',
        '{"pid": 1, "port": -1, "began": ""}',
        '{"pid": 1, "port": 1e999, "began": ""}',
        "[" * 100_000,
    ],
)
def test_a_state_that_names_no_process_is_as_none(tmp_path: Path, state: str) -> None:
    (tmp_path / "sandbox.json").write_text(state)
    service = services_of(tmp_path, port := free_port())

    assert not service.find()
    assert service.port in (port, 4280, 1)  # one that a server can have


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells of a process that nobody has waited for")
def test_a_server_that_has_ended_is_not_alive_though_nobody_has_waited_for_it(tmp_path: Path) -> None:
    with running([services_of(tmp_path, free_port())]):
        state = json.loads((tmp_path / "sandbox.json").read_text())
    ended = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    boot, _, _ = state["began"].partition(" ")
    began = Path(f"/proc/{ended.pid}/stat").read_text().rpartition(")")[2].split()[19]
    (tmp_path / "sandbox.json").write_text(json.dumps({**state, "pid": ended.pid, "began": f"{boot} {began}"}))
    service = services_of(tmp_path, free_port())
    service.find()
    assert service._is_alive()  # pyright: ignore[reportPrivateUsage] # what a command waits for when it ends a server

    assert ended.stdin is not None
    ended.stdin.close()
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    alive = service._is_alive()  # pyright: ignore[reportPrivateUsage] # as above
    ended.wait()

    assert not alive


@pytest.mark.parametrize("kept", ["", "\n"])
def test_a_password_that_was_emptied_is_made_anew(tmp_path: Path, kept: str) -> None:
    (tmp_path / "prefect.key").write_text(kept)

    key = prefect_key(tmp_path)

    assert len(key) > 32
    assert prefect_key(tmp_path) == key


def test_a_signal_to_a_server_that_is_gone_is_no_error() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    gone.wait(60)

    signal_group(gone.pid, signal.SIGTERM)


def test_who_started_a_server_may_end_before_the_others_that_use_it_and_python_warns_of_nothing(tmp_path: Path) -> None:
    first, second = services_of(tmp_path, free_port()), services_of(tmp_path, 1)
    first.start()
    second.start()
    first.stop()
    try:
        del first
        gc.collect()
        assert second.find()
    finally:
        second.stop()
