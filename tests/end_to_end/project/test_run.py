"""`genmedia run`: what can be run, what it is given, how it ends."""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.commands import PROJECT, genmedia, genmedia_on_a_full_disk
from tests.end_to_end.project.terminals import terminal
from tests.sandboxes import Sandbox
from tests.studio import Studio


@pytest.fixture
async def genova(prefect: str, sandbox: Sandbox, tmp_path: Path) -> Studio:
    """An account with its blocks."""
    studio = Studio(sandbox, sandbox.new_account("genova", plan="Pro"), tmp_path / "store")
    await studio.save_blocks()
    return studio


def typed(studio: Studio, *words: str) -> list[str]:
    """A run that the account pays for, typed outside the project."""
    store = () if "--store" in words else ("--store", studio.name)
    return ["run", *words, "--account", studio.name, *store, "--project", str(PROJECT)]


def test_a_preset_runs_with_plain_lines_and_ends_with_where_everything_is(genova: Studio, prefect: str, tmp_path: Path) -> None:
    words = typed(genova, "pictures", "--prompts", "a red kite", "--prompts", "a blue kite")

    first = genmedia(*words, cwd=tmp_path, PREFECT_API_URL=prefect)
    second = genmedia(*words, cwd=tmp_path, PREFECT_API_URL=prefect)

    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert re.search(r"^ 0:\d\d     2/2  a-(red|blue)-kite: stored$", first.stdout, re.MULTILINE)
    assert "Completed in" in first.stdout
    assert "2 bought; charged: genova 2 credits" in first.stdout
    assert f"Store    {genova.root}\nGallery  {(genova.root / 'index.html').as_uri()}\nPrefect  http://" in first.stdout
    assert "nothing was bought" in second.stdout
    assert "\x1b" not in first.stdout
    assert len(genova.jobs) == 2
    assert genova.account["api_key"] not in first.stdout + first.stderr + second.stdout + second.stderr


def test_what_a_provider_writes_is_shown_as_text(genova: Studio, prefect: str) -> None:
    wrote = "[red]no[/red] \x1b]0;title\x07 gpj.\u202eexe"
    genova.sandbox.fault(genova.account, "fail", message=wrote)

    done = genmedia(*typed(genova, "pictures"), PREFECT_API_URL=prefect)

    assert done.returncode == 1
    assert "[red]no[/red] " in done.stdout
    assert not re.search("[\x1b\x07\u202e]", done.stdout + done.stderr)


def test_a_disk_that_is_full_of_lines_ends_no_run(genova: Studio, prefect: str) -> None:
    done = genmedia_on_a_full_disk(*typed(genova, "pictures"), PREFECT_API_URL=prefect)

    assert (done.returncode, done.stderr) == (1, "genmedia: the output could not be written: No space left on device\n")
    assert [job["status"] for job in genova.jobs] == ["succeeded"]
    assert list(Path(genova.root).glob("*/*/*.json"))


def test_a_flow_that_buys_nothing_tells_what_it_found(genova: Studio, prefect: str) -> None:
    done = genmedia("run", "genova-account", "--account", genova.name, PREFECT_API_URL=prefect)

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Completed in \d+ s: plan \w+, credits left: 2000", done.stdout)
    assert "Folder" not in done.stdout


def break_nothing(_: Studio) -> None:
    pass


def fail_the_job(studio: Studio) -> None:
    studio.sandbox.fault(studio.account, "fail", message="not this one")


@pytest.mark.parametrize(
    ("words", "breaks", "code", "said"),
    [
        ([], fail_the_job, 1, "not this one"),
        (["--max-credits", "0"], break_nothing, 2, "more than the 0 allowed"),
        (["--store", "nowhere"], break_nothing, 2, "no asset-store block is saved as 'nowhere'"),
    ],
    ids=["a failed job", "a cap", "no block"],
)
def test_the_exit_code_tells_why_a_run_did_not_complete(
    genova: Studio, prefect: str, words: list[str], breaks: Callable[[Studio], None], code: int, said: str
) -> None:
    breaks(genova)

    done = genmedia(*typed(genova, "pictures", *words), PREFECT_API_URL=prefect)

    assert (done.returncode, said in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


async def test_a_refused_key_is_told_by_its_exit_code_and_never_shown(genova: Studio, prefect: str) -> None:
    await genova.save_blocks(api_key="af_planted_and_wrong")

    done = genmedia(*typed(genova, "videos"), PREFECT_API_URL=prefect)

    assert done.returncode == 1, done.stdout + done.stderr
    assert "401" in done.stdout
    assert "planted" not in done.stdout + done.stderr


def waiting(genova: Studio) -> list[str]:
    """A run whose job does not start by itself."""
    genova.change(settings={"queue": [1700, 1700]})
    return typed(genova, "videos", "--shots", '[{"prompt": "a volcano"}]')


def state(api: str, name: str) -> str:
    """The state of the newest flow run with a tag of this campaign."""
    wish = {"flow_runs": {"tags": {"all_": [name]}}, "sort": "START_TIME_DESC", "limit": 1}
    return httpx.post(f"{api}/flow_runs/filter", json=wish).raise_for_status().json()[0]["state"]["name"]


@pytest.mark.usefixtures("slower_clock")
def test_ctrl_c_cancels_the_run_and_takes_back_what_has_not_started(genova: Studio, prefect: str) -> None:
    with terminal(*waiting(genova), "--name", genova.name, cwd=PROJECT, PREFECT_API_URL=prefect) as screen:
        screen.read_until("queued")
        screen.type("\x03")
        code = screen.end()

    assert code == 130
    assert "Cancelled, with all jobs that still could be; the others stay bought" in screen.shown
    assert [(job["status"], job["charged"]) for job in genova.jobs] == [("cancelled", 0)]
    assert state(prefect, f"campaign:{genova.name}") == "Cancelled"
    assert genova.account["api_key"] not in screen.shown
    assert "Traceback" not in screen.shown


def test_a_second_ctrl_c_ends_at_once(genova: Studio, prefect: str) -> None:
    genova.sandbox.fault(genova.account, "slow", route="cancel_job", seconds=60)
    with terminal(*waiting(genova), cwd=PROJECT, PREFECT_API_URL=prefect) as screen:
        screen.read_until("queued")
        screen.type("\x03")
        screen.read_until("Ctrl-C again ends at once")
        screen.type("\x03")
        code = screen.end()

    assert code == 130
    assert screen.shown.rstrip().endswith("\x1b[?25h")  # the cursor is back
    assert "Cancelled." not in screen.shown


@pytest.mark.usefixtures("slower_clock")
def test_a_supervisors_stop_takes_nothing_back(genova: Studio, prefect: str) -> None:
    with terminal(*waiting(genova), cwd=PROJECT, PREFECT_API_URL=prefect) as screen:
        screen.read_until("queued")
        os.kill(screen.process, signal.SIGTERM)
        code = screen.end()

    assert code == 130
    assert "run the same command again to go on" in screen.shown
    assert "Traceback" not in screen.shown
    assert [job["status"] for job in genova.jobs] == ["queued"]
