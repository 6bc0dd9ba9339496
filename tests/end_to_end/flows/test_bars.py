"""The progress bars of jobs, where Prefect does not take them."""

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.engines.ports import free_port
from genmedia.jobs.job import Account
from genmedia.journal.order import Order
from genmedia.purchasing.buy import Outcome, Purchase
from tasks.bars import Bar


@pytest.mark.filterwarnings("ignore:Artifact creation outside")  # what a run does in it stays the same
async def test_a_job_is_waited_for_without_a_bar_where_prefect_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.bars.LONG_SECONDS", 0.0)
    order = Order(Account("genova", "https://genova.example.com", "default"), "image imagen4", {}, 1, "credits", 1)
    purchase = Purchase(order, order.key, 1, 1, "job-1", Outcome.BOUGHT)

    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        bar = Bar("cup", purchase, 1)
        await bar.making
        await bar.show(50)
        await bar.end("succeeded")
