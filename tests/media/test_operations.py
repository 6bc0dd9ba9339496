"""Pictures and videos made of others: in size, shape, format and colours as asked for, the same bytes each time, in the worker process."""

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from PIL import Image

from genmedia.errors import DamagedMediaError, MediaError, MediaLimitError, MediaTypeError
from genmedia.media.facts import MediaFacts
from genmedia.media.making import Making
from genmedia.media.probe import inspect_file, make_file
from tests import corpus
from tests.photos import BLUE, PHOTOS, RED, photo

Pixel = tuple[int, int, int]


async def make(folder: Path, operation: str, inputs: Sequence[bytes | Path], **options: Any) -> Path:
    """Make a file of others, in a folder."""
    made = folder / f"made-{len(list(folder.iterdir()))}"
    paths: list[Path] = []
    for number, one in enumerate(inputs):
        path = one if isinstance(one, Path) else folder / f"{made.name}-{number}"
        if isinstance(one, bytes):
            path.write_bytes(one)
        paths.append(path)
    await make_file(Making(operation, options, paths, made))
    return made


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGBA"), int)


def near(found: np.ndarray, wanted: Sequence[int], tolerance: int = 6) -> bool:
    return bool(np.abs(found[: len(wanted)] - np.array(wanted)).max() <= tolerance)


# Pictures


async def test_a_photo_of_any_phone_camera_or_editor_keeps_its_colours_when_it_is_converted(tmp_path: Path) -> None:
    wrong: list[str] = []
    for name, content in PHOTOS.items():
        shown = pixels(await make(tmp_path, "convert", [content()], format="png"))
        if shown.shape[:2] != (64, 96) or not near(shown[32, 20], RED) or not near(shown[32, 76], BLUE):
            wrong.append(f"{name}: {shown.shape}, {shown[32, 20]}, {shown[32, 76]}")

    assert wrong == []


@pytest.mark.parametrize(("format_", "kind"), [("jpg", "jpeg"), ("png", "png"), ("webp", "webp"), ("avif", "avif")])
async def test_a_picture_is_written_in_each_format_and_twice_the_same(tmp_path: Path, format_: str, kind: str) -> None:
    content = corpus.encode(photo(), "PNG")

    first = await make(tmp_path, "convert", [content], format=format_)
    second = await make(tmp_path, "convert", [content], format=format_)

    assert (await inspect_file(first)).media_type == f"image/{kind}"
    assert first.read_bytes() == second.read_bytes()


async def test_without_a_format_that_of_the_input_is_kept(tmp_path: Path) -> None:
    for form, kind in (("WEBP", "webp"), ("PNG", "png"), ("TIFF", "jpeg"), ("GIF", "jpeg")):
        made = await make(tmp_path, "resize", [corpus.encode(photo(), form)], width=48)

        facts = await inspect_file(made)
        assert (facts.media_type, facts.width, facts.height) == (f"image/{kind}", 48, 32)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"width": 30}, (30, 20)),
        ({"height": 32}, (48, 32)),
        ({"width": 40, "height": 40}, (40, 40)),
        ({"width": 40, "height": 40, "fit": "contain"}, (40, 27)),
        ({"width": 40, "height": 40, "fit": "pad"}, (40, 40)),
        ({"width": 300, "height": 900}, (300, 900)),
    ],
)
async def test_a_picture_gets_the_size_that_is_asked_for(tmp_path: Path, options: dict[str, Any], size: tuple[int, int]) -> None:
    made = await inspect_file(await make(tmp_path, "resize", [corpus.encode(photo(), "PNG")], **options))

    assert (made.width, made.height) == size


async def test_a_picture_that_is_cut_keeps_the_point_in_focus(tmp_path: Path) -> None:
    content = corpus.encode(photo(), "PNG")

    left = pixels(await make(tmp_path, "resize", [content], width=32, height=64, focus=[0.0, 0.5]))
    right = pixels(await make(tmp_path, "resize", [content], width=32, height=64, focus=[1.0, 0.5]))
    middle = pixels(await make(tmp_path, "resize", [content], width=32, height=64))

    assert near(left[32, 30], RED)
    assert near(right[32, 1], BLUE)
    assert near(middle[32, 2], RED)
    assert near(middle[32, 29], BLUE)


async def test_what_is_left_empty_has_the_background_and_a_clear_one_stays_clear(tmp_path: Path) -> None:
    content = corpus.encode(photo(), "PNG")

    filled = pixels(await make(tmp_path, "resize", [content], width=96, height=96, fit="pad", background="#00ff00"))
    clear = pixels(await make(tmp_path, "resize", [content], width=96, height=96, fit="pad", background="transparent"))

    assert near(filled[2, 48], (0, 255, 0))
    assert near(filled[48, 10], RED)
    assert clear[2, 48, 3] == 0
    assert near(clear[48, 10], (*RED, 255))


