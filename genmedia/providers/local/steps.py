"""Steps that this machine does, in the process that works on files."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

from typing_extensions import override

from genmedia.errors import Fault
from genmedia.jobs.job import Account
from genmedia.journal.keys import media_reference
from genmedia.journal.order import FREE, Order
from genmedia.media.hashing import hash_file
from genmedia.media.making import Making
from genmedia.media.probe import make_file
from genmedia.providers.handoff import file_of
from genmedia.providers.inputs import Input, ResolvedInput
from genmedia.providers.local.forms import (
    Concatenate,
    ContactSheet,
    Convert,
    Frame,
    Lettered,
    LocalStep,
    Overlay,
    Resize,
    Sounding,
    Trim,
)
from genmedia.providers.sources import Source
from genmedia.providers.steps import HERE, FreeKind, Operation, frame_of, preparation
from genmedia.store import Store

RESULT = "result"
"""Name of the one output of each operation."""


class _Asked(NamedTuple):
    """What a step asks for.

    Attributes:
        request: What the order's key is made of, besides the inputs: the same on every machine.
        fonts: The fonts' files on this machine.
    """

    request: Mapping[str, Any]
    fonts: Sequence[tuple[str, int]] = ()


class Local(FreeKind[LocalStep]):
    """Pictures and videos made of others."""

    provider = HERE.provider
    tag = "local"
    form = {  # noqa: RUF012 # the base says that it belongs to the class
        "resize": Resize,
        "convert": Convert,
        "overlay": Overlay,
        "text": Lettered,
        "contact-sheet": ContactSheet,
        "frame": Frame,
        "trim": Trim,
        "concatenate": Concatenate,
        "sound": Sounding,
    }

    @override
    def sources(self, step: LocalStep) -> list[tuple[str, Source]]:
        """Return the inputs by their names."""
        return [(name, source) for name, source, _ in step.given()]

    @override
    async def describe(self, client: Any, steps: Sequence[LocalStep], payer: Any) -> Mapping[str, Operation | Sequence[Fault]]:
        """Return, by step name, the operation of each step, or what does not fit together in it, and the fonts that are missing."""
        return {step.name: self._operation(step) for step in steps}

    def _operation(self, step: LocalStep) -> Operation | Sequence[Fault]:
        asked = _Asked({**step.options(), "version": step.VERSION})
        faults = list(step.faults())
        if isinstance(step, Lettered | ContactSheet):
            asked, lacking = _with_fonts(step, asked)
            faults += lacking
        if faults:
            return faults
        return Operation(
            self,
            next(name for name, form in self.form.items() if type(step) is form),
            price=0,
            unit=FREE,
            takes={name: media for name, _, media in step.given()},
            gives={RESULT: step.GIVES},
            asked=asked,
            gathers=isinstance(step, ContactSheet | Concatenate),
        )

    @override
    def order(self, operation: Operation, inputs: Sequence[ResolvedInput], account: Account, take: int) -> Order:
        """Return the order: the operation with its version, what is asked for, and the inputs by hash, in their order."""
        files = [{"id": one.id, **media_reference(one.sha256, preparation(one, operation))} for one in inputs]
        return Order(account, operation.name, {**operation.asked.request, "inputs": files}, price=0, unit=FREE)

    @override
    async def make(self, store: Store, operation: Operation, inputs: Sequence[ResolvedInput], order: Order, path: Path) -> None:
        """Write the file that an order asks for."""
        asked: _Asked = operation.asked
        options = {**asked.request, "fonts": asked.fonts}
        if captions := asked.request.get("captions"):  # one for each input as it is written: all pictures of one have the same
            options["captions"] = [captions[int(one.id.split()[1].partition(".")[0]) - 1] for one in inputs]
        async with AsyncExitStack() as held:
            files = [await held.enter_async_context(file_of(one, store)) for one in inputs]
            await make_file(Making(operation.name, options, files, path))

    @override
    async def explain(self, client: Any, store: Store, operation: Operation, source: Input, feeder: Operation | None) -> str:
        """Describe for people where an input is read."""
        return f"{frame_of(source)}on this machine"


def _with_fonts(step: Lettered | ContactSheet, asked: _Asked) -> tuple[_Asked, list[Fault]]:
    """Return what is asked for with the fonts that it takes, and a fault where there is none; a font's file counts by its content."""
    from genmedia.media.fonts import SUFFIXES, NoFontError, fonts_for  # noqa: PLC0415 # it loads a library, which no other step needs

    lettered = isinstance(step, Lettered)
    text = step.text if lettered else "".join(step.captions)
    if not text:
        return asked, []
    try:
        fonts = fonts_for(text, *([step.font] if lettered else []), bold=lettered and step.bold)
    except NoFontError as error:
        return asked, [Fault(", text" if lettered else ", captions", str(error))]
    request = asked.request
    if lettered and step.font.lower().endswith(SUFFIXES):
        request = {**request, "font": {"sha256": hash_file(Path(fonts[0].path))}}
    return _Asked(request, fonts), []


TITLE = "This machine"
KINDS = (Local(),)
