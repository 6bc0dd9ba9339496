"""Verdicts as they are typed, and the gallery as a server of its own."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from genmedia.journal import Journal
from genmedia.journal.reviews import Review
from genmedia.store import Place
from tests.commands import PROJECT, genmedia
from tests.example_assets import picture, write_asset

PASSWORD = "the password of the test"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with two takes of a hero, and a cup that was asked for with a seed."""
    root = tmp_path / "media"
    for take in (1, 2):
        request = {"prompt": "a mug"}
        write_asset(root, f"mugs/hero/{take}.png", picture("teal"), request=request, take=take, campaign="Mugs & more")
    write_asset(root, "tea/cup/3.png", picture("red"), request={"prompt": "a cup", "seed": 7})
    return root


def standing(folder: Path) -> list[Review]:
    async def read() -> list[Review]:
        async with Journal.lease(Place(str(folder)).journal_url()) as journal:
            return await journal.reviews.standing_in()

    return asyncio.run(read())


def test_verdicts_are_given_by_path_by_file_and_by_the_name_that_the_gallery_shows(folder: Path) -> None:
    here = "--folder", str(folder)
    told = [
        genmedia("keep", "mugs/hero/1.png", *here, "--as", "Ann"),
        genmedia("reject", "Mugs & more/hero", "--why", "no handle", *here, "--as", "Ben"),
        genmedia(
            "retake",
            str(folder / "tea/cup/3.png"),
            "--prompt",
            "a jug",
            "--seed",
            "9",
            "--why",
            "rather a jug",
            *here,
            LOGNAME="cyd",
        ),
    ]

    assert [(one.returncode, one.stderr) for one in told] == [(0, "")] * 3
    assert [one.stdout for one in told] == ["keep  mugs/hero/1.png\n", "reject  mugs/hero/2.png\n", "retake  tea/cup/3.png\n"]
    assert [(one.subject.path, one.opinion.verdict, one.opinion.who, one.opinion.why) for one in standing(folder)] == [
        ("mugs/hero/1.png", "keep", "Ann", ""),
        ("mugs/hero/2.png", "reject", "Ben", "no handle"),
        ("tea/cup/3.png", "retake", "cyd", "rather a jug"),
    ]

    genmedia("keep", "mugs/hero/2.png", *here, "--as", "Ann")
    shown = genmedia("verdicts", "Mugs & more", *here)
    assert re.findall(r"^(keep|reject) +(\S+) +(\w+)", shown.stdout, re.MULTILINE) == [
        ("keep", "mugs/hero/1.png", "Ann"),
        ("keep", "mugs/hero/2.png", "Ann"),
    ]
    everything = json.loads(genmedia("verdicts", "--history", "--json", *here).stdout)
    assert [(one["verdict"], one["who"], one["why"], one["prompt"], one["seed"]) for one in everything] == [
        ("keep", "Ann", "", "", None),
        ("reject", "Ben", "no handle", "", None),
        ("retake", "cyd", "rather a jug", "a jug", 9),
        ("keep", "Ann", "", "", None),
    ]


def test_all_that_is_wrong_with_items_is_told_at_once_and_nothing_is_said(folder: Path) -> None:
    here = "--folder", str(folder)
    done = genmedia("retake", "mugs/hero/1.png", "nowhere", "hero", "Mugs & more/heroe", "--why", "x", *here)
    wrong = genmedia("retake", "mugs/hero/1.png", "--seed", "3", "--why", "x" * 2_001, *here)

    assert (done.returncode, wrong.returncode) == (2, 2)
    assert [line.strip() for line in done.stderr.splitlines()[1:]] == [
        "nowhere: is neither an asset of the store nor CAMPAIGN/STEP",
        "hero: is neither an asset of the store nor CAMPAIGN/STEP; did you mean Mugs & more/hero?",
        "Mugs & more/heroe: is neither an asset of the store nor CAMPAIGN/STEP; did you mean Mugs & more/hero?",
    ]
    assert [line.strip() for line in wrong.stderr.splitlines()[1:]] == [
        "mugs/hero/1.png: its request has no seed",
        "mugs/hero/1.png: the reason is longer than 2,000 characters",
    ]
    assert genmedia("verdicts", *here).stdout == "nothing is decided yet\n"