async def test_a_clear_picture_gets_a_ground_where_the_format_has_none(tmp_path: Path) -> None:
    content = corpus.encode(Image.new("RGBA", (20, 20), (200, 0, 0, 0)), "PNG")

    white = pixels(await make(tmp_path, "convert", [content], format="jpg"))
    green = pixels(await make(tmp_path, "convert", [content], format="jpg", background="#00ff00"))
    kept = pixels(await make(tmp_path, "convert", [content], format="webp"))

    assert near(white[10, 10], (255, 255, 255))
    assert near(green[10, 10], (0, 255, 0))
    assert kept[10, 10, 3] == 0


@pytest.mark.parametrize("format_", ["jpg", "webp", "avif"])
async def test_a_size_limit_is_kept_by_the_highest_quality_that_fits(tmp_path: Path, format_: str) -> None:
    content = corpus.encode(corpus.noise(200, 200), "PNG")
    lowest = len((await make(tmp_path, "convert", [content], format=format_, quality=20)).read_bytes())
    better = len((await make(tmp_path, "convert", [content], format=format_, quality=60)).read_bytes())

    made = (await make(tmp_path, "convert", [content], format=format_, max_bytes=better)).read_bytes()

    assert lowest < len(made) <= better
    assert len(made) > 0.9 * better, "it is no worse than it has to be"


async def test_a_size_limit_that_nothing_keeps_is_told_with_the_size(tmp_path: Path) -> None:
    with pytest.raises(MediaLimitError, match=r"with 200 x 200 pixels it has \d+ bytes at quality 20, the lowest, more than 100"):
        await make(tmp_path, "convert", [corpus.encode(corpus.noise(200, 200), "PNG")], format="jpg", max_bytes=100)


@pytest.mark.parametrize(
    ("corner", "at"), [("top-left", (15, 15)), ("bottom-right", (85, 185)), ("center", (50, 100)), ("right", (50, 185))]
)
async def test_a_logo_stands_in_its_corner_with_its_margin(tmp_path: Path, corner: str, at: tuple[int, int]) -> None:
    ground, logo = Image.new("RGB", (200, 100), "white"), Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    logo.paste((200, 0, 0, 255), (10, 10, 30, 30))
    contents = [corpus.encode(one, "PNG") for one in (ground, logo)]

    made = pixels(await make(tmp_path, "overlay", contents, corner=corner, margin=10, scale=0.05))

    assert near(made[at], (200, 0, 0), 40)
    assert near(made[2, 2], (255, 255, 255))
    red = np.argwhere(made[:, :, 1] < 60)
    assert len(red) == pytest.approx(25, abs=15), "the logo is a twentieth as wide, and half of it is clear"


async def test_a_logo_can_let_the_picture_through(tmp_path: Path) -> None:
    contents = [corpus.encode(Image.new("RGB", (100, 100), colour), "PNG") for colour in ("white", "black")]

    made = pixels(await make(tmp_path, "overlay", contents, corner="center", scale=0.5, opacity=0.5))

    assert near(made[50, 50], (127, 127, 127))


async def test_a_contact_sheet_shows_each_picture_whole_in_its_order(tmp_path: Path) -> None:
    colours: list[Pixel] = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    contents = [corpus.encode(Image.new("RGB", (80, 40), colour), "PNG") for colour in colours]

    made = pixels(await make(tmp_path, "contact-sheet", contents, columns=2, cell=96, format="png"))

    assert made.shape[:2] == (2 * 96 + 3 * 4, 2 * 96 + 3 * 4)
    places = [(4 + 48, 4 + 48), (4 + 48, 104 + 48), (104 + 48, 4 + 48)]
    for (y, x), colour in zip(places, colours, strict=True):
        assert near(made[y, x], colour)
        assert near(made[y - 40, x], (255, 255, 255)), "it is not cut to a square"


@pytest.mark.parametrize(
    ("operation", "content", "error", "told"),
    [
        ("convert", b"", MediaTypeError, "it should be an image, but is empty"),
        ("convert", corpus.good("mp4"), MediaTypeError, "it should be an image, but is a film"),
        ("trim", corpus.good("png"), MediaTypeError, "it should be a video, but is a picture"),
        ("convert", corpus.good("jpg")[:300], DamagedMediaError, "does not decode"),
        ("trim", corpus.good("mp4")[:1500], DamagedMediaError, "it "),
    ],
)
async def test_what_cannot_be_made_is_told_and_leaves_no_file(
    tmp_path: Path, operation: str, content: bytes, error: type[MediaError], told: str
) -> None:
    with pytest.raises(error, match=told):
        await make(tmp_path, operation, [content], format="png", start=0.5)

    assert not list(tmp_path.glob("made-?"))


