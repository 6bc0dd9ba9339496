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
KINDS = ("lose_answer", "late_error", "broken_json")
ROW = 2
AT_ONCE = 4


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
