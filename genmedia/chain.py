"""Technique chains: what a person writes down, and the runs it comes to, checked as a whole before the first credit is spent."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from genmedia.errors import BudgetError, DownloadError, Fault, InputError, MediaError, NotFoundError
from genmedia.http import Session
from genmedia.keys import hash_file
from genmedia.media import Candidate, MediaFacts, inspect_files
from genmedia.origins import Origins
from genmedia.providers.flora import Technique, check_inputs, check_media_url
from genmedia.redaction import bare_url
from genmedia.store import Store

EVERY = "*"
"""Stands for every output of a step: the step that names it is run once for each."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]


class _Written(BaseModel):
    """What a person writes: a misspelt field is a fault, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FromFile(_Written):
    """A picture or video on this machine."""

    id: str = Field(description="The technique's name for this input, such as input_image.")
    file: str = Field(description="Path of a picture or video, from the project's folder.")


class FromUrl(_Written):
    """A picture or video at an address that FLORA reads from."""

    id: str = Field(description="The technique's name for this input, such as input_image.")
    url: str = Field(description="https address on FLORA's media host, Google Cloud Storage, Amazon S3 or ImageKit.")


class FromText(_Written):
    """A text, as it is."""

    id: str = Field(description="The technique's name for this input, such as prompt.")
    text: str = Field(description="The text itself.", min_length=1)


class FromStep(_Written):
    """What an earlier step gives."""

    id: str = Field(description="The technique's name for this input, such as input_image.")
    step: Name = Field(description="Name of an earlier step.")
    output: str = Field(
        default="", description="Which of its outputs; may stay empty when there is one; * runs this step once for each output."
    )


ChainInput = FromFile | FromUrl | FromText | FromStep


class Step(_Written):
    """One technique and where its inputs come from."""

    name: Name = Field(description="A name for this step, used in later steps and in file names.")
    technique: Name = Field(description="The technique's slug, as in app.flora.ai/techniques/SLUG.")
    inputs: list[ChainInput] = Field(description="One entry for each input of the technique.")


class Chain(_Written):
    """Techniques in order, each fed by files, texts and the outputs of steps before it."""

    name: Name = Field(description="A name for the whole, used in folder names and tags.")
    steps: list[Step] = Field(min_length=1, description="In order: a step may use the outputs of those above it.")


@dataclass(frozen=True)
class Given:
    """An input that is at hand.

    Attributes:
        type: `imageUrl`, `videoUrl` or `text`.
        text: The text itself.
        sha256: The hash of the file's bytes.
        url: Where the file can be read, if it still can; tried first, because it costs no transfer.
        file: The file on this machine; put up when there is no address, or it is gone or not one the provider reads from.
        source: Where it comes from, for people: a path, an address, a step and its output.
    """

    id: str
    type: str
    text: str = ""
    sha256: str = ""
    url: str = ""
    file: Path | None = None
    source: str = ""

    def about(self) -> dict[str, str]:
        """What a sidecar says of it."""
        known = {"id": self.id, "text": self.text, "sha256": self.sha256, "from": self.source}
        return {name: value for name, value in known.items() if value}


@dataclass(frozen=True)
class Fed:
    """An input that is an output of another run of the plan."""

    id: str
    type: str
    run: str
    output: str


@dataclass(frozen=True)
class PlannedRun:
    """One run to buy.

    Attributes:
        name: The step's name; with a number where the step is run once for each of several outputs.
        slug: The technique.
        price: What it costs, in credits.
        inputs: Where each input comes from.
    """

    name: str
    slug: str
    price: float
    inputs: tuple[Given | Fed, ...]

    @property
    def feeds(self) -> set[str]:
        """The runs that must be done before this one."""
        return {source.run for source in self.inputs if isinstance(source, Fed)}


@dataclass(frozen=True)
class Files:
    """Files and addresses named by a chain, looked at: hash and facts, or what is wrong, by the name the chain uses."""

    found: Mapping[str, tuple[str, MediaFacts]] = field(default_factory=dict[str, tuple[str, MediaFacts]])
    wrong: Mapping[str, str] = field(default_factory=dict[str, str])


async def look_at_files(chain: Chain, http: Session, store: Store) -> Files:
    """Hash and inspect every file and address that a chain names; files behind addresses are fetched for that, and not kept."""
    sources = [source for step in chain.steps for source in step.inputs]
    paths = {source.file: Path(source.file) for source in sources if isinstance(source, FromFile)}
    wrong: dict[str, str] = {}
    with ExitStack() as stack:
        for url in {source.url for source in sources if isinstance(source, FromUrl)}:
            if check_media_url(url, http.origins):
                continue  # the plan says what is wrong with it
            paths[url] = stack.enter_context(store.incoming()).path
            try:
                with paths[url].open("wb") as sink:
                    await http.fetch(url, sink, max_bytes=store.max_bytes)
            except DownloadError as error:
                wrong[url] = f"cannot be fetched: {error.what}"
        looked_at = await _look_at_files(paths)
    return Files(looked_at.found, {**looked_at.wrong, **wrong})


async def _look_at_files(paths: Mapping[str, Path]) -> Files:
    there = {name: path for name, path in paths.items() if path.is_file()}
    verdicts = await inspect_files([Candidate(path) for path in there.values()]) if there else []
    wrong = {name: "is not there" for name in paths if name not in there}
    found: dict[str, tuple[str, MediaFacts]] = {}
    for (name, path), verdict in zip(there.items(), verdicts, strict=True):
        if isinstance(verdict, MediaError):
            wrong[name] = f"cannot be used: {verdict.what}"
        else:
            found[name] = (hash_file(path), verdict)
    return Files(found, wrong)


def plan_chain(
    chain: Chain, techniques: Mapping[str, Technique | NotFoundError], files: Files, origins: Origins
) -> list[PlannedRun]:
    """The runs a chain comes to, in an order in which each comes after those that feed it.

    Args:
        chain: The chain.
        techniques: What each technique of the chain takes and gives, as FLORA says now; an error for those it does not know.
        files: Every file and address that the chain names, looked at.
        origins: Which addresses FLORA reads from besides the documented ones.

    Raises:
        InputError: Everything that is wrong, each with its step and input.
    """
    planner = _Planner(techniques, files, origins)
    for number, step in enumerate(chain.steps, 1):
        planner.add(f"step {number} ({step.name})", step)
    plan = [run for runs in planner.runs.values() for run in runs]
    names = Counter(run.name for run in plan)
    planner.faults += [Fault(f"run {name}", "is the name of two runs; rename a step") for name in names if names[name] > 1]
    if planner.faults:
        raise InputError(planner.faults)
    return plan


def check_budget(runs: Sequence[PlannedRun], max_credits: float | None) -> float:
    """What the runs cost together, in credits.

    Raises:
        BudgetError: It is more than `max_credits`.
    """
    total = sum(run.price for run in runs)
    if max_credits is not None and total > max_credits:
        shares = ", ".join(f"{run.name} {run.price:g}" for run in runs)
        raise BudgetError(f"the chain would cost {total:g} credits, more than the {max_credits:g} allowed", advice=f"{shares}.")
    return total


class _Planner:
    """Walks through the steps once, gathering runs and faults."""

    def __init__(self, techniques: Mapping[str, Technique | NotFoundError], files: Files, origins: Origins) -> None:
        self.faults: list[Fault] = []
        self.runs: dict[str, list[PlannedRun]] = {}
        self._gives: dict[str, Technique] = {}
        self._techniques = techniques
        self._files = files
        self._origins = origins

    def add(self, place: str, step: Step) -> None:
        if step.name in self.runs:
            self.faults.append(Fault(place, "has the name of a step above it"))
            return
        self.runs[step.name] = []
        technique = self._techniques[step.technique]
        if isinstance(technique, NotFoundError):
            self.faults.append(Fault(place, f"names the technique {step.technique!r}, which FLORA does not know"))
            return
        self._gives[step.name] = technique
        before = len(self.faults)
        takes = {one.id: one.type for one in technique.inputs}
        choices = [
            (source.id, self._resolve(f"{place}, input {source.id}", source, takes.get(source.id, ""))) for source in step.inputs
        ]
        self._check_ids(place, technique, choices)
        if len(self.faults) == before:
            self.runs[step.name] = self._runs_of(place, step, technique, choices)

    def _check_ids(self, place: str, technique: Technique, choices: list[tuple[str, list[Given | Fed]]]) -> None:
        seen: dict[str, str] = {}
        for name, sources in choices:
            if name in seen:
                self.faults.append(Fault(f"{place}, input {name}", "is given twice"))
            # A source that could not be resolved has a fault of its own already: here it counts as being of the right type.
            expected = next((one.type for one in technique.inputs if one.id == name), "text")
            seen[name] = sources[0].type if sources else expected
        self.faults += check_inputs(place, technique, seen)

    def _runs_of(
        self, place: str, step: Step, technique: Technique, choices: list[tuple[str, list[Given | Fed]]]
    ) -> list[PlannedRun]:
        many = [sources for _, sources in choices if len(sources) > 1]
        if len(many) > 1 and len({len(sources) for sources in many}) > 1:
            self.faults.append(Fault(place, f"has inputs of {' and '.join(str(len(sources)) for sources in many)} outputs each"))
            return []
        count = len(many[0]) if many else 1
        return [
            PlannedRun(
                name=step.name if count == 1 else f"{step.name}-{index + 1}",
                slug=step.technique,
                price=technique.run_cost,
                inputs=tuple(sources[index if len(sources) > 1 else 0] for _, sources in choices),
            )
            for index in range(count)
        ]

    def _resolve(self, place: str, source: ChainInput, wanted: str) -> list[Given | Fed]:
        """What an input stands for: one source, several where the step is run for each, none where there is a fault."""
        match source:
            case FromText():
                return [Given(source.id, "text", text=source.text, source="the chain")]
            case FromFile():
                return self._given(place, source.id, source.file, file=Path(source.file).absolute())
            case FromUrl():
                wrong = check_media_url(source.url, self._origins)
                if wrong:
                    self.faults.append(Fault(place, wrong))
                    return []
                return self._given(place, source.id, source.url, url=source.url)
            case FromStep():
                return self._fed(place, source, wanted)

    def _given(self, place: str, name: str, key: str, *, file: Path | None = None, url: str = "") -> list[Given | Fed]:
        if key in self._files.wrong:
            self.faults.append(Fault(place, f"{key} {self._files.wrong[key]}"))
            return []
        digest, facts = self._files.found[key]
        return [Given(name, f"{facts.kind}Url", sha256=digest, url=url, file=file, source=bare_url(url) if url else key)]

    def _fed(self, place: str, source: FromStep, wanted: str) -> list[Given | Fed]:
        if source.step not in self.runs:
            self.faults.append(Fault(place, f"uses step {source.step!r}, which is not above it"))
            return []
        technique, runs = self._gives.get(source.step), self.runs[source.step]
        if technique is None or not runs:
            return []  # the step above has faults of its own
        outputs = {one.id: one.type for one in technique.outputs}
        fitting = [name for name, type_ in outputs.items() if type_ == wanted] or list(outputs)
        offer = ", ".join(f"{name} ({type_})" for name, type_ in outputs.items()) or "nothing"
        if source.output == EVERY and outputs:
            return [Fed(source.id, outputs[name], run.name, name) for run in runs for name in fitting]
        if len(runs) > 1:
            self.faults.append(Fault(place, f"uses step {source.step!r}, which is {len(runs)} runs; say output: '{EVERY}'"))
            return []
        chosen = source.output or (fitting[0] if len(fitting) == 1 else "")
        if chosen not in outputs:
            asked = f"asks for output {source.output!r}" if source.output else "does not say which output"
            self.faults.append(Fault(place, f"{asked} of step {source.step!r}; it gives {offer}"))
            return []
        return [Fed(source.id, outputs[chosen], runs[0].name, chosen)]