async def test_a_file_that_comes_in_is_looked_at_while_others_are_made(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(corpus.film(corpus.noise(640, 360, seed) for seed in range(60)))
    picture = tmp_path / "picture.png"
    picture.write_bytes(corpus.good("png"))
    making = [asyncio.create_task(make_file(Making("trim", {"end": 4.5}, [film], tmp_path / f"{number}"))) for number in range(4)]

    await asyncio.sleep(0)
    await inspect_file(picture)

    assert not all(one.done() for one in making)
    await asyncio.gather(*making)


# Videos


def film(path: Path, colours: Sequence[Pixel], *, size: tuple[int, int] = (96, 64), rate: int = 12, tone: float = 0.0) -> Path:
    """A film that shows each colour for a second; with a sound of this strength, if it is not 0."""
    with av.open(str(path), "w") as made:
        stream = made.add_stream("libx264", rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        voice = made.add_stream("aac", 44_100) if tone else None
        for colour in colours:
            frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), colour, np.uint8), "rgb24")
            for _ in range(rate):
                frame.pts = None
                made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
        if voice:
            samples = tone * np.sin(np.arange(44_100 * len(colours)) * 2 * math.pi * 440 / 44_100)
            said = av.AudioFrame.from_ndarray(samples.astype(np.float32)[None], "fltp", "mono")
            said.sample_rate, said.pts = 44_100, 0
            made.mux(voice.encode(said))
            made.mux(voice.encode(None))
    return path