@pytest.mark.parametrize("why", ["", "   "])
def test_a_reason_that_is_empty_is_asked_for_and_one_that_nobody_has_to_give_is_none(folder: Path, why: str) -> None:
    here = "--folder", str(folder), "--as", "Ann"
    refused = [genmedia(verdict, "mugs/hero/1.png", "--why", why, *here) for verdict in ("reject", "retake")]
    kept = genmedia("keep", "mugs/hero/1.png", "--why", why, *here)
    again = genmedia("retake", "mugs/hero/2.png", "--why", "too dark", "--prompt", why, *here)

    assert [(one.returncode, one.stderr.count("--why: is empty; say why")) for one in refused] == [(2, 1)] * 2
    assert (kept.returncode, again.returncode) == (0, 0), kept.stderr + again.stderr
    assert [(one.opinion.verdict, one.opinion.why, one.opinion.prompt) for one in standing(folder)] == [
        ("keep", "", ""),
        ("retake", "too dark", ""),
    ]


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["--host", "127.0.0.1"], {}, "--host is for --share"),
        (["--share", "--host", "localhost"], {}, "'localhost' is no IPv4 address"),
        (["--share", "--host", "192.0.2.1"], {}, "cannot be listened at"),
        (["--share", "--host", "127.0.0.1"], {"GENMEDIA_REVIEW_PASSWORD": "short"}, "the password is too short"),
        (["--port", "70000"], {}, "cannot be listened at"),
        (["--folder", "/nowhere"], {}, "is no folder"),
    ],
)
def test_a_server_that_cannot_be_is_told_in_a_line(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], words: str
) -> None:
    here = [] if "--folder" in arguments else ["--folder", str(tmp_path)]
    done = genmedia("review", *here, *arguments, **environment)

    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "short" not in done.stderr.replace("too short", "")


@contextmanager
def reviewing(folder: Path, *arguments: str, **environment: str) -> Generator[tuple[str, list[str]]]:
    """The address that a server prints, and what it has printed, all of it once it has ended."""
    command = [sys.executable, "-m", "genmedia", "review", *arguments, "--folder", str(folder)]
    said: list[str] = []
    with subprocess.Popen(
        command,
        cwd=PROJECT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        try:
            while not said or not said[-1].startswith("Ctrl-C"):
                said.append(process.stdout.readline())
                assert said[-1], said
            yield said[0].removeprefix("Review at ").strip(), said
        finally:
            process.send_signal(signal.SIGINT)
            said += process.stdout.readlines()
    assert process.returncode == 130, said


def test_only_who_has_the_whole_link_gets_in_and_nobody_by_another_name_of_this_machine(folder: Path) -> None:
    with reviewing(folder, "Mugs & more") as (link, said):
        address = urlsplit(link)
        root = f"http://{address.netloc}"
        assert (address.hostname, address.path, address.fragment) == ("127.0.0.1", "/media/", "campaign=Mugs+%26+more")
        assert len(address.query.removeprefix("token=")) >= 32
        with httpx.Client(base_url=root) as client:
            for path in ("/", "/media/", "/media/mugs/hero/1.png", "/media/.genmedia/live"):
                assert client.get(path).status_code == 403
            entered = client.get(link)
            assert (entered.status_code, len(client.cookies)) == (200, 1)
            assert client.get("/media/mugs/hero/1.png").content == picture("teal")
            assert client.get("/other/").status_code == 404
            assert client.get("/").headers["location"] == "/media/"
            assert client.get("/media/", headers={"host": "evil.example"}).status_code == 400
            body = {"who": "Ann", "reviews": [{"path": "mugs/hero/1.png", "verdict": "keep"}]}
            told = {"origin": root}
            assert (
                client.post("/media/.genmedia/reviews", json=body, headers={"origin": "http://evil.example"}).status_code == 403
            )
            assert client.post("/media/.genmedia/reviews", json=body, headers=told).status_code == 204
        assert [(one.opinion.verdict, one.opinion.who) for one in standing(folder)] == [("keep", "Ann")]
    assert address.query not in "".join(said[1:]), "the token is printed once, and stands in no line of a log"
    assert "Traceback" not in "".join(said)


@pytest.mark.parametrize("given", [PASSWORD, ""])
def test_what_is_shared_asks_for_a_password_that_no_link_has(folder: Path, given: str) -> None:
    with reviewing(folder, "--share", "--host", "127.0.0.1", GENMEDIA_REVIEW_PASSWORD=given) as (link, said):
        (told,) = [line for line in said if "password is" in line]
        password = given or told.removeprefix("The password is ").strip()
        assert len(password) >= 16
        assert urlsplit(link).query == ""
        with httpx.Client(base_url=link) as client:
            assert client.get("").status_code == 401
            assert client.get("", params={"token": password}).status_code == 401
            origin = link.removesuffix("/media/")
            assert client.post("", data={"password": "guessed"}, headers={"origin": origin}).status_code == 401
            assert client.post("", data={"password": password}, headers={"origin": origin}).status_code == 303
            assert client.get("mugs/hero/1.png").status_code == 200
    assert "".join(said).count(password) == (0 if given else 1), "one that was given is not printed"
