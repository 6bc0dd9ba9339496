"""The receiver of providers' webhooks: a genuine delivery has the process that watches an account look at one job at once.

A delivery is a hint. Nothing in it is written down but that its job is worth a look, and that only once for each job: a delivery that comes
twice, or is replayed, changes nothing, also after the receiver was started anew. What became of the job, the look tells.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from time import time

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from genmedia.concurrency import every
from genmedia.errors import JournalError
from genmedia.jobs.job import account_name
from genmedia.journal import Journal
from genmedia.providers.webhooks import Webhook

BODY_BYTES = 64 * 1024
"""Largest body that is read, in bytes; a delivery has a few hundred."""

BODY_SECONDS = 5.0
"""Longest time in which a body must come, in seconds."""

log = logging.getLogger(__name__)


AT_ONCE = 50
"""Most requests that are answered at once; others get a 503, after which a provider sends again."""

_BUSY = PlainTextResponse("too much is told at once\n", status_code=503)


class Receiver:
    """A web application that takes deliveries at `/PROVIDER`; at `/` it answers that it is there.

    Args:
        webhooks: The webhooks of all accounts.
        journals: The journals that may know the jobs.
    """

    def __init__(self, webhooks: Iterable[Webhook], journals: Sequence[Journal]) -> None:
        self._webhooks: defaultdict[str, list[Webhook]] = defaultdict(list)
        for one in webhooks:
            self._webhooks[one.account.provider].append(one)
        self._journals = journals
        self._answering = 0
        self._app = Starlette(
            routes=[Route("/", self._greet, methods=["GET"]), Route("/{provider}", self._take, methods=["POST"])],
            exception_handlers={HTTPException: _refuse},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        self._answering += 1
        try:
            await (self._app if self._answering <= AT_ONCE else _BUSY)(scope, receive, send)
        finally:
            self._answering -= 1

    async def _greet(self, _: Request) -> Response:
        return PlainTextResponse("genmedia webhooks\n")

    async def _take(self, request: Request) -> Response:
        webhooks = self._webhooks.get(request.path_params["provider"])
        if not webhooks:
            raise HTTPException(404, "no account here has webhooks there")
        body = await _read(request)
        genuine = [one for one in webhooks if one.is_genuine(request.headers, body, time())]
        if not genuine:
            raise HTTPException(401, "its signature is missing, wrong or not of now")
        try:
            job = genuine[0].ended_job(body)
        except ValueError:
            raise HTTPException(400, "it cannot be read") from None
        if job:
            if not self._journals:
                raise HTTPException(503, "no journal could be opened that would know the job")
            accounts = {str(one.account) for one in genuine}
            log.info("%s told that job %s has ended.", ", ".join(map(account_name, sorted(accounts))), job)
            try:
                await every(journal.hint(accounts, job) for journal in self._journals)
            except JournalError as error:
                log.warning("%s", error)
                raise HTTPException(503, "it cannot be written down now") from None
        return Response(status_code=204)


async def _read(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > BODY_BYTES:
                    raise HTTPException(413, f"it has more than {BODY_BYTES} bytes")
    except (TimeoutError, ClientDisconnect):
        raise HTTPException(408, "its body did not come") from None
    return bytes(body)


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    log.warning("A delivery was refused with %d: %s.", error.status_code, error.detail)
    return PlainTextResponse(f"Refused: {error.detail}.\n", error.status_code, error.headers)