def loudness(path: Path) -> list[float]:
    """How loud each half second is."""
    with av.open(str(path)) as container:
        heard = np.concatenate([one.to_ndarray().mean(axis=0) for one in container.decode(audio=0)])
    rate = 48_000
    return [float(np.abs(heard[start : start + rate // 2]).mean()) for start in range(0, len(heard) - rate // 4, rate // 2)]


async def colours_at(folder: Path, path: Path, *seconds: float) -> list[np.ndarray]:
    return [pixels(await make(folder, "frame", [path], at=second))[32, 48] for second in seconds]


WHITE, BLACK, GREEN = (235, 235, 235), (16, 16, 16), (20, 160, 40)


@pytest.mark.parametrize(("at", "colour"), [("first", WHITE), (1.5, BLACK), ("poster", BLACK), ("last", GREEN)])
async def test_a_frame_is_the_one_at_its_place(tmp_path: Path, at: float | str, colour: Pixel) -> None:
    source = film(tmp_path / "film.mp4", [WHITE, BLACK, GREEN])

    made = await make(tmp_path, "frame", [source], at=at)

    assert (await inspect_file(made)).media_type == "image/png"
    assert near(pixels(made)[32, 48], colour, 12)


async def test_a_video_is_cut_at_its_seconds_with_its_sound_and_twice_the_same(tmp_path: Path) -> None:
    source = film(tmp_path / "film.mp4", [WHITE, BLACK, GREEN], tone=0.5)

    first, *others = [await make(tmp_path, "trim", [source], start=0.5, end=2.5) for _ in range(4)]

    facts = await inspect_file(first)
    assert (facts.media_type, facts.duration, facts.frames, facts.audio) == ("video/mp4", 2.0, 24, True)
    assert {one.read_bytes() for one in others} == {first.read_bytes()}
    for shown, colour in zip(await colours_at(tmp_path, first, 0.2, 0.8, 1.8), (WHITE, BLACK, GREEN), strict=True):
        assert near(shown, colour, 12)
    assert all(0.2 < one < 0.4 for one in loudness(first)[:4])


async def test_the_colours_of_a_video_are_meant_as_before(tmp_path: Path) -> None:
    source = tmp_path / "film.mp4"
    with av.open(str(source), "w") as made:
        stream = made.add_stream("libx264", 12)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.color_range = stream.codec_context.color_primaries = 1
        stream.codec_context.color_trc = stream.codec_context.colorspace = 1
        for seed in range(12):
            made.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(corpus.noise(96, 64, seed)), "rgb24")))
        made.mux(stream.encode(None))

    cut = await make(tmp_path, "trim", [source], end=0.5)

    with av.open(str(cut)) as opened:
        context = opened.streams.video[0].codec_context
        assert (context.color_range, context.color_primaries, context.color_trc, context.colorspace) == (1, 1, 1, 1)


async def test_a_cut_beyond_the_end_is_told(tmp_path: Path) -> None:
    source = film(tmp_path / "film.mp4", [WHITE, BLACK])

    with pytest.raises(DamagedMediaError, match="it has nothing from 5 s on: it lasts 2 s"):
        await make(tmp_path, "trim", [source], start=5)
    assert (await inspect_file(await make(tmp_path, "trim", [source], start=1, end=9))).duration == 1.0


async def test_videos_become_one_in_the_size_of_the_first_and_the_sound_stays_with_its_pictures(tmp_path: Path) -> None:
    silent = film(tmp_path / "silent.mp4", [WHITE])
    loud = film(tmp_path / "loud.webm.mp4", [GREEN], size=(64, 96), rate=24, tone=0.5)

    whole = await make(tmp_path, "concatenate", [silent, loud, silent])
    cut = await make(tmp_path, "concatenate", [silent, loud], fit="cover")

    facts = await inspect_file(whole)
    assert (facts.width, facts.height, facts.duration, facts.fps, facts.audio) == (96, 64, 3.0, 12.0, True)
    first, second, third = await colours_at(tmp_path, whole, 0.5, 1.5, 2.5)
    assert near(first, WHITE, 12)
    assert near(second, GREEN, 12)
    assert near(third, WHITE, 12)
    beside = pixels(await make(tmp_path, "frame", [whole], at=1.5))[32, 4]
    assert near(beside, (0, 0, 0), 12), "another shape is shown whole"
    assert near(pixels(await make(tmp_path, "frame", [cut], at=1.5))[32, 4], GREEN, 12)
    before, *_, after = loudness(whole)[:6]
    assert max(before, after) < 0.02
    assert loudness(whole)[3] > 0.2


async def test_the_video_that_is_at_fault_is_named_by_its_number(tmp_path: Path) -> None:
    good = film(tmp_path / "good.mp4", [WHITE])

    with pytest.raises(DamagedMediaError, match=r"^video 2: "):
        await make(tmp_path, "concatenate", [good, good.read_bytes()[:1200]])


async def test_a_video_loses_its_sound_and_gets_another_and_its_pictures_stay_as_they_are(tmp_path: Path) -> None:
    source = film(tmp_path / "film.mp4", [WHITE, BLACK], tone=0.2)
    other = film(tmp_path / "other.mp4", [WHITE] * 4, tone=0.8)

    mute = await make(tmp_path, "sound", [source])
    louder = await make(tmp_path, "sound", [mute, other])

    facts: list[MediaFacts] = [await inspect_file(one) for one in (source, mute, louder)]
    assert [one.audio for one in facts] == [True, False, True]
    assert [one.frames for one in facts] == [24, 24, 24]
    assert loudness(louder)[1] > 2 * loudness(source)[1] > 0.1
    assert len(loudness(louder)) == 4, "it ends where the pictures do"
    packets: list[list[bytes]] = []
    for path in (source, mute, louder):
        with av.open(str(path)) as container:
            packets.append([bytes(one) for one in container.demux(video=0) if one.size])
    assert packets[0] == packets[1] == packets[2]


@pytest.mark.parametrize(
    ("suffix", "codec", "kind"),
    [
        ("mp3", "libmp3lame", "audio/mpeg"),
        ("wav", "pcm_s16le", "audio/wav"),
        ("flac", "flac", "audio/flac"),
        ("ogg", "libopus", "audio/ogg"),
        ("m4a", "aac", "audio/mp4"),
    ],
)
async def test_a_sound_is_taken_as_people_have_it_and_silence_follows_a_short_one(
    tmp_path: Path, suffix: str, codec: str, kind: str
) -> None:
    source, voice = film(tmp_path / "film.mp4", [WHITE] * 3), tmp_path / f"voice.{suffix}"
    with av.open(str(voice), "w", format="ipod" if suffix == "m4a" else None) as made:
        stream = cast("AudioStream", made.add_stream(codec, 48_000))
        stream.layout = "mono"
        samples = 0.5 * np.sin(np.arange(48_000) * 2 * math.pi * 440 / 48_000)
        said = av.AudioFrame.from_ndarray(samples.astype(np.float32)[None], "fltp", "mono")
        said.sample_rate, said.pts = 48_000, 0
        made.mux(stream.encode(said))
        made.mux(stream.encode(None))

    facts = await inspect_file(voice)
    made_of_it = await make(tmp_path, "sound", [source, voice])

    assert (facts.media_type, facts.kind) == (kind, "audio")
    assert facts.duration == pytest.approx(1, abs=0.1)
    heard = loudness(made_of_it)
    assert heard[0] > 0.2
    assert max(heard[3:]) < 0.01
