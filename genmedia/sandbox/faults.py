"""Scripted misfortune: which request, job or download goes wrong, how, and how often."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from genmedia.sandbox.accounts import Account

Level = Literal["request", "job", "media", "socket", "delivery"]

DOWNLOAD = "download"
"""The operation name of a GET at the media origin."""

# What each kind happens to, and the arguments it takes.
KINDS: dict[str, tuple[tuple[Level, ...], tuple[str, ...]]] = {
    "lose_answer": (("request",), ()),
    "reset": (("request",), ()),
    "rate_limit": (("request",), ("retry_after",)),
    "server_error": (("request",), ("status",)),
    "late_error": (("request",), ("status",)),
    "slow": (("request", "media"), ("seconds",)),
    "endless_body": (("request",), ()),
    "broken_json": (("request",), ()),
    "html_error": (("request",), ()),
    "unknown_status": (("request",), ()),
    "extra_fields": (("request",), ()),
    "empty_id": (("request",), ()),
    "redirect": (("request", "media"), ("location",)),
    "nulls": (("request",), ()),
    "bad_links": (("request",), ("location",)),
    "nul": (("request",), ()),
    "odd_header": (("request",), ("header", "value")),
    "nested_gzip": (("request", "media"), ("layers", "zeros")),
    "no_amount": (("request",), ("says",)),
    "reprice": (("request",), ("factor",)),
    "settings_as_string": (("request",), ()),
    "result_urls_as_string": (("request",), ()),
    "d1_error": (("request",), ()),
    "same_output_ids": (("request",), ()),
    "fail": (("job",), ("error_code", "message")),
    "capture_failure": (("job",), ("error_code", "message")),
    "refused": (("request", "job"), ("at", "error_code", "message")),
    "wrong_picture": (("job",), ()),
    "vanish": (("job",), ("at",)),
    "stuck": (("job",), ()),
    "no_outputs": (("job",), ()),
    "overcharge": (("job",), ("factor",)),
    "truncated": (("media",), ()),
    "cut_short": (("media",), ()),
    "wrong_bytes": (("media",), ()),
    "endless": (("media",), ()),
    "expired": (("media",), ()),
    "wrong_type": (("media",), ()),
    "silent_socket": (("socket",), ()),
    "drop_socket": (("socket",), ()),
    "out_of_order": (("socket",), ()),
    "duplicate_events": (("socket",), ()),
    "late_delivery": (("delivery",), ("seconds",)),
    "duplicate_delivery": (("delivery",), ()),
    "forged_delivery": (("delivery",), ()),
    "lost_delivery": (("delivery",), ()),
}
CAPTURE_FAILURE = "Generation completed but failed to capture result from page."

_COMMON = {"provider", "account", "kind", "route", "times", "after"}


class FaultOrder(BaseModel):
    """One fault to come, as the control plane takes it.

    Attributes:
        provider: Whose requests it waits for.
        account: Only this account's; None: any caller's, known or not.
        kind: One of `KINDS`.
        route: An operation's name (the control plane also takes `METHOD /path/template` as in the request counts); None: any. `slow`,
            `redirect` and `nested_gzip` happen to a download only when the route is `download`.
        times: How often it happens; None: until it is removed.
        after: How many matching requests, jobs, socket events or webhooks pass unharmed first.
        retry_after: `rate_limit`: nominal seconds in the `retry-after` header; None: no such header.
        status: `server_error`, and `late_error`, which comes once the work is done: the status of the answer.
        seconds: `slow`: real seconds between the work and the answer. `late_delivery`: real seconds by which the signature of a webhook is
            older than its arrival; 600 unless they are given.
        location: `redirect`: where the 302 points. `bad_links`: what stands in the answer for the address of each file,
            with JSON's escapes.
        header: `odd_header`: which header of the answer, whatever the answer is, has the `value`.
        value: See `header`.
        layers: `nested_gzip`: how many times the body is compressed, though nobody asked for it.
        zeros: `nested_gzip`: how many bytes of nothing come after what the answer holds.
        error_code: `fail`, `refused`: the code on the failed job, or in the answer; of `refused` the provider's own, unless it is given.
        message: `fail`, `refused`: the message there; as above.
        at: `vanish`: whether the job is gone from the start, or at the end of its run; `refused`: whether the content is refused when it is
            bought, or as the end of the job. A purchase is refused, no other call, unless the route names one.
        says: `no_amount`: what stands in the answer for each price, charge, balance and progress.
        factor: `reprice`: by how much dearer everything is for the account, from the moment that the request comes in. `overcharge`: how
            many times its price the job takes when it ends, however it ends.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str
    account: str | None = None
    kind: str
    route: str | None = None
    times: PositiveInt | None = 1
    after: NonNegativeInt = 0
    retry_after: NonNegativeFloat | None = None
    status: Literal[500, 502, 503] = 500
    seconds: float = Field(default=1.0, gt=0, le=600)
    location: str | None = None
    header: str = "date"
    value: str = ""
    layers: int = Field(default=2, ge=1, le=5)
    zeros: int = Field(default=0, ge=0, le=2**31)
    error_code: str = "internal_error"
    message: str = "The model failed."
    at: Literal["creation", "end"] = "creation"
    says: Literal["nan", "infinite", "negative", "text"] = "nan"
    factor: float = Field(default=400.0, ge=0, le=10**6)

    @model_validator(mode="before")
    @classmethod
    def _some_kinds_have_their_own_defaults(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        given = cast("dict[str, Any]", values)
        if given.get("kind") == "capture_failure":
            return {"message": CAPTURE_FAILURE, **given}
        if given.get("kind") == "late_delivery":
            return {"seconds": 600.0, **given}
        return given

    @model_validator(mode="after")
    def _arguments_belong_to_the_kind(self) -> Self:
        if self.kind not in KINDS:
            message = f"kind: {self.kind!r} is not one of {', '.join(KINDS)}"
            raise ValueError(message)
        taken = KINDS[self.kind][1]
        strangers = self.model_fields_set - _COMMON - set(taken)
        if strangers:
            message = f"{', '.join(sorted(strangers))}: not an argument of {self.kind}"
            raise ValueError(message)
        if self.kind in ("redirect", "bad_links") and not self.location:
            message = f"location: {self.kind} needs it"
            raise ValueError(message)
        return self

    @property
    def level(self) -> Level:
        """What it happens to: a request of the API, a job, a download, an event on a WebSocket, or a webhook."""
        levels = KINDS[self.kind][0]
        if "job" in levels and "request" in levels:
            return "request" if self.at == "creation" else "job"
        return "media" if "media" in levels and (len(levels) == 1 or self.route == DOWNLOAD) else levels[0]


@dataclass
class Fault:
    """A fault in waiting, with how many matching requests it saw and how often it happened."""

    id: str
    order: FaultOrder
    seen: int = 0
    fired: int = 0


class Faults:
    """Holds the scripted faults and says which one the present moment gets."""

    def __init__(self) -> None:
        self._faults: dict[str, Fault] = {}
        self._numbers = count(1)

    def add(self, order: FaultOrder) -> str:
        """Script a fault and return its id."""
        fault = Fault(f"fault-{next(self._numbers)}", order)
        self._faults[fault.id] = fault
        return fault.id

    def __iter__(self) -> Iterator[Fault]:
        return iter(list(self._faults.values()))

    def remove(self, provider: str | None = None, account: str | None = None) -> None:
        """Remove the faults of a provider or account, or all of them."""
        for fault in self:
            if provider in {None, fault.order.provider} and account in {None, fault.order.account}:
                del self._faults[fault.id]

    def take(
        self,
        level: Level,
        provider: str,
        account: Account | None,
        operation: str,
        applies: Callable[[FaultOrder], bool] = lambda _: True,
    ) -> FaultOrder | None:
        """The fault that happens now, if any: the oldest one that matches and is due.

        Args:
            level: What is happening: a request, a job, a download, an event on a WebSocket or a webhook.
            provider: Where.
            account: Who is calling, as far as known.
            operation: The operation's name.
            applies: A further condition on the kind of fault.
        """
        taken: FaultOrder | None = None
        for fault in self._faults.values():
            order = fault.order
            if (
                order.level != level
                or order.provider != provider
                or (order.account is not None and (account is None or order.account != account.name))
                or (order.route is not None and order.route != operation)
                or not applies(order)
            ):
                continue
            fault.seen += 1
            if taken is None and fault.seen > order.after and (order.times is None or fault.fired < order.times):
                fault.fired += 1
                taken = order
        return taken

    def report(self) -> list[dict[str, Any]]:
        """Every fault with how often it was seen and happened."""
        return [
            {"id": fault.id, **fault.order.model_dump(include=_COMMON | set(KINDS[fault.order.kind][1])), "seen": fault.seen}
            | {"fired": fault.fired}
            for fault in self
        ]
