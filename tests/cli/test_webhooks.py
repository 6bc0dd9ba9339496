"""The receiver as a command: where it listens, whom it believes, and what it prints."""

import hmac
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import time

import httpx
import pytest

from tests.commands import PROJECT, genmedia

SECRET = "whsec_of_the_test"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "--behind-tls"),
        (["--host", "::"], "--behind-tls"),
        (["--host", "192.0.2.1", "--behind-tls"], "cannot be listened at"),
        (["--host", "localhost"], "no IP address"),
        (["--port", "70000"], "cannot be listened at"),
        (["--port", "0", "--folder", "/nowhere"], "is no folder"),
        (["--port", "0", "--project", "/nowhere"], "no genmedia project"),
    ],
)
def test_an_address_that_it_must_not_or_cannot_have_is_told_in_a_line(arguments: list[str], words: str) -> None:
    done = genmedia("webhooks", *arguments)

    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("address", ["http://hooks.example.com/flora", "hooks", "https://user:word@hooks.example.com/"])
def test_an_address_that_flora_cannot_be_given_is_told_in_a_line(tmp_path: Path, address: str) -> None:
    done = genmedia("webhooks", "--folder", str(tmp_path), "--port", "0", FLORA_API_KEY="sk", FLORA_WEBHOOK_URL=address)

    assert done.returncode == 2
    assert "what is given cannot be the address for webhooks" in done.stderr
    assert "word" not in done.stderr


@pytest.mark.parametrize("secret", [SECRET, ""])
def test_it_says_what_to_set_next_and_believes_what_the_accounts_secret_has_signed(tmp_path: Path, secret: str) -> None:
    command = [sys.executable, "-m", "genmedia", "webhooks", "--folder", str(tmp_path), "--port", "0"]
    environment = {**os.environ, "FLORA_API_KEY": "sk_live_test", "FLORA_WEBHOOK_SECRET": secret, "GENMEDIA_BLOCKS": "studio"}
    with subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout
            first = process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", first)
            assert found, first + process.stdout.read()
            body, when = b'{"type": "run.completed", "data": {"run_id": "j57abc"}}', int(time())
            proof = hmac.new(SECRET.encode(), f"{when}.".encode() + body, "sha256").hexdigest()
            signed = {"flora-signature": f"t={when},v1={proof}"}
            answers = [httpx.post(f"{found[0]}/flora", content=body, headers=headers).status_code for headers in (signed, {})]
        finally:
            process.send_signal(signal.SIGINT)
        rest = process.stdout.read()

    assert process.returncode == 130
    assert SECRET not in first + rest
    assert "Traceback" not in first + rest
    if secret:
        assert answers == [204, 401]
        assert first == f"Receiving webhooks at {found[0]}/flora for flora/studio.\n"
        assert "FLORA_WEBHOOK_URL=https://hooks.example.com/flora" in rest
        assert "flora/studio told that job j57abc has ended." in rest
        assert "refused with 401" in rest
    else:
        assert answers == [404, 404]
        assert "no account has a secret for webhooks" in first


@contextmanager
def receiving(folder: Path) -> Generator[str]:
    """The address of a receiver for a store in a folder."""
    command = [sys.executable, "-m", "genmedia", "webhooks", "--folder", str(folder), "--port", "0"]
    known = {**os.environ, "FLORA_API_KEY": "sk_live_test", "FLORA_WEBHOOK_SECRET": SECRET}
    with subprocess.Popen(
        command, cwd=PROJECT, env=known, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout
            found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            assert found
            yield f"{found[0]}/flora"
        finally:
            process.send_signal(signal.SIGINT)


def deliver(url: str) -> int:
    """Send a genuine delivery; returns the status of the answer."""
    body, when = b'{"type": "run.completed", "data": {"run_id": "j57abc"}}', int(time())
    proof = hmac.new(SECRET.encode(), f"{when}.".encode() + body, "sha256").hexdigest()
    return httpx.post(url, content=body, headers={"flora-signature": f"t={when},v1={proof}"}).status_code


def test_connections_on_which_nothing_comes_shut_no_delivery_out(tmp_path: Path) -> None:
    with receiving(tmp_path) as url, ExitStack() as held:
        for _ in range(60):
            held.enter_context(socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0)))

        assert deliver(url) == 204


def test_a_delivery_is_not_taken_where_no_journal_can_be_opened(tmp_path: Path) -> None:
    (tmp_path / ".genmedia" / "journal.db").mkdir(parents=True)  # no file, so that it cannot be opened

    with receiving(tmp_path) as url:
        assert deliver(url) == 503
