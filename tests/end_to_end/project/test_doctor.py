"""`genmedia doctor`: a line for everything that a run needs."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.cli.test_doctor import examined, of
from tests.commands import PROJECT, genmedia
from tests.end_to_end.project.test_setup import change
from tests.sandboxes import Sandbox, running_sandbox


def set_up(sandbox: Sandbox, api: str, store: Path, **environment: str) -> dict[str, Any]:
    """Save a Genova account and the store; the account."""
    account = sandbox.new_account("genova", plan="Pro")
    payer = {"GENOVA_API_KEY": account["api_key"], "GENOVA_BASE_URL": account["base_url"], "GENMEDIA_STORE": str(store)}
    genmedia("setup", "--force", PREFECT_API_URL=api, **(payer | environment))
    return account


@contextmanager
def working(api: str, folder: Path) -> Generator[None]:
    """A worker on the project's pool."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "genmedia", "--name", "by-the-window"]
    with (folder / "log").open("w+b") as log:
        worker = subprocess.Popen([*command], cwd=PROJECT, stdout=log, stderr=log, env={**os.environ, "PREFECT_API_URL": api})
        try:
            while b"started!" not in (folder / "log").read_bytes():
                assert worker.poll() is None, (folder / "log").read_text()
            yield
        finally:
            worker.kill()  # it runs nothing, and may take a minute to go by itself
            worker.wait()


def test_when_everything_is_in_place_every_line_is_ok(sandbox: Sandbox, bare_prefect: str, tmp_path: Path) -> None:
    account = set_up(sandbox, bare_prefect, tmp_path)
    with working(bare_prefect, tmp_path):
        code, findings, output = examined(bare_prefect)
        shown = genmedia("doctor", PREFECT_API_URL=bare_prefect)

    assert (code, {one["status"] for one in findings}) == (0, {"ok"})
    assert list(findings[0]) == ["check", "status", "what", "advice"]
    ok = of(findings, "ok")
    assert "by-the-window" in ok["worker"]
    assert "genova default; none at" in ok["accounts"]
    assert str(tmp_path) in ok["store"]
    assert shown.returncode == 0
    assert len(shown.stdout.splitlines()) == len(findings)
    assert account["api_key"] not in output + shown.stdout + shown.stderr
    assert sandbox.account(account)["credits"] == account["credits"]


def test_a_server_that_nobody_prepared_is_told_with_what_to_do(bare_prefect: str) -> None:
    code, findings, _ = examined(bare_prefect)

    assert code == 1
    assert {name for name, said in of(findings, "failure").items() if "genmedia setup" in said} == {"accounts", "store"}


def test_a_refused_key_a_broken_journal_and_a_store_that_is_none_fail_and_a_sandbox_that_does_not_run_is_named(
    sandbox: Sandbox, bare_prefect: str, tmp_path: Path
) -> None:
    (tmp_path / ".genmedia").mkdir()
    with closing(sqlite3.connect(tmp_path / ".genmedia" / "journal.db")) as journal, journal:
        journal.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
        journal.execute("INSERT INTO alembic_version VALUES ('9999')")
    (tmp_path / "file").write_text("")
    set_up(sandbox, bare_prefect, tmp_path, GENOVA_API_KEY="af_planted")
    away = {"ALGOVERA_API_KEY": "x", "ALGOVERA_BASE_URL": "http://127.0.0.1:9/algovera"}
    set_up(sandbox, bare_prefect, tmp_path / "file" / "store", GENMEDIA_BLOCKS="other", **away)

    code, findings, output = examined(bare_prefect)

    failures = of(findings, "failure")
    assert code == 1
    assert set(failures) == {"genova default", "journal", "store"}
    assert "401" in failures["genova default"]
    assert "version 9999" in failures["journal"]
    assert f"{tmp_path / 'file'} is no folder" in failures["store"]
    assert "genova other" in of(findings, "ok")
    assert "is of a sandbox at http://127.0.0.1:9, which does not run now" in of(findings, "warning")["algovera other"]
    assert "planted" not in output


def test_a_store_whose_address_is_mistyped_is_told_and_so_is_the_rest(
    sandbox: Sandbox, bare_prefect: str, tmp_path: Path
) -> None:
    set_up(sandbox, bare_prefect, tmp_path)
    change(bare_prefect, "asset-store", root="s3://bucket/media", s3_endpoint="localhost:9000")

    code, findings, _ = examined(bare_prefect)
    listed = genmedia("manifest", PREFECT_API_URL=bare_prefect)

    assert code == 1
    assert "'localhost:9000' is no address. Write it with http://" in of(findings, "failure")["store"]
    assert "genova default" in of(findings, "ok")
    assert (listed.returncode, listed.stdout) == (2, "")
    assert "'localhost:9000' is no address" in listed.stderr


def test_a_store_block_that_no_longer_fits_is_told_and_so_is_the_rest(
    sandbox: Sandbox, bare_prefect: str, tmp_path: Path
) -> None:
    set_up(sandbox, bare_prefect, tmp_path)
    change(bare_prefect, "asset-store", if_refused="planted-nonsense")

    code, findings, output = examined(bare_prefect)
    money = genmedia("hold", PREFECT_API_URL=bare_prefect)

    assert code == 1
    assert of(findings, "failure")["store"] == "the block default does not fit its type. Save it anew."
    assert "genova default" in of(findings, "ok")
    assert "the block default does not fit its type" in money.stdout + money.stderr
    assert "Traceback" not in money.stderr
    assert "planted" not in output + money.stdout + money.stderr


def test_a_clock_that_is_wrong_is_told(bare_prefect: str, tmp_path: Path) -> None:
    with running_sandbox() as sandbox:
        set_up(sandbox, bare_prefect, tmp_path)
        sandbox.control("POST", "/clock", {"advance": 7200})

        _, findings, _ = examined(bare_prefect)

    behind = re.match(r"(\d+) s behind", of(findings, "warning")["clock"])
    assert behind
    assert abs(int(behind[1]) - 7200) < 60, "the provider's clock is told in whole seconds, and the look takes time"


def test_a_relative_store_is_told_by_its_block(sandbox: Sandbox, bare_prefect: str, tmp_path: Path) -> None:
    set_up(sandbox, bare_prefect, tmp_path)
    change(bare_prefect, "asset-store", root="media", journal="sqlite:///.genmedia/relative.db")

    _, findings, _ = examined(bare_prefect)

    (told,) = [one for one in findings if one["check"] == "store" and one["status"] == "warning"]
    assert told["what"] == "the block default has a relative place and journal: another folder for each process"
    assert told["advice"] == "Write an absolute one into the block."


def test_two_keys_of_one_account_are_told_by_their_blocks(sandbox: Sandbox, bare_prefect: str, tmp_path: Path) -> None:
    set_up(sandbox, bare_prefect, tmp_path)
    change(bare_prefect, "genova-credentials", account="studio")
    other = sandbox.new_account("genova")
    payer = {"GENOVA_API_KEY": other["api_key"], "GENOVA_BASE_URL": other["base_url"]}
    genmedia("setup", "--name", "studio", PREFECT_API_URL=bare_prefect, **payer)

    _, findings, output = examined(bare_prefect)

    assert (
        "the credentials blocks default and studio of genova are one account, studio, with different keys"
        in of(findings, "warning")["accounts"]
    )
    assert other["api_key"] not in output
