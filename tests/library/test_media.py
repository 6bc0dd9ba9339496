"""What a file really is: found by its content, in a process that cannot hurt this one."""

import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from PIL import Image

from genmedia.errors import DamagedMediaError, MediaError, MediaLimitError, MediaTypeError
from genmedia.media import Candidate, MediaFacts, SmallCopy, inspect_file, inspect_files

PICTURES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif", "AVIF": "image/avif"}


def picture(path: Path, form: str, size: tuple[int, int] = (96, 64), **options: Any) -> Path:
    noise = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).save(path, form, **options)
    return path


def film(path: Path, codec: str = "libx264", **container: str) -> Path:
    """Two seconds of noise, 24 pictures."""
    with av.open(str(path), "w", options=container) as made:
        stream = made.add_stream(codec, 12)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(24):
            noise = np.random.default_rng(number).integers(0, 255, (48, 64, 3), np.uint8)
            made.mux(stream.encode(av.VideoFrame.from_ndarray(noise, "rgb24")))
        made.mux(stream.encode(None))
    return path


def flat_png(path: Path, width: int, height: int) -> Path:
    """A huge picture of one bit a pixel, in a small file."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = zlib.compress(bytes((width + 7) // 8 + 1) * height, 9)
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return path


def cut(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


async def refusal(path: Path, kind: str = "") -> MediaError:
    (verdict,) = await inspect_files([Candidate(path, kind)])
    assert isinstance(verdict, MediaError)
    return verdict


@pytest.mark.parametrize("form", PICTURES)
async def test_a_picture_is_known_by_its_content_whatever_its_name(tmp_path: Path, form: str) -> None:
    assert await inspect_file(picture(tmp_path / "it.bin", form)) == MediaFacts(PICTURES[form], 96, 64)


@pytest.mark.parametrize(
    ("name", "codec", "media_type", "found"),
    [
        ("it.mp4", "libx264", "video/mp4", "h264"),
        ("it.webm", "libvpx-vp9", "video/webm", "vp9"),
        ("it.mov", "libx264", "video/quicktime", "h264"),
    ],
)
async def test_a_film_tells_its_size_length_and_pace(tmp_path: Path, name: str, codec: str, media_type: str, found: str) -> None:
    assert await inspect_file(film(tmp_path / name, codec)) == MediaFacts(media_type, 64, 48, 2.0, 12.0, 24, found)


@pytest.mark.parametrize("brand", [b"iso5", b"iso6", b"mp41", b"avc1", b"dash"])
async def test_an_mp4_of_any_usual_brand_is_an_mp4(tmp_path: Path, brand: bytes) -> None:
    path = film(tmp_path / "it.mp4")
    content = path.read_bytes()
    path.write_bytes(content[:8] + brand + content[12:])

    assert (await inspect_file(path)).media_type == "video/mp4"


async def test_an_animation_tells_how_many_pictures_it_has(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "it.gif", save_all=True, append_images=frames[1:], duration=100)

    assert (await inspect_file(tmp_path / "it.gif")).frames == 3


async def test_a_turned_photo_is_as_wide_as_it_is_shown_and_so_is_its_thumbnail(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo, thumbnail = picture(tmp_path / "it.jpg", "JPEG", (960, 640), exif=exif), tmp_path / "it.webp"

    (facts,) = await inspect_files([Candidate(photo, "image", SmallCopy(thumbnail))])

    assert isinstance(facts, MediaFacts)
    assert (facts.width, facts.height) == (640, 960)
    with Image.open(thumbnail) as small:
        assert small.size == (320, 480)


async def test_a_film_gets_a_thumbnail(tmp_path: Path) -> None:
    await inspect_files([Candidate(film(tmp_path / "it.mp4"), "video", SmallCopy(tmp_path / "it.webp"))])

    with Image.open(tmp_path / "it.webp") as small:
        assert (small.format, small.size) == ("WEBP", (64, 48))


@pytest.mark.parametrize("share", [0.5, 0.97])
@pytest.mark.parametrize("form", PICTURES)
async def test_a_picture_that_is_cut_short_is_damaged(tmp_path: Path, form: str, share: float) -> None:
    assert isinstance(await refusal(cut(picture(tmp_path / "it", form), share)), DamagedMediaError)


async def test_a_png_without_its_last_bytes_is_damaged(tmp_path: Path) -> None:
    path = picture(tmp_path / "it.png", "PNG")
    path.write_bytes(path.read_bytes()[:-20])

    assert isinstance(await refusal(path), DamagedMediaError)


@pytest.mark.parametrize("share", [0.6, 0.95, 0.99])
async def test_an_mp4_that_begins_with_its_index_and_is_cut_short_is_damaged(tmp_path: Path, share: float) -> None:
    path = film(tmp_path / "it.mp4", movflags="+faststart")
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")

    assert isinstance(await refusal(cut(path, share), "video"), DamagedMediaError)


async def test_an_mp4_that_is_cut_between_two_pictures_is_damaged(tmp_path: Path) -> None:
    path = film(tmp_path / "it.mp4", movflags="+faststart")
    with av.open(str(path)) as container:
        last = max(packet.pos or 0 for packet in container.demux(video=0))
    path.write_bytes(path.read_bytes()[:last])

    assert (await refusal(path)).what == "it should have 24 pictures, but has 23"


@pytest.mark.parametrize(("name", "codec"), [("it.mp4", "libx264"), ("it.webm", "libvpx-vp9")])
async def test_a_film_that_is_cut_in_half_is_damaged(tmp_path: Path, name: str, codec: str) -> None:
    assert isinstance(await refusal(cut(film(tmp_path / name, codec), 0.5)), DamagedMediaError)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"<!doctype html><title>Please sign in</title>", "text/html"),
        (b'{"error": {"code": "not_found"}}', "application/json"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", "svg"),
        (b"", "empty"),
        (b"\x00\x01\x02 nothing that anybody knows", "of no known type"),
        (b"MZ" + bytes(200), ""),
    ],
)
@pytest.mark.parametrize("kind", ["", "image"])
async def test_what_is_not_media_is_refused_under_any_name(tmp_path: Path, content: bytes, found: str, kind: str) -> None:
    path = tmp_path / "it.png"
    path.write_bytes(content)

    error = await refusal(path, kind)

    assert isinstance(error, MediaTypeError)
    assert found in error.what


async def test_a_picture_where_a_film_should_be_is_refused(tmp_path: Path) -> None:
    error = await refusal(picture(tmp_path / "it.mp4", "PNG"), "video")

    assert isinstance(error, MediaTypeError)
    assert error.what == "it should be a video, but its content is image/png"


async def test_a_matroska_film_is_not_passed_off_as_webm(tmp_path: Path) -> None:
    error = await refusal(film(tmp_path / "it.mkv"))

    assert "video/x-matroska" in error.what


async def test_a_film_without_a_picture_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "it.mp4"), "w") as made:
        stream = made.add_stream("aac", 44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        made.mux(stream.encode(frame))
        made.mux(stream.encode(None))

    assert "without a picture" in (await refusal(tmp_path / "it.mp4", "video")).what


@pytest.mark.parametrize("side", [12_000, 20_000])
async def test_a_small_file_that_unfolds_to_a_huge_picture_is_not_decoded(tmp_path: Path, side: int) -> None:
    path = flat_png(tmp_path / "it.png", side, side)
    assert path.stat().st_size < 100_000

    assert isinstance(await refusal(path), MediaLimitError)


async def test_a_look_that_hangs_ends_with_the_deadline(tmp_path: Path) -> None:
    """Nobody ever writes into this pipe: opening it waits for ever."""
    (tmp_path / "good.png").write_bytes(b"")
    pipe = tmp_path / "it.png"
    subprocess.run(["mkfifo", pipe], check=True)

    verdicts = await inspect_files([Candidate(pipe), Candidate(tmp_path / "good.png")], deadline=1)

    assert [type(verdict) for verdict in verdicts] == [MediaLimitError, MediaLimitError]
    assert "more than 1 s" in str(verdicts[0])


def test_what_takes_too_much_memory_ends_as_a_limit(tmp_path: Path) -> None:
    """The looking process itself, with 60 MiB beside its libraries: the picture needs more."""
    path = flat_png(tmp_path / "it.png", 9_900, 9_900)
    program = """
