"""Photos of products by looks: the steps made of a list of photos and a list of looks."""

import itertools
import mimetypes
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import ValidationError

from genmedia.errors import Fault, InputError
from genmedia.forms.names import Place, bare_name, placed, slug
from genmedia.providers.flora.forms import FromFile, Step
from genmedia.providers.genova.steps import GenovaStep
from genmedia.store.named_files import IN_STORE, local_path

PICTURE_INPUT = "input_image"
"""Name of the input of techniques that take one picture."""

_WORD = re.compile(r"[A-Za-z0-9._-]+\Z")
_NAME = 22
"""Most characters of a photo's name, and of a look's, in the name of their step, which may have at most 60."""


def names_of_store(places: Iterable[str]) -> bool:
    """True if any of the photos may be in the store."""
    return any(bare_name(place).startswith(IN_STORE) for place in places)


def photos_of(places: Iterable[str], stored: Iterable[str] = ()) -> tuple[list[str], list[str]]:
    """List every photo that is named, a folder as the pictures in it; and the other files of folders on this machine.

    Args:
        places: Files as people name them, and folders, of the store as well.
        stored: Paths of all files in the store, if a place may be a folder in it; files that are no pictures are skipped.

    Raises:
        InputError: A folder has no picture in it, or cannot be read; or nothing is named.
    """
    photos: list[str] = []
    others: list[str] = []
    faults: list[Fault] = []
    stored = list(stored)
    for place in map(bare_name, places):
        below = f"{place.removeprefix(IN_STORE).rstrip('/')}/"
        if place.startswith(IN_STORE) and (inside := [Path(one) for one in stored if one.startswith(below)]):
            pictures = [one for one in inside if str(one.parent) == below[:-1] and _is_picture(one)]
            if not pictures:
                faults.append(Fault(f"photos, {place}", "has no picture in it"))
            photos += [f"{IN_STORE}{one}" for one in sorted(pictures)]
            continue
        folder = local_path(place)
        try:
            if not place or folder is None or not folder.is_dir():
                photos += [place] if place else []
                continue
            files = sorted(one for one in folder.iterdir() if one.is_file() and not one.name.startswith("."))
        except OSError as error:
            faults.append(Fault(f"photos, {place}", f"cannot be read: {error.strerror}"))
            continue
        pictures = [one for one in files if _is_picture(one)]
        if not pictures:
            faults.append(Fault(f"photos, {place}", "has no picture in it"))
        photos += map(str, pictures)
        others += [str(one) for one in files if one not in pictures]
    if not photos and not faults:
        faults = [Fault("photos", "names none: give a folder, or the path of a photo")]
    if faults:
        raise InputError(faults)
    return photos, others


def product_steps(
    photos: Sequence[str], looks: Sequence[str], *, takes: int, model: str, ratio: str | None
) -> list[Step | GenovaStep]:
    """Make one step for each photo, look and take, named after them.

    Args:
        photos: Paths, assets and addresses.
        looks: Looks; one of a single word is the name of a technique of FLORA, any other is a prompt for Genova.
        takes: Number of takes of each.
        model: Genova's model for the prompts.
        ratio: Shape of Genova's pictures; None to leave it to Genova.

    Raises:
        InputError: A look cannot be used, or none is named.
    """
    wanted = _given(looks)
    if not wanted:
        raise InputError([Fault("looks", "names none: give a technique of FLORA, such as studio-blur, or a prompt")])
    of_photos = _apart([_short(Path(photo.partition("?")[0]).stem) for photo in photos])
    of_looks = _apart([_short(look) for look in wanted])
    cells = list(itertools.product(zip(photos, of_photos, strict=True), zip(wanted, of_looks, strict=True), range(1, takes + 1)))
    # A photo `cup-blue` with a look `mug`, and `cup` with `blue-mug`, would give the same name.
    names = _apart([f"{product}-{style}" + (f"-take-{take}" if take > 1 else "") for (_, product), (_, style), take in cells])
    steps: list[Step | GenovaStep] = []
    faults: list[Fault] = []
    for name, ((photo, _), (look, _), take) in zip(names, cells, strict=True):
        try:
            steps.append(_step(name, photo, look, take, model, ratio))
        except ValidationError as error:
            told = [one["msg"].removeprefix("Value error, ") for one in error.errors(include_input=False)]
            faults += [fault for one in told if (fault := Fault(f"look {look!r}", one)) not in faults]
    if faults:
        raise InputError(faults)
    return steps


def product_places(
    steps: Sequence[Step | GenovaStep], photos: Sequence[str], looks: Sequence[str], takes: int
) -> dict[str, Place]:
    """Place of each of those steps among photos, looks and takes, by its name."""
    names = [[Path(photo.partition("?")[0]).name for photo in photos], _given(looks), [f"{take}" for take in range(1, takes + 1)]]
    cells = itertools.product(*(enumerate(some, 1) for some in names))
    return {step.name: placed(photo=photo, look=look, take=take) for step, (photo, look, take) in zip(steps, cells, strict=True)}


def _given(looks: Iterable[str]) -> list[str]:
    return [one.strip() for one in looks if one.strip()]


def _step(name: str, photo: str, look: str, take: int, model: str, ratio: str | None) -> Step | GenovaStep:
    if _WORD.match(look):
        return Step(name=name, technique=look, inputs=[FromFile(id=PICTURE_INPUT, file=photo)], take=take)
    written = {"name": name, "model": model, "prompt": look, "ratio": ratio, "references": [{"file": photo}], "take": take}
    return GenovaStep.model_validate(written)


def _is_picture(file: Path) -> bool:
    return (mimetypes.guess_type(file.name)[0] or "").startswith("image/") or file.suffix.lower() in (".heic", ".heif", ".avif")


def _short(name: str) -> str:
    return slug(name)[:_NAME].strip("-")


def _apart(names: Sequence[str]) -> list[str]:
    """Make names unique: equal ones get a number, but none that makes another of the names."""
    given, taken = set(names), dict[str, None]()
    for name in names:
        numbered = (f"{name}-{number}" for number in itertools.count(2))
        taken[name if name not in taken else next(one for one in numbered if one not in taken and one not in given)] = None
    return list(taken)
