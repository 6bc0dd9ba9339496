"""FLORA's newer workspaces and projects: where assets and runs belong."""

import hashlib
from dataclasses import dataclass
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from genmedia.sandbox.accounts import Account, new_token
from genmedia.sandbox.clock import Clock
from genmedia.sandbox.flora.requests import page_of, read_object
from genmedia.sandbox.provider import Operation, Refusal


@dataclass(frozen=True)
class Project:
    """A canvas of a workspace; `made_at` in nominal Unix seconds."""

    id: str
    name: str
    workspace: str
    made_at: float


class Workspaces:
    """The workspaces of all accounts, and their projects; each begins with one.

    Args:
        clock: Tells when a project was made.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.now()
        self._projects: dict[Account, list[Project]] = {}

    def routes(self) -> tuple[Operation, ...]:
        """The four routes."""
        return (
            Operation("list_workspaces", "GET", "/api/v1/workspaces", self._list),
            Operation("list_projects", "GET", "/api/v1/projects", self._list_projects),
            Operation("create_project", "POST", "/api/v1/projects", self._create_project),
            Operation("create_project_of", "POST", "/api/v1/workspaces/{workspace_id}/projects", self._create_project),
        )

    def forget(self, account: Account) -> None:
        """Drop an account's projects."""
        self._projects.pop(account, None)

    def ids(self, account: Account) -> list[str]:
        """The account's workspaces, as many as its switch says."""
        count = cast("int", getattr(account.switches, "workspaces", 0))
        return [_id("ws", account, number) for number in range(1, count + 1)]

    def home(self, account: Account) -> tuple[str, str]:
        """The workspace and the project that the account's runs belong to; empty where there are none."""
        first = next(iter(self.projects(account)), None)
        return (first.workspace, first.id) if first else ("", "")

    def named(self, account: Account, asked: object) -> str:
        """The workspace that a request names.

        Raises:
            Refusal: It names none, or one that the account has not.
        """
        if not isinstance(asked, str) or not asked:
            raise Refusal(400, "input_validation_error", "workspace_id is required")
        if asked not in self.ids(account):
            raise Refusal(404, "not_found", f"There is no workspace {asked!r}.")
        return asked

    def projects(self, account: Account) -> list[Project]:
        """The account's projects, oldest first."""
        first = [Project(_id("prj", account, n), "Untitled", one, self._began) for n, one in enumerate(self.ids(account), 1)]
        return [*first, *self._projects.get(account, [])]

    async def _list(self, request: Request, account: Account) -> Response:  # noqa: ARG002 -- a handler's signature
        shown = [
            {"workspace_id": one, "name": f"Workspace {number}", "role": "owner", "created_at": int(self._began * 1000)}
            for number, one in enumerate(self.ids(account), 1)
        ]
        return JSONResponse({"workspaces": shown})

    async def _list_projects(self, request: Request, account: Account) -> Response:
        workspace, query = self.named(account, request.query_params.get("workspace_id")), request.query_params.get("query", "")
        found = [one for one in self.projects(account) if one.workspace == workspace and query.lower() in one.name.lower()]
        page, cursor = page_of(request, [(one.id, one) for one in found])
        return JSONResponse({"projects": [_show(one) for one in page], "meta": {"next_cursor": cursor}})

    async def _create_project(self, request: Request, account: Account) -> Response:
        body = await read_object(request)
        workspace = self.named(account, request.path_params.get("workspace_id") or body.get("workspace_id"))
        name = body.get("name")
        if not isinstance(name, str) or not name.strip():
            raise Refusal(400, "input_validation_error", "name is required")
        project = Project(f"prj_{new_token()}", name, workspace, self._clock.now())
        self._projects.setdefault(account, []).append(project)
        return JSONResponse(_show(project), 201)


def _id(prefix: str, account: Account, number: int) -> str:
    return f"{prefix}_{hashlib.sha256(f'{account.name} {number}'.encode()).hexdigest()[:24]}"


def _show(project: Project) -> dict[str, Any]:
    return {
        "project_id": project.id,
        "name": project.name,
        "workspace_id": project.workspace,
        "created_at": int(project.made_at * 1000),
        "last_modified": None,
        "origin": "api",
    }
