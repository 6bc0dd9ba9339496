import httpx
import pytest

from tests.sandbox.genova_customers import GenovaCustomer, NewGenova
from tests.sandboxes import Sandbox


@pytest.mark.parametrize(
    ("plan", "requests", "jobs", "monthly"), [("Free", 10, 2, 50), ("Starter", 60, 5, 500), ("Pro", 100, 10, 2_000)]
)
def test_a_plan_bounds_requests_and_open_jobs_and_grants_its_credits(
    own_sandbox: Sandbox, new_genova: NewGenova, plan: str, requests: int, jobs: int, monthly: int
) -> None:
    genova = new_genova(at=own_sandbox, plan=plan)
    assert genova.credits == monthly
    accepted = [genova.create().status_code for _ in range(jobs + 1)]
    assert accepted == [201] * jobs + [429]
    answers = [genova.http.get("/api/user/me") for _ in range(requests - jobs)]
    assert [answer.status_code for answer in answers] == [200] * (requests - jobs - 1) + [429]
    assert answers[-1].json()["error"] == "Rate limit exceeded"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


def test_refused_requests_do_not_count_and_the_window_slides(own_sandbox: Sandbox, new_genova: NewGenova) -> None:
    genova = new_genova(at=own_sandbox, plan="Free")

    def statuses(count: int) -> list[int]:
        return [genova.http.get("/api/user/me").status_code for _ in range(count)]

    assert statuses(5) == [200] * 5
    own_sandbox.control("POST", "/clock", {"advance": 30})
    assert statuses(8) == [200] * 5 + [429] * 3
    wait = int(genova.http.get("/api/user/me").headers["retry-after"])
    assert 20 <= wait <= 30
    own_sandbox.control("POST", "/clock", {"advance": wait})
    assert statuses(6) == [200] * 5 + [429]


def test_more_open_jobs_than_the_plan_allows_are_refused_until_one_ends(new_genova: NewGenova) -> None:
    genova = new_genova(plan="Free", settings={"looks": [0, 0]})
    first, _ = genova.buy(), genova.buy()
    response = genova.create()
    assert (response.status_code, response.json()["error"]) == (429, "Too many concurrent jobs")
    assert int(response.headers["retry-after"]) > 0
    genova.finish(first)
    assert genova.create().status_code == 201


def test_more_open_jobs_than_the_plan_allows_can_wait_as_pending(new_genova: NewGenova) -> None:
    genova = new_genova(plan="Free", settings={"looks": [1, 1]}, switches={"over_limit": "pending"})
    created = [genova.create() for _ in range(3)]
    assert [answer.json()["status"] for answer in created] == ["queued", "queued", "pending"]
    first, _, third = (answer.json()["jobId"] for answer in created)
    assert genova.http.get("/api/jobs?status=pending").json()["total"] == 1
    genova.finish(first)
    assert genova.look(third)["status"] != "pending"


def test_a_pending_job_can_be_cancelled_for_its_credit(new_genova: NewGenova) -> None:
    genova = new_genova(plan="Free", switches={"over_limit": "pending"})
    *_, third = (genova.buy() for _ in range(3))
    assert genova.http.delete(f"/api/jobs/{third}").json() == {"success": True}
    assert genova.credits == 48


def test_without_credits_a_job_is_refused_with_402(new_genova: NewGenova) -> None:
    genova = new_genova(credits=1, settings={"looks": [0, 0]})
    genova.finish(genova.buy())
    response = genova.create()
    assert (response.status_code, response.json()["error"]) == (402, "Insufficient credits")


def test_a_credit_is_taken_at_creation_and_not_again(genova: GenovaCustomer) -> None:
    job_id = genova.buy()
    assert genova.credits == 9_999
    genova.finish(job_id)
    assert genova.credits == 9_999
    (job,) = genova.sandbox.jobs(genova.account)
    assert (job["cost"], job["charged"]) == (1, 1)


def test_an_unknown_plan_is_refused_and_the_plans_are_named(sandbox: Sandbox) -> None:
    response = sandbox.http.post(f"{sandbox.url}/sandbox/accounts", json={"provider": "genova", "plan": "Gold"})
    assert response.status_code == 422
    assert "Business Free Starter Pro" in response.json()["detail"]


def test_a_plan_can_be_changed_and_leaves_the_credits(genova: GenovaCustomer) -> None:
    changed = genova.sandbox.new_account("genova", account=genova.account["account"], plan="Free")
    assert (changed["plan"], changed["credits"]) == ("Free", 10_000)
    assert genova.http.get("/api/user/me").json()["plan"] == "free"


def test_one_account_does_not_use_up_anothers_minute(new_genova: NewGenova, own_sandbox: Sandbox) -> None:
    busy, idle = new_genova(at=own_sandbox, plan="Free"), new_genova(at=own_sandbox, plan="Free")
    for _ in range(10):
        busy.http.get("/api/user/me")
    me: list[httpx.Response] = [each.http.get("/api/user/me") for each in (busy, idle)]
    assert [answer.status_code for answer in me] == [429, 200]
