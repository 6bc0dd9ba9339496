"""The runs that written steps come to, checked as a whole before the first credit is spent."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from genmedia.campaign.operations import Operation, read_step
from genmedia.campaign.sources import IN_STORE, Fed, Files, Given
from genmedia.campaign.written import EVERY, AnyStep, At, FedBy, File, FromUrl, Text
from genmedia.errors import Fault, InputError
from genmedia.origins import Origins
from genmedia.providers.flora import check_media_url
from genmedia.redaction import bare_url

_TYPES = {"image": "imageUrl", "video": "videoUrl", "model": "model", "text": "text"}


@dataclass(frozen=True)
class PlannedRun:
    """One run to buy.

    Attributes:
        name: The step's name; with a number where the step is run once for each of several outputs.
        operation: What is bought.
        inputs: Where each input comes from.
    """

    name: str
    operation: Operation
    inputs: tuple[Given | Fed, ...]

    @property
    def feeds(self) -> set[str]:
        """The runs that must be done before this one."""
        return {source.run for source in self.inputs if isinstance(source, Fed)}


def named_files(steps: Iterable[AnyStep]) -> list[str]:
    """Every file and asset that the steps name."""
    return [source.file for step in steps for _, source in read_step(step) if isinstance(source, File)]


def named_urls(steps: Iterable[AnyStep], origins: Origins) -> list[str]:
    """Every address that the steps name and that may be fetched; the plan says what is wrong with the others."""
    sources = (source for step in steps for _, source in read_step(step))
    return [source.url for source in sources if isinstance(source, FromUrl) and not check_media_url(source.url, origins)]


def plan_steps(
    steps: Sequence[AnyStep], operations: Mapping[str, Operation | Sequence[Fault]], files: Files, origins: Origins
) -> list[PlannedRun]:
    """The runs that steps come to, in an order in which each comes after those that feed it.

    Args:
        steps: As they are written.
        operations: What each step buys, by its name, as the providers describe it now; or what is wrong with it.
        files: Every file and address that the steps name, looked at.
        origins: Which addresses FLORA reads from besides the documented ones.

    Raises:
        InputError: Everything that is wrong, each with its step and input.
    """
    planner = _Planner(operations, files, origins)
    for number, step in enumerate(steps, 1):
        planner.add(f"step {number} ({step.name})", step)
    plan = [run for runs in planner.runs.values() for run in runs]
    names = Counter(run.name for run in plan)
    planner.faults += [Fault(f"run {name}", "is the name of two runs; rename a step") for name in names if names[name] > 1]
    if planner.faults:
        raise InputError(planner.faults)
    return plan


class _Planner:
    """Walks through the steps once, gathering runs and faults."""

    def __init__(self, operations: Mapping[str, Operation | Sequence[Fault]], files: Files, origins: Origins) -> None:
        self.faults: list[Fault] = []
        self.runs: dict[str, list[PlannedRun]] = {}
        self._gives: dict[str, Operation] = {}
        self._operations = operations
        self._files = files
        self._origins = origins

    def add(self, place: str, step: AnyStep) -> None:
        if step.name in self.runs:
            self.faults.append(Fault(place, "has the name of a step above it"))
            return
        self.runs[step.name] = []
        operation = self._operations[step.name]
        if not isinstance(operation, Operation):
            self.faults += [replace(fault, place=f"{place}{fault.place}") for fault in operation]
            return
        self._gives[step.name] = operation
        before = len(self.faults)
        choices = [
            (name, self._resolve(f"{place}, input {name}", name, source, operation.takes.get(name)))
            for name, source in read_step(step)
        ]
        self._check_ids(place, operation, choices)
        if len(self.faults) == before and all(sources for _, sources in choices):
            self.runs[step.name] = self._runs_of(place, step, operation, choices)

    def _check_ids(self, place: str, operation: Operation, choices: list[tuple[str, list[Given | Fed]]]) -> None:
        seen: dict[str, str] = {}
        for name, sources in choices:
            if name in seen:
                self.faults.append(Fault(f"{place}, input {name}", "is given twice"))
            # A source that could not be resolved has a fault of its own already: here it counts as being of the right type.
            seen[name] = sources[0].type if sources else ""
        self.faults += operation.check_inputs(place, seen)

    def _runs_of(
        self, place: str, step: AnyStep, operation: Operation, choices: list[tuple[str, list[Given | Fed]]]
    ) -> list[PlannedRun]:
        many = [sources for _, sources in choices if len(sources) > 1]
        if len(many) > 1 and len({len(sources) for sources in many}) > 1:
            self.faults.append(Fault(place, f"has inputs of {' and '.join(str(len(sources)) for sources in many)} outputs each"))
            return []
        count = len(many[0]) if many else 1
        return [
            PlannedRun(
                name=step.name if count == 1 else f"{step.name}-{index + 1}",
                operation=operation,
                inputs=tuple(sources[index if len(sources) > 1 else 0] for _, sources in choices),
            )
            for index in range(count)
        ]

    def _resolve(
        self, place: str, name: str, source: File | FromUrl | Text | FedBy, wanted: frozenset[str] | None
    ) -> list[Given | Fed]:
        """What an input stands for: one source, several where the step is run for each, none where there is a fault."""
        match source:
            case Text():
                return [Given(name, "text", text=source.text, source="the chain")]
            case File():
                stored = source.file.startswith(IN_STORE)
                asset = source.file.removeprefix(IN_STORE) if stored else ""
                file = None if stored else Path(source.file).absolute()
                return self._given(place, name, source.file, source.at, file=file, asset=asset)
            case FromUrl():
                wrong = check_media_url(source.url, self._origins)
                if wrong:
                    self.faults.append(Fault(place, wrong))
                    return []
                return self._given(place, name, source.url, None, url=source.url)
            case FedBy():
                return self._fed(place, name, source, wanted or frozenset())

    def _given(
        self, place: str, name: str, key: str, at: At | None, *, file: Path | None = None, asset: str = "", url: str = ""
    ) -> list[Given | Fed]:
        if key in self._files.wrong:
            self.faults.append(Fault(place, f"{key} {self._files.wrong[key]}"))
            return []
        digest, facts = self._files.found[key]
        if at is not None and facts.kind != "video":
            self.faults.append(Fault(place, f"names a picture with `at`, but {key} is no video"))
            return []
        given = Given(
            name,
            "imageUrl" if at is not None else _TYPES.get(facts.kind, facts.kind),
            sha256=digest,
            url=url,
            file=file,
            asset=asset,
            media_type=facts.media_type,
            at=at,
            duration=facts.duration,
            source=bare_url(url) if url else key,
        )
        if given.lack:
            self.faults.append(Fault(place, given.lack))
            return []
        return [given]

    def _fed(self, place: str, name: str, source: FedBy, wanted: frozenset[str]) -> list[Given | Fed]:
        if source.step not in self.runs:
            self.faults.append(Fault(place, f"uses step {source.step!r}, which is not above it"))
            return []
        operation, runs = self._gives.get(source.step), self.runs[source.step]
        if operation is None or not runs:
            return []  # the step above has faults of its own
        outputs = operation.gives
        if source.at is not None:
            wanted = frozenset({"videoUrl"})
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
        if source.at is not None and any(outputs[output] != "videoUrl" for _, output in chosen):
            self.faults.append(Fault(place, f"names a picture with `at`, but step {source.step!r} gives {offer}"))
            return []
        return [
            Fed(name, "imageUrl" if source.at is not None else outputs[output], run, output, source.at) for run, output in chosen
        ]
