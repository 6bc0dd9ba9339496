"""A process may die anywhere: each job is paid once, none is lost, and no half file is seen."""

import asyncio
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.crashes.errands import DEATHS, GENERIO_DEATHS
from tests.crashes.scenes import BY_LOOKS, KILLED, Scene
from tests.sandboxes import Sandbox, running_sandbox

AT_ONCE = 8
RUNS = 2
"""After the one that dies: what the first brings home, the second is to find there."""
UNKNOWN = ("after the intent", "at the gate", "answer lost", "before the id is bound")
"""Where nobody can know of a job that Algovera may have taken."""


@pytest.fixture(scope="module")
def sandbox() -> Generator[Sandbox]:
    """One whose clock these tests move on."""
    with running_sandbox('{"clock_scale": 50, "size": 128}') as running:
        yield running


async def cell(scene: Scene, death: str, times: int = 1, *, doubtful: bool = False) -> list[str]:
    """Run one errand that dies there, and again to its end, in doubt or with its files; all that is wrong then."""
    if (code := await scene.run(death=death, times=times)) != KILLED:
        return [f"it ended with {code} instead of being killed"]
    codes = [await scene.run() for _ in range(RUNS)]
    (ending,) = await scene.endings()
    found = await scene.faults((ending.errand.provider,) if doubtful else ())
    if doubtful and not ending.in_doubt:
        found.append("it should be in doubt")
    return found if not any(codes) else [*found, f"the runs after it ended with {codes}"]


@pytest.mark.parametrize("provider", ["algovera", "flora", "generio", "genova"])
async def test_wherever_a_process_dies_its_job_is_paid_once_and_its_files_come_whole(
    sandbox: Sandbox, tmp_path: Path, provider: str
) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, death: str) -> list[str]:
        async with room:
            scene = Scene(sandbox, tmp_path / str(number))
            scene.add(sandbox.new_account(provider, settings=BY_LOOKS))
            return await cell(scene, death, doubtful=provider == "algovera" and death in UNKNOWN)

    deaths = [death for death in DEATHS if provider == "generio" or death not in GENERIO_DEATHS]
    found = await asyncio.gather(*(one(number, death) for number, death in enumerate(deaths)))

    assert {death: faults for death, faults in zip(deaths, found, strict=True) if faults} == {}


@pytest.mark.parametrize("death", ["published without sidecar", "after the sidecar", "before the row"])
async def test_where_pictures_carry_their_provenance_a_crash_leaves_one_file_as_well(
    sandbox: Sandbox, tmp_path: Path, death: str
) -> None:
    scene = Scene(sandbox, tmp_path, embed=True)
    scene.add(sandbox.new_account("flora", settings=BY_LOOKS))

    found = await cell(scene, death, 1 if death == "before the row" else 2)  # the picture comes after the text

    assert found == []


@pytest.mark.parametrize("idempotency", ["seed", "docs", "openapi"])
async def test_whatever_flora_makes_of_a_repeated_key_its_run_is_paid_once(
    sandbox: Sandbox, tmp_path: Path, idempotency: str
) -> None:
    async def one(death: str, *, listed: bool) -> list[str]:
        scene = Scene(sandbox, tmp_path / f"{death} {listed}")
        switches = {"idempotency": idempotency, "list_runs": listed}
        scene.add(sandbox.new_account("flora", settings=BY_LOOKS, switches=switches), fresh_links=True)
        # The others answer a repeat whose links are new with a duplicate, which only a list can tell more about.
        untold = death in ("answer lost", "before the id is bound") and not listed and idempotency != "seed"
        return await cell(scene, death, doubtful=untold)

    cells = {f"{death}, listed {listed}": one(death, listed=listed) for death in UNKNOWN for listed in (True, False)}
    found = await asyncio.gather(*cells.values())

    assert {name: faults for name, faults in zip(cells, found, strict=True) if faults} == {}


@pytest.mark.parametrize("death", ["at the gate", "answer lost"])
@pytest.mark.parametrize("listed", [True, False])
async def test_a_run_is_not_bought_again_once_flora_has_forgotten_its_key(
    sandbox: Sandbox, tmp_path: Path, death: str, listed: bool
) -> None:
    scene = Scene(sandbox, tmp_path)
    scene.add(sandbox.new_account("flora", settings=BY_LOOKS, switches={"list_runs": listed}))
    assert await scene.run(death=death) == KILLED
    (before,) = await scene.endings()

    sandbox.control("POST", "/clock", {"advance": 3 * 3600})
    codes = [await scene.run() for _ in range(RUNS)]

    (after,) = await scene.endings()
    assert codes == [0, 0]
    assert after.in_doubt is not listed
    assert after.paid == (1 if listed else before.paid)
    assert await scene.faults(() if listed else ("flora",)) == []
