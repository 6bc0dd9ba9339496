"""A pytest plugin that writes `docs/routes.md`: for every route and socket of every provider, tests of this very run that used it.

`make routes` runs it. What a test did is read from its sandbox's own request counts, so that no list has to be kept. Its folder tells the
column; for tasks it is whether the library's session was called inside a Prefect task run. A hole fails the run.
"""

import json
import os
import re
from collections import defaultdict
from collections.abc import Generator, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.context import TaskRunContext

from genmedia.providers.genova.client import GenovaClient
from genmedia.transport.session import Session
from tests.sandboxes import Sandbox, running_sandbox

PAGE = Path(__file__).parents[1] / "docs" / "routes.md"
COLUMNS = {"sandbox": "sandbox", "client": "client", "tasks": "task", "end_to_end": "flow or command"}
"""By the folder that a test stands in; each folder that is not named is a room of the library."""
HEAD = """# Routes and sockets, and the tests that use them

Written by `make routes` from the run of the tests it names: each of them passed, and its sandbox counted a request to the route that was
answered with success. An empty cell: no test did.

| provider | route | sandbox | client | task | flow or command |
| --- | --- | --- | --- | --- | --- |
"""

NOT_OURS = {
    ("flora", "POST /api/v1/assets/{asset_id}/retry"): (("client", "task", "flow or command"), "an upload is begun anew instead"),
    ("flora", "GET /api/v1/assets"): (("client", "task", "flow or command"), "an asset is asked for by its id"),
    **{
        ("flora", route): (("client", "task", "flow or command"), "runs need no project")
        for route in ("GET /api/v1/projects", "POST /api/v1/projects", "POST /api/v1/workspaces/{workspace_id}/projects")
    },
    ("genova", "PATCH /api/user/me"): (("client", "task", "flow or command"), "PUT is used; the document names no method"),
    ("genova", "WS /ws/extension"): (("task", "flow or command"), "for workers, not for buyers"),
    ("generio", "GET /flows/{flow_id}/output/{asset_id}"): (("client", "task", "flow or command"), "the plural is used"),
}
"""Routes that the sandbox serves and a buyer has no use for: in which columns, and why."""

LOG = "GENMEDIA_ROUTES_LOG"
_seen: dict[str, dict[tuple[str, str], int]] = {}
_in_tasks: set[tuple[str, str]] = set()
"""Provider, and `METHOD /path`."""


def pytest_configure(config: pytest.Config) -> None:
    """Each worker notes what its tests used in the controller's file."""
    if not hasattr(config, "workerinput"):
        log = Path(config.rootpath) / ".genmedia" / "routes.jsonl"
        log.parent.mkdir(exist_ok=True)
        log.unlink(missing_ok=True)
        os.environ[LOG] = str(log)
    call, fetch, listen = Session.call, Session.fetch, GenovaClient.listen

    def note(provider: str, what: str) -> None:
        if TaskRunContext.get():
            _in_tasks.add((provider, what))

    async def calling(self: Session, method: str, path: str, **more: Any) -> Any:
        note(self.provider, f"{method} {path}")
        return await call(self, method, path, **more)

    async def fetching(self: Session, url: str, *rest: Any, **more: Any) -> Any:
        with suppress(httpx.InvalidURL, ValueError):  # tests with hostile links have some that are no address
            note(self.provider, f"GET {httpx.URL(url).path.removeprefix(f'/{self.provider}')}")
        return await fetch(self, url, *rest, **more)

    def listening(self: GenovaClient) -> None:
        note("genova", "WS /ws/user")
        listen(self)

    Session.call, Session.fetch, GenovaClient.listen = calling, fetching, listening


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Note the routes that a test used, if it passes."""
    _in_tasks.clear()
    result = yield  # what fails raises here, and is not noted
    values = getattr(item, "funcargs", {}).values()
    room = Path(item.nodeid).parts[1]
    with Path(os.environ[LOG]).open("a", encoding="utf-8") as log:
        for provider, route in {use for sandbox in _sandboxes(values) for use in _used(sandbox)}:
            column = COLUMNS.get(room, "client")
            if column and not item.nodeid.split("::")[0].endswith("_tasks.py"):
                log.write(json.dumps((column, provider, route, item.nodeid)) + "\n")
            if any(caller == provider and _is(route, what) for caller, what in _in_tasks):
                log.write(json.dumps(("task", provider, route, item.nodeid)) + "\n")
    return result


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the page from the tests that passed; an empty cell fails the run."""
    if hasattr(session.config, "workerinput"):
        return
    tests: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for line in Path(os.environ[LOG]).read_text(encoding="utf-8").splitlines():
        column, provider, route, test = json.loads(line)
        tests[column, provider, route].append(test)
    with running_sandbox() as sandbox:
        routes: dict[str, list[str]] = sandbox.http.get(f"{sandbox.url}/sandbox").json()["routes"]
    columns = list(dict.fromkeys(COLUMNS.values()))
    rows, holes = list[str](), list[str]()
    for provider, names in sorted(routes.items()):
        for route in names:
            exempt, why = NOT_OURS.get((provider, route), ((), ""))
            cells = [_best(tests[column, provider, route]) or (why if column in exempt else "") for column in columns]
            holes += [f"{provider} {route}: {column}" for column, cell in zip(columns, cells, strict=True) if not cell]
            rows.append(f"| {provider} | `{route}` | {' | '.join(cells)} |")
    PAGE.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    if holes:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        session.config.get_terminal_writer().line("\nno test for\n  " + "\n  ".join(holes))


def _sandboxes(values: Iterable[Any]) -> list[Sandbox]:
    found = {id(one): one for value in values for one in (value, getattr(value, "sandbox", None)) if isinstance(one, Sandbox)}
    return list(found.values())


def _used(sandbox: Sandbox) -> set[tuple[str, str]]:
    """The routes with more successful requests than when this was asked before."""
    now: dict[tuple[str, str], int] = defaultdict(int)
    with suppress(httpx.HTTPError):
        for line in sandbox.requests():
            if 100 < line["status"] < 400:
                now[line["provider"], f"{line['method']} {line['route']}"] += line["count"]
    before = _seen.get(sandbox.url, {})
    if any(now[use] < count for use, count in before.items()):
        before = {}  # it was reset
    _seen[sandbox.url] = now
    return {use for use, count in now.items() if count > before.get(use, 0)}


def _is(route: str, what: str) -> bool:
    return re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route)), what) is not None


def _best(tests: list[str]) -> str:
    """The test with the shortest name, most likely the one about this."""
    if not tests:
        return ""
    file, _, name = min((test.removeprefix("tests/") for test in set(tests)), key=lambda test: (len(test), test)).partition("::")
    return f"`{file}` {name.rpartition('::')[2].partition('[')[0]}"
