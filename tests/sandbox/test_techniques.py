"""The 39 techniques: what the document promises of them, and that each really does something of its own."""

import functools
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from genmedia.sandbox.drawing.techniques import CATALOGUE, Rendered, UnreadableInputError, render, sample_photo

PHOTOS = Path(__file__).parents[2] / "photos"
COFFEE, ASTRONAUT = ((PHOTOS / name).read_bytes() for name in ("coffee.jpg", "astronaut.jpg"))
SIZE = 256

# The table of FLORA's document, then the technique of its worked example, which the table leaves out.
DOCUMENT = """
art-directors-critique | Art Director's Critique | Analyze, critique, and redesign any creative asset.
auto-translate | Auto Translate | Translate text in images instantly
book-drop | Book Drop | Mocks up front and back book covers
cctv-cam | CCTV Cam | Any face, CCTV style
character-lock | Character Lock | One character, 6 different angles
cinematic-movie-generator | Cinematic Movie Stills | Generate film-quality scene stills
color-mapping | Segment Mapper | Color-codes every element in your image
color-transfer | Color Transfer | Apply color grading from any reference
earth-zoom-out | Earth Zoom Out | Zoom out to space from any scene
facade-swap | Facade Swap | Reskin buildings with new materials
fit-checks | Fit Check | Extract outfits & swap onto new looks
glam-shots | Glam Shots | Create polished makeup ads instantly
icon-pack | Icon Pack | Generate matched icon sets from a prompt
live-like-an-amsterdammer | Live like an Amsterdammer | Places you into everyday Amsterdam scenes
location-scouter | Location Scout | Scouts five views from a single location
logo-stylist | Logo Stylist | Stylize any logo with a new visual twist
memoji-me | Memoji Me | Turn any face into a custom memoji
moodboard-maker | Mood Board Maker | Eclectic mood board from a photo
mugshot | Mugshot | Turn any portrait into a mugshot
palette-pull | Palette Pull | Extract color palettes from any image
product-animator | Product Animator | Animate your product
product-lookbook-grid | Product Lookbook Grid | Turn products into styled grid layouts
product-motion | Product Motion | Animate product shots in one click
quick-reframe | Layout Resizer | Resize layouts for any aspect ratio
relight-technique | Relighting | Relights your photo
room-render | Room Render | Turn floor plans into realistic rooms
seamless-transition | Seamless Transition | Animate between any two frames
sigil | Sigil | Turns any image into an animated glyph
sketch-to-garment | Garment Sketch | One sketch, one final garment.
studio-blur | Studio Blur | Add pro depth-of-field blur to photos
studio-shot | Studio Shot | Turns any product into a studio-lit shoot
tarot-pull | Tarot Pull | Custom illustrated tarot card readings
texture-matchers | Texture Match | Replicate textures & colors across assets
turn-any-product-into-4-ad-visuals | Turn any product into 4 ad visuals | Make a full ad campaign from 1 product
ugc-creation | UGC Creator | Casual, phone-shot clips of your product
video-scene-builder | Video Scene Builder | Compose video scenes from still assets
wireframe | Photo Wireframe | Turn any photo into a clean wireframe
wonder-fy | Wonder(fy) | Apply Wonder's cinematic style to images
portrait-enhancer | Portrait Enhancer | Enhance portrait photos with AI
"""

TEXTS = {
    "aspect_ratio": "9:16",
    "language": "French",
    "material": "brick",
    "prompt": "a small neighbourhood cafe",
    "question": "Will it rain?",
    "scene": "Nobody had touched the coffee.",
    "style": "neon diner",
}

WIRE_TYPES = {"image/jpeg": "imageUrl", "image/png": "imageUrl", "video/mp4": "videoUrl", "text/plain": "text"}


class Seen(NamedTuple):
    """The first thing to look at among a run's outputs: its file and the picture in it (of a clip, the middle frame)."""

    media: str
    data: bytes
    picture: Image.Image


def inputs_of(slug: str, first: bytes = COFFEE, second: bytes = ASTRONAUT) -> dict[str, bytes | str]:
    photos = iter((first, second, first))
    return {f.id: TEXTS[f.id] if f.type == "text" else next(photos) for f in CATALOGUE[slug].inputs}


@functools.cache
def outputs_of(slug: str) -> list[Rendered]:
    return render(slug, inputs_of(slug), SIZE)


