from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.config import SchemathesisConfig

from tests.sandboxes import Sandbox


def test_genova_behaves_as_its_description_says_over_sequences_of_requests(own_sandbox: Sandbox) -> None:
    account = own_sandbox.new_account(
        "genova", credits=1_000_000, settings={"advance": "looks"}, switches={"over_limit": "pending", "cancel": "remove"}
    )
    # A minute of the plan passes in real milliseconds, so that no sequence is cut short by it.
    own_sandbox.control("POST", "/clock", {"scale": 5_000})
    # It takes a good key beside an invented JWT for a hole; what opens an account has tests of its own.
    checks = {"ignored_auth": {"enabled": False}}
    # A job's state can forbid what its description allows.
    by_state = {
        "include-operation-id": ["download_job", "cancel_job"],
        "checks": {"positive_data_acceptance": {"enabled": False}},
    }
    config = SchemathesisConfig.from_dict(
        {"headers": {"X-API-Key": account["api_key"]}, "checks": checks, "operations": [by_state]}
    )
    schema = schemathesis.openapi.from_url(f"{account['base_url']}/openapi.json", config=config)
    run_state_machine_as_test(
        schema.as_state_machine(),
        settings=settings(
            max_examples=25,
            stateful_step_count=6,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
    counted = {(line["method"], line["route"]) for line in own_sandbox.requests(account)}
    assert ("POST", "/api/jobs") in counted


def test_the_description_names_every_route_and_no_other(sandbox: Sandbox) -> None:
    described: dict[str, Any] = httpx.get(f"{sandbox.url}/genova/openapi.json").json()
    named = {
        (method.upper(), path)
        for path, operations in described["paths"].items()
        for method in operations
        if method != "parameters"
    }
    assert len(named) == 13
    account = sandbox.new_account("genova")
    for method, path in named:
        url = account["base_url"] + path.format(job_id="x", key_id="x")
        assert httpx.request(method, url).status_code == 401, "served, and closed without a key"
