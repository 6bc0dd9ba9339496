"""An answer to a purchase may be lost in any way, twice in a row: the job is paid once, and comes home."""

import asyncio
from pathlib import Path

from tests.crashes.scenes import BY_LOOKS, Scene
from tests.sandboxes import Sandbox

ROUTES = {
    "algovera": ["create_job"],
    "flora": ["create_run"],
    "generio": ["create_flow", "add_input", "control_flow"],
    "genova": ["create_job"],
}
KINDS = ("lose_answer", "late_error", "broken_json", "empty_id")
IDEMPOTENCY = ("seed", "docs", "openapi")
"""FLORA's three accounts of a repeated key."""
ROW = 2
AT_ONCE = 8


async def test_a_job_whose_answer_is_lost_is_paid_once_and_its_files_come_whole(sandbox: Sandbox, tmp_path: Path) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(provider: str, route: str, kind: str) -> list[str]:
        async with room:
            scene = Scene(sandbox, tmp_path / f"{provider}-{route}-{kind}")
            account = sandbox.new_account(provider, settings=BY_LOOKS)
            scene.add(account)
            sandbox.fault(account, kind, route=route, times=ROW)
            for _ in range(ROW + 1):
                await scene.run()
            return await scene.faults(("algovera",))

    cells = [(provider, route, kind) for provider, routes in ROUTES.items() for route in routes for kind in KINDS]
    found = await asyncio.gather(*(one(*cell) for cell in cells))

    assert {cell: faults for cell, faults in zip(cells, found, strict=True) if faults} == {}


async def test_whatever_flora_makes_of_a_repeated_key_a_run_whose_answer_is_lost_is_paid_once(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(idempotency: str, kind: str, *, listed: bool, fresh_links: bool) -> list[str]:
        async with room:
            scene = Scene(sandbox, tmp_path / f"{idempotency}-{kind}-{listed}-{fresh_links}")
            switches = {"idempotency": idempotency, "list_runs": listed}
            scene.add(sandbox.new_account(settings=BY_LOOKS, switches=switches), fresh_links=fresh_links)
            sandbox.fault(scene.errands[0].account, kind, route="create_run", times=ROW)
            for _ in range(ROW + 1):
                await scene.run()
            (ending,) = await scene.endings()
            duplicate = idempotency == "openapi" or (idempotency == "docs" and fresh_links)
            untold = duplicate and not listed
            found = await scene.faults(("flora",) if untold else ())
            return found if ending.in_doubt is untold else [*found, f"in doubt: {ending.in_doubt} {ending.reason}"]

    # However an answer is lost, the run is taken up in one way: all that FLORA may then say is asked after one of them, and after each
    # other what is least.
    most = [
        (idempotency, KINDS[0], listed, fresh)
        for idempotency in IDEMPOTENCY
        for listed in (True, False)
        for fresh in (True, False)
    ]
    cells = [*most, *((idempotency, kind, False, True) for idempotency in IDEMPOTENCY for kind in KINDS[1:])]
    found = await asyncio.gather(
        *(one(idempotency, kind, listed=listed, fresh_links=fresh) for idempotency, kind, listed, fresh in cells)
    )

    assert {cell: faults for cell, faults in zip(cells, found, strict=True) if faults} == {}
