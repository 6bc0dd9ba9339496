"""`make up` on a machine with nothing running: servers, deployments and a worker that really runs one.

A start takes long, so one checkout has three in a row, each with all that is to be seen of it, and the tests look at what was seen.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest
import yaml

from deployments.engines.object_store import missing_programs
from tests.checkouts import make_checkout
from tests.commands import PROJECT, genmedia_anew


def wait_for(what: str, seconds: float, found: Any) -> Any:
    end = monotonic() + seconds
    while monotonic() < end:
        if value := found():
            return value
        sleep(0.2)
    pytest.fail(f"{what} did not come within {seconds} s")


def answered(method: str, url: str, password: str) -> Any:
    """What Prefect answers."""
    user, _, secret = password.partition(":")
    response = httpx.request(method, url, json=None if method == "GET" else {}, auth=(user, secret), timeout=60)
    return response.raise_for_status().json()


def final_state(api: str, run_id: str, password: str) -> dict[str, Any] | None:
    state = answered("GET", f"{api}/flow_runs/{run_id}", password)["state"]
    return state if state["type"] in ("COMPLETED", "FAILED", "CRASHED") else None


def read(file: Path) -> bytes:
    """What a process was started with; nothing once it is gone."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


@contextmanager
def up(
    checkout: Path, log: Path, *, end: signal.Signals = signal.SIGINT, **environment: str
) -> Generator[tuple[subprocess.Popen[bytes], dict[str, str]]]:
    """The command while it runs, and the addresses that it prints."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "genmedia", "up"],
            cwd=checkout,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, **environment},
        )
    try:
        wait_for("the worker", 240, lambda: b"started!" in log.read_bytes() or process.poll() is not None)
        addresses = dict(line.split()[:2] for line in log.read_text().splitlines() if line.startswith("  "))
        assert "Prefect" in addresses, log.read_text()
        yield process, addresses
    finally:
        process.send_signal(end)
        process.wait(60)


@dataclass
class Start:
    """What was seen of one start.

    Attributes:
        addresses: What it printed, by the first word of the line.
        said: All that it printed.
        returncode: How it ended.
        process: Its number.
        seen: Whatever else, by its name in the code that saw it.
    """

    addresses: dict[str, str]
    said: str = ""
    returncode: int | None = None
    process: int = 0
    seen: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Story:
    """A checkout in which it is started until a power cut, then with a bucket until its terminal is closed, then again."""

    checkout: Path
    first: Start
    with_bucket: Start
    last: Start
    not_told: subprocess.CompletedProcess[str]
    """A start with a notification block that is not there."""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Story:
    folder = tmp_path_factory.mktemp("up")
    checkout, log = make_checkout(folder / "checkout"), folder / "log"
    try:
        with up(checkout, log, end=signal.SIGKILL) as (_, addresses):
            first = Start(addresses, log.read_text(), seen=all_that_a_newcomer_does(checkout, log, addresses))
            first.seen["page"] = leave_a_run_in_its_middle(addresses)
    finally:  # as a power cut does: the servers and the worker would outlive the command that started them
        for process in processes_in(checkout):
            os.kill(process, signal.SIGKILL)

    place = None if missing_programs() else request.getfixturevalue("buckets").new()
    named = {"": place.root, "_S3_KEY": place.key, "_S3_SECRET": place.secret, "_S3_ENDPOINT": place.endpoint} if place else {}
    named |= {"_JOURNAL": f"sqlite:///{folder}/bucket.db"} if place else {}
    # What it says is of the blocks that the deployments use, whatever the environment names.
    environment = {"GENMEDIA_BLOCKS": "others", **{f"GENMEDIA_STORE{field}": value for field, value in named.items()}}
    with up(checkout, log, end=signal.SIGHUP, **environment) as (process, addresses):
        page = first.seen["page"].rpartition("/")[2]
        seen = {"state": answered("GET", f"{addresses['Prefect']}/api/flow_runs/{page}", addresses["Password"])["state"]}
        seen |= {"place": place, **all_that_is_asked_of_a_bucket(checkout)} if place else {}
        seen["flora"] = blocks("flora", addresses, ["default"], OWN)
        blocks("genova", addresses, ["default", "sandbox"], EVERYWHERE)
    with_bucket = Start(addresses, log.read_text(), process.returncode, process.pid, seen)

    with up(checkout, log, GENMEDIA_BLOCKS="others") as (process, addresses):
        seen = {"flora": blocks("flora", addresses), "genova": blocks("genova", addresses)}
    last = Start(addresses, log.read_text(), process.returncode, process.pid, seen)

    not_told = genmedia_anew("up", cwd=checkout, GENMEDIA_NOTIFY="slack-webhook/nobody")
    return Story(checkout, first, with_bucket, last, not_told)


def all_that_a_newcomer_does(checkout: Path, log: Path, addresses: dict[str, str]) -> dict[str, Any]:
    """Run a deployment, and type every command; what came of it."""
    for provider in ("algovera", "flora", "generio", "genova"):
        quick = {"provider": provider, "account": "default", "settings": {"queue": [0, 0], "run": [0.5, 0.5]}}
        httpx.post(f"{addresses['Sandbox']}/accounts", json=quick, timeout=60).raise_for_status()
    api, password = f"{addresses['Prefect']}/api", addresses["Password"]
    deployments = {one["name"]: one for one in answered("POST", f"{api}/deployments/filter", password)}
    run = answered("POST", f"{api}/deployments/{deployments['coffee']['id']}/create_flow_run", password)
    ended = wait_for("the end of the run", 240, lambda: final_state(api, run["id"], password))
    wish = {"logs": {"flow_run_id": {"any_": [run["id"]]}}, "sort": "TIMESTAMP_ASC"}
    user, _, secret = password.partition(":")

    def all_lines() -> list[dict[str, Any]] | None:
        lines = httpx.post(f"{api}/logs/filter", json=wish, auth=(user, secret), timeout=60).raise_for_status().json()
        return lines if lines and lines[-1]["message"].startswith("Finished in state") else None

    words = (["journal"], ["hold"], ["caps"], ["gallery"], ["manifest"], ["providers", "--json"], ["ledger", "--each", "--json"])
    seen: dict[str, Any] = {
        "deployments": set(deployments),
        "ended": ended,
        "lines": wait_for("the last line of the run", 240, all_lines),  # a run's lines come some seconds after it
        "told_of": httpx.get(f"{addresses['Sandbox']}/accounts", timeout=60).json(),
        "gallery": httpx.get(addresses["Gallery"], auth=(user, secret), timeout=60),
        "strange": httpx.post(f"{api}/block_documents/filter", json={"include_secrets": True}),
        "doctor": genmedia_anew("doctor", cwd=checkout),
        "demo": genmedia_anew("demo", cwd=checkout),
        "reused": genmedia_anew("run", "pictures", cwd=checkout),
        "second": genmedia_anew("up", cwd=checkout),
        "asked": [genmedia_anew(*one, cwd=checkout) for one in words],
    }
    files = (log, *checkout.glob(".genmedia/services/*.log"))
    kept = [file for file in checkout.glob(".genmedia/**/*") if file.is_file()]
    return {
        **seen,
        "told": [line for file in files for line in file.read_text().splitlines() if password in line],
        "open_to_others": [file for file in kept if file.stat().st_mode & 0o077],
        "shown": [file for file in Path("/proc").glob("[0-9]*/cmdline") if password.encode() in read(file)],
    }


def leave_a_run_in_its_middle(addresses: dict[str, str]) -> str:
    """Start a deployment whose job takes half an hour; the page of the run, once the job is bought."""
    slow = {"provider": "genova", "account": "default", "settings": {"run": [1700, 1700]}}
    httpx.post(f"{addresses['Sandbox']}/accounts", json=slow, timeout=60).raise_for_status()
    api, password = f"{addresses['Prefect']}/api", addresses["Password"]
    (deployment,) = [one for one in answered("POST", f"{api}/deployments/filter", password) if one["name"] == "pictures"]
    before = len(httpx.get(f"{addresses['Sandbox']}/jobs", timeout=60).json())
    order = f"{api}/deployments/{deployment['id']}/create_flow_run"
    user, _, secret = password.partition(":")
    again = {"parameters": {**deployment["parameters"], "take": 2}}
    run = httpx.post(order, json=again, auth=(user, secret), timeout=60).raise_for_status().json()
    wait_for("its job", 240, lambda: len(httpx.get(f"{addresses['Sandbox']}/jobs", timeout=60).json()) > before)
    return f"{addresses['Prefect']}/runs/flow-run/{run['id']}"


def all_that_is_asked_of_a_bucket(checkout: Path) -> dict[str, Any]:
    """Buy into it, and ask about that; what came of it."""
    ran = genmedia_anew("run", "pictures", cwd=checkout)
    listed = genmedia_anew("manifest", cwd=checkout)
    (path,) = [line.partition(",")[0] for line in listed.stdout.splitlines()[1:] if line.startswith("still-life/")]
    return {
        "ran": ran,
        "path": path,
        "followed": genmedia_anew("lineage", path, cwd=checkout),
        "drawn": genmedia_anew("gallery", cwd=checkout),
        "known": genmedia_anew("journal", "rebuild", cwd=checkout),
    }


OWN = {"api_key": "sk_live_own", "base_url": "https://app.flora.ai", "assumed_price": 7, "if_in_doubt": "abandon"}
EVERYWHERE = {"api_key": "af_own", "base_url": "https://autoflow-api.aboessa101.workers.dev"}
"""What a person saves in the block that deployments use, and in both of them."""


def blocks(
    provider: str, addresses: dict[str, str], changed: Sequence[str] = (), change: dict[str, Any] | None = None
) -> dict[str, dict[str, Any]]:
    """What the blocks hold, by name; once those of some names are changed."""
    user, _, secret = addresses["Password"].partition(":")
    with httpx.Client(base_url=f"{addresses['Prefect']}/api", auth=(user, secret), timeout=60) as prefect:
        wish = {"block_types": {"slug": {"any_": [f"{provider}-credentials"]}}, "include_secrets": True}
        found = {one["name"]: one for one in prefect.post("/block_documents/filter", json=wish).raise_for_status().json()}
        for name in changed:
            patch = {"data": change, "merge_existing_data": True}
            prefect.patch(f"/block_documents/{found[name]['id']}", json=patch).raise_for_status()
        return {name: one["data"] for name, one in found.items()}


pytestmark = pytest.mark.timeout(1800)  # of the story, which the first test waits for


def test_up_offers_the_deployments_and_runs_them(story: Story) -> None:
    seen = story.first.seen
    declared = yaml.safe_load((PROJECT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    assert seen["deployments"] == {one["name"] for one in declared} | {"product-set"}
    ended = seen["ended"]
    assert ended["type"] == "COMPLETED", ended["message"]
    assert ended["message"] == "5 bought; charged: flora 32 credits"
    said = [line["message"] for line in seen["lines"]]
    assert said[0] == "flora: 5 to buy for at most 32 credits"
    assert sorted(said[6:-1]) == [f"{step}: stored" for step in ("ads", "blur", "motion", "palette", "relight")]
    assert said[-1] == "Finished in state Completed('5 bought; charged: flora 32 credits')"
    assert (story.checkout / "media" / "index.html").is_file()


def test_the_sandbox_tells_the_receiver_of_each_run_that_has_ended(story: Story) -> None:
    (flora,) = [one for one in story.first.seen["told_of"] if (one["provider"], one["account"]) == ("flora", "default")]

    assert [one["answers"] for one in flora["deliveries"]] == [[204]] * 5


def test_every_command_works_beside_it_without_being_told_where_it_is(story: Story) -> None:
    seen = story.first.seen
    found, demo, reused = seen["doctor"], seen["demo"], seen["reused"]
    assert (found.returncode, found.stderr) == (0, "")
    assert [(one.returncode, one.stderr) for one in seen["asked"]] == [(0, "")] * len(seen["asked"])
    assert "5 reused, 10 bought; " in demo.stdout, demo.stderr  # both pay with one account of the sandbox
    assert "nothing was bought" in reused.stdout, reused.stderr
    assert "warning" not in demo.stdout + reused.stdout
    assert len(json.loads(seen["asked"][-1].stdout)) == 15
    assert re.search(rf"^ok +prefect .* at {story.first.addresses['Prefect']}/api$", found.stdout, re.MULTILINE)


def test_a_second_up_says_where_the_first_one_is(story: Story) -> None:
    second = story.first.seen["second"]
    assert second.returncode == 0
    assert second.stdout.startswith("It runs here already")
    assert {story.first.addresses["Prefect"], story.first.addresses["Password"]} <= set(second.stdout.split())


def test_only_who_has_the_password_gets_in_and_it_is_shown_once(story: Story) -> None:
    seen = story.first.seen
    assert seen["strange"].status_code == 401
    assert seen["gallery"].is_success
    assert [line.split()[0] for line in seen["told"]] == ["Password"]
    assert seen["shown"] == seen["open_to_others"] == []


@pytest.mark.parametrize("start", ["with_bucket", "last"], ids=["a closed terminal", "Ctrl-C"])
def test_it_leaves_nothing_behind(story: Story, start: str) -> None:
    ended: Start = getattr(story, start)
    assert ended.returncode == 0
    for name in ("Prefect", "Sandbox", "Webhooks"):
        with pytest.raises(httpx.ConnectError):
            httpx.get(ended.addresses[name])
    with pytest.raises(ProcessLookupError):
        os.killpg(ended.process, 0)


@pytest.mark.usefixtures("buckets")
def test_every_command_knows_the_bucket_that_the_environment_of_up_named(story: Story) -> None:
    seen, place = story.with_bucket.seen, story.with_bucket.seen["place"]
    assert story.first.addresses["Media"] == str(story.checkout / "media")
    assert story.with_bucket.addresses["Media"] == place.root
    assert seen["ran"].returncode == 0, seen["ran"].stdout + seen["ran"].stderr
    assert "1 bought" in seen["ran"].stdout
    assert seen["path"] in seen["followed"].stdout
    assert seen["drawn"].stdout == f"Gallery  {place.root}/index.html\n", seen["drawn"].stderr
    assert "0 added to the journal, 1 passed over" in seen["known"].stdout, seen["known"].stderr


def test_a_key_that_a_person_saved_outlasts_the_next_up_which_says_who_pays(story: Story) -> None:
    before, after, genova = story.with_bucket.seen["flora"], story.last.seen["flora"], story.last.seen["genova"]
    assert "Pays     the sandbox" in story.with_bucket.said
    assert before["default"]["api_key"] == before["sandbox"]["api_key"]
    assert {name: after["default"][name] for name in OWN} == OWN
    assert after["sandbox"]["base_url"] == f"{story.last.addresses['Sandbox'].removesuffix('/sandbox')}/flora"
    assert {block["api_key"] for block in genova.values()} == {"af_own"}
    assert "Pays     YOUR OWN ACCOUNTS at flora, genova: " in story.last.said
    assert "but not at genova: YOU PAY there" in story.last.said
    assert "sk_live_own" not in story.last.said


def test_a_notification_block_that_is_not_there_is_told_once(story: Story) -> None:
    done = story.not_told
    assert done.returncode == 2
    assert "no notification block is saved as 'slack-webhook/nobody'" in done.stderr
    assert done.stderr.count("Nothing was bought") == 1
    assert ".." not in done.stderr


def test_a_run_that_a_stop_in_its_middle_cut_off_is_ended_and_named_at_the_next_start(story: Story) -> None:
    state, page, said = story.with_bucket.seen["state"], story.first.seen["page"], story.with_bucket.said
    assert state["type"] == "CRASHED", state
    assert state["message"].startswith("It was cut off: its process is gone.")
    assert re.search(rf"^  Runs     1 run was cut off: .* \({page}\);", said, re.MULTILINE), said


def processes_in(folder: Path) -> list[int]:
    """The processes that were started in a folder."""
    return [int(one.parent.name) for one in Path("/proc").glob("[0-9]*/cwd") if _leads_to(one, folder)]


def _leads_to(link: Path, folder: Path) -> bool:
    try:
        return link.readlink() == folder
    except OSError:
        return False
