"""Load test of `genmedia up`: `python -m benchmarks.submissions [SUBMISSIONS]`.

It measures the time from the submission of `coffee` until its first job is at the provider. Then it submits `genova-account` so many times,
four times a second, each sent only once as Prefect's page does, while four other runs work. The exit code is 1 if a submission is refused,
or if the first job takes longer than `FIRST_JOB_SECONDS`, which happens on a busy machine.
"""

import statistics
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import httpx

from tests.checkouts import make_checkout
from tests.end_to_end.project.test_up import up

SUBMISSIONS = 200
EVERY = 0.25
BESIDE = ("launch", "pictures", "variations", "3d-models")
FIRST_JOB_SECONDS = 8.0
PAUSE = 0.05


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


def main() -> int:
    """Print the measures; returns 1 when one misses its limit."""
    submissions = int(sys.argv[1]) if len(sys.argv) > 1 else SUBMISSIONS
    with TemporaryDirectory() as folder, up(make_checkout(Path(folder) / "checkout"), Path(folder) / "log") as (_, addresses):
        prefect = Prefect(addresses)
        soon = first_job(prefect, addresses["Sandbox"])
        print(f"coffee: its first job {soon:.1f} s after Submit (at most {FIRST_JOB_SECONDS:.0f})")
        for name in BESIDE:
            prefect.submit(name)
        while not prefect.count("RUNNING"):
            sleep(PAUSE)
        with ThreadPoolExecutor(submissions) as people:
            sent = [(sleep(EVERY), people.submit(prefect.submit, "genova-account"))[1] for _ in range(submissions)]
        answers = [one.result() for one in sent]
    statuses, seconds = Counter(status for status, _ in answers), [took for _, took in answers]
    print(
        f"{submissions} submissions: answers {dict(statuses)}; {statistics.median(seconds):.2f} s each, at most {max(seconds):.1f} s"
    )
    return int(soon > FIRST_JOB_SECONDS or set(statuses) != {201})


if __name__ == "__main__":
    raise SystemExit(main())