def frames_of(data: bytes) -> Iterator[Image.Image]:
    with av.open(io.BytesIO(data), "r") as container:
        for frame in container.decode(container.streams.video[0]):
            yield frame.to_image()


def look_at(output: Rendered) -> Seen:
    if output.media_type == "video/mp4":
        frames = list(frames_of(output.data))
        return Seen("video", output.data, frames[len(frames) // 2])
    return Seen("image", output.data, Image.open(io.BytesIO(output.data)).convert("RGB"))


@functools.cache
def seen(slug: str) -> Seen:
    return look_at(next(output for output in outputs_of(slug) if output.media_type != "text/plain"))


def fingerprint(picture: Image.Image) -> NDArray[np.bool_]:
    """64 bits: where, on a 9 x 8 grey thumbnail, the brightness rises from left to right."""
    small = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.BILINEAR))
    return small[:, 1:] > small[:, :-1]


def difference(one: Image.Image, other: Image.Image) -> float:
    pair = [np.asarray(picture.convert("RGB").resize((64, 64)), dtype=float) for picture in (one, other)]
    return float(abs(pair[0] - pair[1]).mean())


def test_the_catalogue_is_the_documents_table_and_its_worked_example() -> None:
    rows = [tuple(part.strip() for part in line.split("|")) for line in DOCUMENT.strip().splitlines()]
    assert len(rows) == 39
    assert sorted((t.slug, t.name, t.description) for t in CATALOGUE.values()) == sorted(rows)
    assert all(slug == technique.slug for slug, technique in CATALOGUE.items())


def test_portrait_enhancer_asks_costs_and_answers_as_in_the_documents_example() -> None:
    technique = CATALOGUE["portrait-enhancer"]
    assert technique.cost == 5
    assert [(f.id, f.name, f.type) for f in technique.inputs] == [("input_image", "Input Image", "imageUrl")]
    assert [(f.id, f.name, f.type) for f in technique.outputs] == [("output_image", "Output Image", "imageUrl")]


@pytest.mark.parametrize("slug", CATALOGUE)
def test_a_technique_answers_with_exactly_the_outputs_it_lists(slug: str) -> None:
    listed = [(field.id, field.type) for field in CATALOGUE[slug].outputs]
    assert [(output.output_id, WIRE_TYPES[output.media_type]) for output in outputs_of(slug)] == listed


@pytest.mark.parametrize("slug", CATALOGUE)
def test_every_output_opens_as_its_media_type_says_with_the_asked_longest_side(slug: str) -> None:
    for output in outputs_of(slug):
        if output.media_type == "text/plain":
            assert output.data.decode().strip()
            continue
        if output.media_type == "video/mp4":
            picture = next(frames_of(output.data))
        else:
            picture = Image.open(io.BytesIO(output.data))
            assert picture.get_format_mimetype() == output.media_type
        assert max(picture.size) == SIZE


