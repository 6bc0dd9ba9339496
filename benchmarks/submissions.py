"""How soon `genmedia up` starts what is submitted, and whether it takes many submissions at once."""

import statistics
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep

import httpx

from benchmarks.figures import Benchmark, Figure, Goal, Readings, Stage
from tests.checkouts import make_checkout
from tests.end_to_end.project.test_up import up

SUBMISSIONS = 200
EVERY = 0.25
BESIDE = ("launch", "pictures", "variations", "3d-models")
FIRST_JOB_SECONDS = 8.0
PAUSE = 0.05
UP = "genmedia up"


class Prefect:
    """The Prefect server of `genmedia up`; each request is sent only once, as the server's own page does.

    Args:
        addresses: Values that the command printed, by name, such as `Prefect` and `Password`.
    """

    def __init__(self, addresses: dict[str, str]) -> None:
        user, _, secret = addresses["Password"].partition(":")
        self._http = httpx.Client(base_url=f"{addresses['Prefect']}/api", auth=(user, secret), timeout=120)
        listed = self._http.post("/deployments/filter", json={}).raise_for_status().json()
        self._deployments = {one["name"]: one["id"] for one in listed}

    def submit(self, name: str) -> tuple[int, float]:
        """Run a deployment; returns the status of the answer, and the seconds it took."""
        begun = monotonic()
        answer = self._http.post(f"/deployments/{self._deployments[name]}/create_flow_run", json={"state": {"type": "SCHEDULED"}})
        return answer.status_code, monotonic() - begun

    def count(self, state: str) -> int:
        """Number of runs in that state now."""
        wish = {"flow_runs": {"state": {"type": {"any_": [state]}}}}
        return self._http.post("/flow_runs/count", json=wish).raise_for_status().json()


def first_job(prefect: Prefect, sandbox: str) -> float:
    """Seconds from the submission of `coffee` until the sandbox has its first job; the run has completed when this returns."""
    begun = monotonic()
    prefect.submit("coffee")
    while not httpx.get(f"{sandbox}/jobs").json():
        sleep(PAUSE)
    took = monotonic() - begun
    while not prefect.count("COMPLETED"):
        sleep(PAUSE)
    return took


def _program(stage: Stage) -> Readings:
    checkout, log = make_checkout(stage.folder / "checkout"), stage.folder / "log"
    with up(checkout, log) as (_, addresses):
        prefect = Prefect(addresses)
        soon = first_job(prefect, addresses["Sandbox"])
        for name in BESIDE:
            prefect.submit(name)
        while not prefect.count("RUNNING"):
            sleep(PAUSE)
        with ThreadPoolExecutor(SUBMISSIONS) as people:
            sent = [(sleep(EVERY), people.submit(prefect.submit, "genova-account"))[1] for _ in range(SUBMISSIONS)]
        answers = [one.result() for one in sent]
    took = [seconds for _, seconds in answers]
    return {
        UP: {
            "first job": soon,
            "refused": sum(status != 201 for status, _ in answers),
            "answer, median": statistics.median(took),
            "answer, longest": max(took),
        }
    }


BENCHMARK = Benchmark(
    about=f"""`genmedia up` under load: the time from the submission of `coffee` until its first job is at the provider; then
    `genova-account` is submitted {SUBMISSIONS} times, one each {EVERY:g} s, each sent only once as Prefect's page does, while
    {len(BESIDE)} other runs work.""",
    figures=(
        Figure("first job", "s", {UP: Goal(FIRST_JOB_SECONDS)}),
        Figure("refused", f"of {SUBMISSIONS}", {UP: Goal(0)}),
        Figure("answer, median", "s"),
        Figure("answer, longest", "s"),
    ),
    programs={UP: _program},
    seconds=900,
)
