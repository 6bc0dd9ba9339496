"""Recovery looks after every store that is saved, and a store or a key that cannot be used keeps no other from it."""

from pathlib import Path

from genmedia.jobs.job import Account
from genmedia.journal import AttemptState, Journal
from genmedia.providers.genova.client import GenovaClient, JobRequest
from genmedia.providers.genova.steps import job_order
from genmedia.store import Place
from tests.commands import genmedia, python
from tests.end_to_end.project.test_doctor import set_up
from tests.sandboxes import Sandbox

UNFIT = """
from blocks import FloraCredentials
FloraCredentials(api_key="sk_live_\\u00fc").save("cannot-be-sent")
FloraCredentials(api_key="sk_live_x", input_origins=["cdn"]).save("no-origin")
"""
"""Blocks as a person may save them in the Prefect UI: one has a key that no request can carry, the other an origin that is none."""


async def test_what_is_open_is_brought_home_in_every_saved_store(sandbox: Sandbox, bare_prefect: str, tmp_path: Path) -> None:
    stores = {"default": str(tmp_path / "one"), "second": str(tmp_path / "two")}
    (tmp_path / "file").write_text("")
    bad = {"a-bucket": "s3://bucket/media", "a-file": str(tmp_path / "file" / "media")}
    account = set_up(sandbox, bare_prefect, tmp_path / "one")
    for name, root in {**stores, **bad}.items():
        genmedia("setup", "--name", name, PREFECT_API_URL=bare_prefect, GENMEDIA_STORE=root)
    sandbox.control(
        "POST",
        "/accounts",
        {"provider": "genova", "account": account["account"], "settings": {"advance": "looks", "looks": [0, 0]}},
    )
    payer = Account("genova", account["base_url"], "default")
    attempts: dict[str, int] = {}
    async with GenovaClient.lease(payer, account["api_key"], push=False) as client:
        await client.get_profile()
        for root in stores.values():
            request = JobRequest(type="image", model="imagen4", prompt=f"a cup for {root}")
            async with Journal.lease(Place(root).journal_url()) as journal:
                attempt = await journal.intend(job_order(request, [], payer, 1), client.http.server_time())
                assert attempt
                await journal.bind(attempt, (await client.create_job(request.fields())).job_id)
                attempts[root] = attempt.id

    saved = python("-c", UNFIT, PREFECT_API_URL=bare_prefect)
    assert saved.returncode == 0, saved.stderr

    done = genmedia("run", "recovery", PREFECT_API_URL=bare_prefect)
    asked = genmedia("run", "settle-doubts", PREFECT_API_URL=bare_prefect)

    for root, attempt_id in attempts.items():
        async with Journal.lease(Place(root).journal_url()) as journal:
            assert (await journal.attempt(attempt_id)).state is AttemptState.STORED, done.stdout + done.stderr
    assert "2 stored; genova 2 credits saved; not looked after: a-bucket, a-file" in " ".join(done.stdout.split())
    assert done.returncode != 0
    assert "nothing was found in doubt; not looked through: a-bucket, a-file" in " ".join(asked.stdout.split())
    assert asked.returncode != 0
