import re
from contextlib import suppress
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.config import SchemathesisConfig

from tests.sandbox.generio_customers import NewGenerio
from tests.sandboxes import Sandbox

SEQUENCES = settings(
    max_examples=25,
    stateful_step_count=6,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def explore(machine: Any, *, max_examples: int = 25) -> None:
    """Run sequences of requests until a whole round of them is through.

    What a request may be hangs on the answers before it. A sequence that is repeated may find the sandbox in another state, which Hypothesis
    takes for a fault of the test: then the round is begun anew. What the sandbox does wrong ends the test as ever.
    """
    for _ in range(4):
        with suppress(FlakyStrategyDefinition):
            run_state_machine_as_test(machine, settings=settings(SEQUENCES, max_examples=max_examples))
            return


def succeeded(sandbox: Sandbox, account: dict[str, Any]) -> set[tuple[str, str]]:
    """The operations that were answered with success: beyond the first, it hangs on the ids that a sequence comes by which these are."""
    return {(line["method"], line["route"]) for line in sandbox.requests(account) if line["status"] < 300}


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
    explore(schema.as_state_machine())
    assert ("POST", "/api/jobs") in succeeded(own_sandbox, account)


def test_algovera_behaves_as_its_description_says_over_sequences_of_requests(own_sandbox: Sandbox) -> None:
    """Bodies on a GET are sent too; what is left out is a wrong key, which has tests of its own."""
    account = own_sandbox.new_account("algovera", credits=1_000_000, settings={"advance": "looks", "looks": [0, 0]})
    config = SchemathesisConfig.from_dict({"checks": {"positive_data_acceptance": {"expected-statuses": [200, 404]}}})
    schema = schemathesis.openapi.from_url(f"{account['base_url']}/openapi.json", config=config)

    class WithTheKey(schema.as_state_machine()):
        def before_call(self, case: Any) -> None:
            for fields in (case.query, case.body):
                if isinstance(fields, dict) and isinstance(fields.get("api_key"), str):
                    fields["api_key"] = account["api_key"]

    explore(WithTheKey)
    assert ("POST", "/api/txt2img") in succeeded(own_sandbox, account)


def test_generio_behaves_as_its_description_says_over_sequences_of_requests(
    own_sandbox: Sandbox, new_generio: NewGenerio
) -> None:
    generio = new_generio(at=own_sandbox, credits=1_000_000, settings={"looks": [0, 0]})
    done = generio.finish(generio.create("A cup"))
    # A flow's state, or its template, can forbid what the description allows.
    checks = {"positive_data_acceptance": {"expected-statuses": [200, 404, 409, 422]}}
    headers = {"Authorization": f"Bearer {generio.account['api_key']}"}
    config = SchemathesisConfig.from_dict({"headers": headers, "checks": checks})
    schema = schemathesis.openapi.from_url(f"{generio.account['base_url']}/openapi.json", config=config)

    class OnFlowsThatExist(schema.as_state_machine()):
        def setup(self) -> None:
            """A flow of its own for each sequence: one that others have changed would answer otherwise the second time."""
            self.flow = generio.create()["flow_id"]

        def before_call(self, case: Any) -> None:
            if "/output" in case.operation.path:
                case.path_parameters |= {"flow_id": done["flow_id"]}
            elif len(case.path_parameters.get("flow_id", self.flow)) != 24:
                case.path_parameters["flow_id"] = self.flow

    explore(OnFlowsThatExist, max_examples=60)
    assert ("POST", "/flows/{flow_id}/inputs") in succeeded(own_sandbox, generio.account)


@pytest.mark.parametrize("provider", ["genova", "generio"])
def test_the_description_names_every_route_and_no_other(sandbox: Sandbox, provider: str) -> None:
    described: dict[str, Any] = httpx.get(f"{sandbox.url}/{provider}/openapi.json").json()
    named = {
        (method.upper(), path)
        for path, operations in described["paths"].items()
        for method in operations
        if method != "parameters"
    }
    assert len(named) == 13
    account = sandbox.new_account(provider)
    for method, path in named:
        url = account["base_url"] + re.sub(r"\{\w+\}", "x", path)
        assert httpx.request(method, url).status_code == 401, "served, and closed without a key"
