"""Runs of Generio templates: every input through the same steps, each step fed with the model of the step before."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from genmedia.errors import Fault, InputError
from genmedia.forms.names import Place, item_names, placed
from genmedia.media.conversion import TYPES, conversion
from genmedia.providers.drafts import Draft, Drafting
from genmedia.providers.generio.client import PROVIDER, GenerioClient, Template, check_request
from genmedia.providers.generio.forms import TemplateInput, TemplateStep
from genmedia.providers.generio.steps import GenerioStep
from genmedia.providers.sources import FedBy, File, Text
from genmedia.providers.steps import look_up
from genmedia.store.named_files import Files, NamedFile


async def plan_models(drafting: Drafting, inputs: Sequence[TemplateInput], steps: Sequence[TemplateStep]) -> Draft:
    """Return a draft that puts each input through the same templates, each template fed with the model of the one before.

    Args:
        drafting: Questions that can be asked before the steps are made.
        inputs: The inputs that models are made from.
        steps: The templates that each input goes through.

    Raises:
        InputError: All faults, each with its input, step and parameter.
    """
    client: GenerioClient = await drafting.client(PROVIDER)
    templates = await look_up((step.template for step in steps), client.get_template)
    files = await drafting.look_at([one.file for one in inputs if one.file is not None], PROVIDER)
    faults = [
        Fault(f"step {number}, template {step.template}", "is unknown to Generio")
        for number, step in enumerate(steps, 1)
        if not isinstance(templates[step.template], Template)
    ]
    times = Counter(inputs)
    faults += [Fault(f"input {one.file or one.text}", "is given more than once") for one, count in times.items() if count > 1]
    first = templates[steps[0].template]
    taken = first.input_types if isinstance(first, Template) else ()
    given: dict[str, str] = {}
    drafted: list[GenerioStep] = []
    places: dict[str, Place] = {}
    models = item_names([_called(one, files) for one in inputs])
    for among, (one, model) in enumerate(zip(inputs, models, strict=True), 1):
        if one.file is not None and one.file in files.wrong:
            faults.append(Fault(f"input {among}", f"{one.file} {files.wrong[one.file]}"))
            continue
        file = files.found[one.file] if one.file is not None else None
        given[model] = _sent_as(file, taken) if file else "text/plain"
        source: File | Text | FedBy = Text(text=one.text or "") if one.file is None else File(file=files.in_full(one.file))
        for number, step in enumerate(steps, 1):
            name = f"{model}-{number}-{step.template}" if len(steps) > 1 else model
            drafted.append(
                GenerioStep.model_construct(name=name, template=step.template, input=source, parameters=step.parameters)
            )
            places[name] = placed(input=(among, model), step=(number, step.template))
            source = FedBy.model_construct(step=name)
    for number, step in enumerate(steps, 1):
        template = templates[step.template]
        if not isinstance(template, Template):
            break  # the outputs of an unknown template are unknown as well
        faults += check_request(f"step {number}", template, step.parameters, given)
        given = {f"the model of step {number}": one for one in template.output_types[:1]}
    if faults:
        raise InputError(faults)
    return Draft(drafted, places)


def _called(one: TemplateInput, files: Files) -> tuple[str, str]:
    """Return the words that an input is named by, and its whole content."""
    if one.file is None:
        return one.text or "", one.text or ""
    file = files.found.get(one.file)
    return PurePath(file.origin if file else one.file).stem, files.in_full(one.file)


def _sent_as(file: NamedFile, taken: Sequence[str]) -> str:
    """Media type under which a file is sent to a template that takes these types."""
    done = conversion(
        file.facts.media_type, file.facts.mode or "", taken if any(one.startswith("image/") for one in taken) else ()
    )
    return TYPES.get(done, file.facts.media_type)
