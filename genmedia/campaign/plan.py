"""The plan: steps to buy, made of written steps and checked as a whole before the first credit is spent."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from genmedia.campaign.steps import AnyStep
from genmedia.errors import Fault, InputError
from genmedia.media.conversion import conversion
from genmedia.providers.inputs import Input, PendingInput, ResolvedInput
from genmedia.providers.registry import kind_of
from genmedia.providers.sources import EVERY, Address, At, FedBy, File, Source, Text, Unreadable
from genmedia.providers.steps import Operation, PlannedStep
from genmedia.store import Store
from genmedia.store.named_files import Files
from genmedia.transport.origins import Origins, why_no_address


def named_files(steps: Iterable[AnyStep], origins: Mapping[str, Origins]) -> list[str]:
    """List every file that the steps name, in any way, without invalid addresses: the plan reports those.

    Args:
        steps: Steps as they are written.
        origins: Rules for the addresses of files, by provider.
    """
    found: list[str] = []
    for step in steps:
        kind = kind_of(step)
        for _, source in kind.sources(step):
            if isinstance(source, File):
                found.append(source.file)
            elif (
                isinstance(source, Address) and (listed := origins.get(kind.provider)) and not why_no_address(source.url, listed)
            ):
                found.append(source.url)
    return found


def plan_steps(
    steps: Sequence[AnyStep | Unreadable],
    operations: Mapping[str, Operation | Sequence[Fault]],
    files: Files,
    origins: Mapping[str, Origins],
    faults: Sequence[Fault] = (),
    where: Mapping[str, str] = MappingProxyType({}),
) -> list[PlannedStep]:
    """Turn steps into runs, in an order in which each comes after those that feed it.

    Args:
        steps: Steps as they are written.
        operations: Operation that each step buys, by its name, as the providers describe it now; or the faults of the step.
        files: Facts about every file that the steps name.
        origins: Rules for the addresses of files, by provider.
        faults: Other faults, to be reported with those of the plan.
        where: Place of a step for its faults, by its name; its number and name where there is none.

    Raises:
        InputError: Everything that is wrong, each with its step and input.
    """
    planner = _Planner(operations, files, origins)
    planner.faults += faults
    for number, step in enumerate(steps, 1):
        planner.add(where.get(step.name) or (f"step {number} ({step.name})" if step.name else f"step {number}"), step)
    plan = [run for runs in planner.runs.values() for run in runs]
    names = Counter(run.name for run in plan)
    planner.faults += [Fault(f"run {name}", "is the name of two runs; rename a step") for name in names if names[name] > 1]
    if planner.faults:
        raise InputError(planner.faults)
    if all(run.take == 1 for run in plan):
        return plan
    same = [repr((run.operation, run.inputs)) for run in plan]
    last: dict[str, int] = {}
    for run, what in zip(plan, same, strict=True):
        last[what] = max(run.take, last.get(what, 1))
    return [replace(run, takes=last[what]) for run, what in zip(plan, same, strict=True)]


class _Planner:
    """Walks through the steps once, gathering runs and faults."""

    def __init__(
        self, operations: Mapping[str, Operation | Sequence[Fault]], files: Files, origins: Mapping[str, Origins]
    ) -> None:
        self.faults: list[Fault] = []
        self.runs: dict[str, list[PlannedStep]] = {}
        self._gives: dict[str, Operation] = {}
        self._operations = operations
        self._files = files
        self._origins = origins

    def add(self, place: str, step: AnyStep | Unreadable) -> None:
        if isinstance(step, Unreadable):
            self.faults += [replace(fault, place=", ".join(filter(None, (place, fault.place)))) for fault in step.faults]
            self.runs.setdefault(step.name, [])
            return
        if step.name in self.runs:
            self.faults.append(Fault(place, "has the name of an earlier step"))
            return
        self.runs[step.name] = []
        operation = self._operations[step.name]
        if not isinstance(operation, Operation):
            self.faults += [replace(fault, place=f"{place}{fault.place}") for fault in operation]
            return
        self._gives[step.name] = operation
        before = len(self.faults)
        choices = [
            (name, self._resolve(f"{place}, input {name}", name, source, operation))
            for name, source in kind_of(step).sources(step)
        ]
        self._check_ids(place, operation, choices)
        if len(self.faults) == before and all(sources for _, sources in choices):
            self.runs[step.name] = self._runs_of(place, step, operation, choices)

    def _check_ids(self, place: str, operation: Operation, choices: list[tuple[str, list[Input]]]) -> None:
        seen: dict[str, str] = {}
        for name, sources in choices:
            if name in seen:
                self.faults.append(Fault(f"{place}, input {name}", "is given twice"))
            # A source that could not be resolved has a fault of its own already: here it counts as being of the right type.
            seen[name] = sources[0].type if sources else ""
        self.faults += operation.check_inputs(place, seen)

    def _runs_of(
        self, place: str, step: AnyStep, operation: Operation, choices: list[tuple[str, list[Input]]]
    ) -> list[PlannedStep]:
        if operation.gathers:
            gathered = [replace(one, id=f"{name}.{number}") for name, some in choices for number, one in enumerate(some, 1)]
            return [PlannedStep(name=step.name, operation=operation, inputs=tuple(gathered), take=step.take)]
        many = [sources for _, sources in choices if len(sources) > 1]
        if len(many) > 1 and len({len(sources) for sources in many}) > 1:
            self.faults.append(Fault(place, f"has inputs of {' and '.join(str(len(sources)) for sources in many)} outputs each"))
            return []
        count = len(many[0]) if many else 1
        return [
            PlannedStep(
                name=step.name if count == 1 else f"{step.name}-{index + 1}",
                operation=operation,
                inputs=tuple(sources[index if len(sources) > 1 else 0] for _, sources in choices),
                take=step.take,
            )
            for index in range(count)
        ]

    def _resolve(self, place: str, name: str, source: Source, operation: Operation) -> list[Input]:
        """Resolve an input: to one source, to several if the step is run for each, to none if there is a fault."""
        match source:
            case Text():
                return [ResolvedInput(name, "text", text=source.text, source="the chain")]
            case File():
                return self._given(place, name, source.file, source.at, operation)
            case Address():
                if wrong := why_no_address(source.url, self._origins[operation.provider]):
                    self.faults.append(Fault(place, wrong))
                    return []
                return self._given(place, name, source.url, None, operation)
            case FedBy():
                return self._fed(place, name, source, operation.takes.get(name, frozenset()))

    def _given(self, place: str, name: str, key: str, at: At | None, operation: Operation) -> list[Input]:
        if key in self._files.wrong:
            self.faults.append(Fault(place, f"{key} {self._files.wrong[key]}"))
            return []
        one = self._files.found[key]
        facts = one.facts
        if at is not None and facts.kind != "video":
            self.faults.append(Fault(place, f"names a picture with `at`, but {key} is no video"))
            return []
        # The provider reads a file at its own address if the file needs no upload and no conversion.
        listed = self._origins.get(operation.provider)
        reads = bool(one.url) and at is None and listed is not None and operation.kind.reads(one.url, listed)
        url = one.url if reads and not conversion(facts.media_type, facts.mode or "", operation.media_types) else ""
        given = ResolvedInput(
            name,
            "image" if at is not None else facts.kind,
            sha256=one.sha256,
            url=url,
            file=None if url or one.asset else one.path,
            asset=one.asset,
            media_type=facts.media_type,
            mode=facts.mode or "",
            at=at,
            duration=facts.duration,
            ratio=facts.width / facts.height if facts.width and facts.height else None,
            source=one.origin if one.url or one.asset else key,
        )
        if given.lack:
            self.faults.append(Fault(place, given.lack))
            return []
        return [given]

    def _fed(self, place: str, name: str, source: FedBy, wanted: frozenset[str]) -> list[Input]:
        if source.step not in self.runs:
            self.faults.append(Fault(place, f"uses step {source.step!r}, which is no earlier step"))
            return []
        operation, runs = self._gives.get(source.step), self.runs[source.step]
        if operation is None or not runs:
            return []  # the step above has faults of its own
        outputs = operation.gives
        if source.at is not None:
            wanted = frozenset({"video"})
        fitting = [output for output, type_ in outputs.items() if type_ in wanted] or list(outputs)
        offer = ", ".join(f"{output} ({type_})" for output, type_ in outputs.items()) or "nothing"
        if source.output == EVERY and outputs:
            chosen = [(run.name, output) for run in runs for output in fitting]
        elif len(runs) > 1:
            self.faults.append(Fault(place, f"uses step {source.step!r}, which is {len(runs)} runs; say output: '{EVERY}'"))
            return []
        else:
            output = source.output or (fitting[0] if len(fitting) == 1 else "")
            if output not in outputs:
                asked = f"asks for output {source.output!r}" if source.output else "does not say which output"
                self.faults.append(Fault(place, f"{asked} of step {source.step!r}; it gives {offer}"))
                return []
            chosen = [(runs[0].name, output)]
        if source.at is not None and any(outputs[output] != "video" for _, output in chosen):
            self.faults.append(Fault(place, f"names a picture with `at`, but step {source.step!r} gives {offer}"))
            return []
        return [
            PendingInput(name, "image" if source.at is not None else outputs[output], run, output, source.at)
            for run, output in chosen
        ]


def gathering_all(plan: Sequence[PlannedStep], gathers: Mapping[str, Mapping[str, str]]) -> list[PlannedStep]:
    """Return the plan with its inputs marked that are taken as one of all; see `genmedia.providers.drafts.Draft.gathers`."""

    def marked(run: PlannedStep) -> PlannedStep:
        of = gathers[run.name]
        inputs = (replace(one, one_of=of.get(one.run, "")) if isinstance(one, PendingInput) else one for one in run.inputs)
        return replace(run, inputs=tuple(inputs), others=tuple(map(marked, run.others)))

    return [marked(run) if run.name in gathers else run for run in plan]


async def explain(plan: Sequence[PlannedStep], clients: Mapping[str, Any], store: Store) -> list[str]:
    """Return a sentence for each input of a plan on how it will get to the provider.

    Args:
        plan: The planned steps.
        clients: Clients of the accounts that pay, by provider.
        store: Store of the assets.
    """
    by_name = {step.name: step for step in plan}
    told: list[str] = []
    for step in plan:
        operation = step.operation
        for source in step.inputs:
            feeder = by_name[source.run].operation if isinstance(source, PendingInput) else None
            how = (
                "as text"
                if source.type == "text"
                else await operation.kind.explain(clients.get(step.operation.provider), store, operation, source, feeder)
            )
            told.append(f"{step.name}, {source.id}: {how}")
    return told