import resource
from pathlib import Path
from genmedia import inspection
pages = int(Path("/proc/self/statm").read_text().split()[0])
inspection.MEMORY_BYTES = pages * resource.getpagesize() + 60 * 2**20
inspection._main()
"""
    wish = [{"path": str(path), "kind": "image", "small": {"path": str(tmp_path / "it.webp")}}]

    ended = subprocess.run([sys.executable, "-c", program], input=json.dumps(wish), capture_output=True, text=True, check=True)

    assert json.loads(ended.stdout) == [{"error": "MediaLimitError", "what": "decoding it takes more memory than allowed"}]


async def test_a_looking_process_that_dies_is_told_as_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genmedia.media.sys.executable", "/bin/false")

    assert isinstance(await refusal(tmp_path / "it.png"), MediaLimitError)


async def test_each_file_gets_its_own_verdict_in_order(tmp_path: Path) -> None:
    good, bad = picture(tmp_path / "good.png", "PNG"), cut(picture(tmp_path / "bad.png", "PNG"), 0.5)

    verdicts = await inspect_files([Candidate(good), Candidate(bad), Candidate(good)])

    assert [type(verdict) for verdict in verdicts] == [MediaFacts, DamagedMediaError, MediaFacts]


def test_the_facts_for_a_sidecar_are_those_that_apply() -> None:
    assert MediaFacts("image/png", 96, 64).facts() == {"media_type": "image/png", "width": 96, "height": 64}
    assert MediaFacts("video/mp4").kind == "video"


def test_the_process_that_waits_for_jobs_never_loads_a_decoder() -> None:
    program = "import sys, genmedia.media, genmedia.receiving; print({'av', 'PIL', 'numpy'} & set(sys.modules))"

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ended.stdout == "set()\n"