@pytest.mark.parametrize("slug", [s for s, t in CATALOGUE.items() if t.outputs[0].type == "videoUrl"])
def test_a_clip_lasts_three_seconds_moves_and_starts_on_something_visible(slug: str) -> None:
    data = seen(slug).data
    with av.open(io.BytesIO(data), "r") as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.duration == pytest.approx(3 * av.time_base, abs=av.time_base // 24)
    frames = list(frames_of(data))
    assert len(frames) == 72
    assert np.asarray(frames[0].convert("L")).std() > 10
    assert difference(frames[0], frames[36]) > 5


def test_a_clip_can_be_played_while_it_loads() -> None:
    data = seen("sigil").data
    assert data.index(b"moov") < data.index(b"mdat")


def test_no_two_techniques_make_the_same_of_one_picture() -> None:
    prints = {slug: fingerprint(seen(slug).picture) for slug in CATALOGUE}
    alike = [
        (one, other, distance)
        for one in CATALOGUE
        for other in CATALOGUE
        if one < other and seen(one).media == seen(other).media
        if (distance := int((prints[one] != prints[other]).sum())) <= 8
    ]
    assert alike == []


@pytest.mark.parametrize("slug", CATALOGUE)
def test_a_technique_visibly_changes_its_input(slug: str) -> None:
    assert difference(seen(slug).picture, Image.open(io.BytesIO(COFFEE))) > 8


@pytest.mark.parametrize("slug", [s for s, t in CATALOGUE.items() if any(f.type == "imageUrl" for f in t.inputs)])
def test_another_picture_gives_another_output(slug: str) -> None:
    if seen(slug).media == "video":
        first = next(frames_of(render(slug, inputs_of(slug, ASTRONAUT, COFFEE), 64)[0].data))
        assert difference(first, next(frames_of(seen(slug).data))) > 5
        return
    other = next(o for o in render(slug, inputs_of(slug, ASTRONAUT, COFFEE), 64) if o.media_type != "text/plain")
    assert difference(look_at(other).picture, seen(slug).picture) > 5


@pytest.mark.parametrize("slug", ["icon-pack", "tarot-pull", "facade-swap", "auto-translate", "quick-reframe"])
def test_another_text_gives_another_picture(slug: str) -> None:
    texts = {f.id: "glass 3:1" for f in CATALOGUE[slug].inputs if f.type == "text"}
    other = render(slug, inputs_of(slug) | texts, SIZE)[0]
    assert difference(look_at(other).picture, seen(slug).picture) > 2


@pytest.mark.parametrize("slug", ["cctv-cam", "moodboard-maker", "icon-pack", "earth-zoom-out"])
def test_the_same_inputs_give_the_same_bytes(slug: str) -> None:
    assert render(slug, inputs_of(slug), SIZE) == outputs_of(slug)


def test_a_reframed_picture_has_the_asked_aspect_ratio() -> None:
    (output,) = render("quick-reframe", {"input_image": COFFEE, "aspect_ratio": "2:1"}, SIZE)
    assert look_at(output).picture.size == (256, 128)


def test_the_extracted_colours_are_those_of_the_picture() -> None:
    flag = Image.new("RGB", (90, 60), (200, 30, 40))
    ImageDraw.Draw(flag).rectangle((0, 30, 90, 60), (20, 60, 160))
    data = io.BytesIO()
    flag.save(data, "PNG")
    (output,) = render("palette-pull", {"input_image": data.getvalue()}, SIZE)
    swatches = np.asarray(look_at(output).picture.crop((0, 128, 205, 256)), dtype=int)
    for colour in ((200, 30, 40), (20, 60, 160)):
        assert (abs(swatches - colour).max(axis=2) <= 3).sum() > 500


def test_a_picture_turned_by_its_exif_is_used_upright() -> None:
    plain, turned = io.BytesIO(), io.BytesIO()
    photo = Image.open(io.BytesIO(COFFEE))
    photo.save(plain, "PNG")
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.transpose(Image.Transpose.ROTATE_90).save(turned, "PNG", exif=exif)
    upright, restored = (
        look_at(render("studio-blur", {"input_image": data.getvalue()}, SIZE)[0]).picture for data in (plain, turned)
    )
    assert restored.size == upright.size
    assert difference(restored, upright) < 1


@pytest.mark.parametrize(
    "data", [b"", b"<html>not found</html>", COFFEE[: len(COFFEE) // 2]], ids=["empty", "a page", "half a file"]
)
def test_an_input_that_is_no_picture_is_named(data: bytes) -> None:
    with pytest.raises(UnreadableInputError, match="reference_image") as caught:
        render("color-transfer", {"input_image": COFFEE, "reference_image": data}, SIZE)
    assert caught.value.input_id == "reference_image"


@pytest.mark.parametrize(("mode", "size"), [("RGBA", (40, 90)), ("L", (1, 1)), ("P", (3, 900)), ("1", (900, 3))])
def test_a_blank_or_extremely_thin_picture_still_renders(mode: str, size: tuple[int, int]) -> None:
    data = io.BytesIO()
    Image.new(mode, size).save(data, "PNG")
    for slug, technique in CATALOGUE.items():
        if technique.outputs[-1].type == "imageUrl":
            assert render(slug, inputs_of(slug, data.getvalue(), data.getvalue()), 64)


def test_the_sample_photo_is_always_the_same_picture() -> None:
    data = sample_photo(SIZE)
    picture = look_at(Rendered("sample", "image/jpeg", data)).picture
    assert picture.size == (256, 171)
    assert np.asarray(picture.convert("L")).std() > 25
    assert data == sample_photo(SIZE)
