"""What a file really is: found by its content, in a process that cannot hurt this one."""

import asyncio
import json
import os
import re
import select
import signal
import socket
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
from genmedia.media import video as videos
from genmedia.media.facts import GROUND, Candidate, MediaFacts, SmallCopy
from genmedia.media.probe import SURROUNDINGS, WORKER, inspect_file, inspect_files
from tests import corpus, example_assets

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
    assert await inspect_file(picture(tmp_path / "it.bin", form)) == MediaFacts(
        PICTURES[form], 96, 64, mode="P" if form == "GIF" else "RGB"
    )


@pytest.mark.parametrize(
    ("name", "codec", "media_type", "found"),
    [
        ("it.mp4", "libx264", "video/mp4", "h264"),
        ("it.webm", "libvpx-vp9", "video/webm", "vp9"),
        ("it.mov", "libx264", "video/quicktime", "h264"),
    ],
)
async def test_a_film_tells_its_size_length_and_pace(tmp_path: Path, name: str, codec: str, media_type: str, found: str) -> None:
    assert await inspect_file(film(tmp_path / name, codec)) == MediaFacts(media_type, 64, 48, 2.0, 12.0, 24, found, audio=False)


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


async def look_closely(path: Path) -> tuple[MediaFacts, Image.Image]:
    """The facts of a picture, and its thumbnail."""
    small = path.with_name("small.png")
    (facts,) = await inspect_files([Candidate(path, "image", SmallCopy(small, format="PNG"))])
    assert isinstance(facts, MediaFacts)
    with Image.open(small) as opened:
        opened.load()
    return facts, opened


def halves(mode: str, left: Any, right: Any, size: tuple[int, int] = (960, 640)) -> Image.Image:
    made = Image.new(mode, size, left)
    made.paste(right, (size[0] // 2, 0, *size))
    return made


@pytest.mark.parametrize(
    ("made", "form", "mode", "left", "right"),
    [
        (halves("CMYK", (0, 255, 255, 0), (255, 255, 0, 0)), "JPEG", "CMYK", (255, 0, 0), (0, 0, 255)),
        (halves("L", 0, 200), "JPEG", "L", (0, 0, 0), (200, 200, 200)),
        (halves("I;16", 0x4040, 0xC0C0), "PNG", "I;16", (64, 64, 64), (192, 192, 192)),
        (halves("RGBA", (9, 9, 9, 0), (255, 0, 0, 255)), "PNG", "RGBA", GROUND, (255, 0, 0)),
        (halves("RGBA", (9, 9, 9, 0), (255, 0, 0, 255)), "WEBP", "RGBA", GROUND, (255, 0, 0)),
        (halves("RGBA", (9, 9, 9, 0), (255, 0, 0, 255)).quantize(2), "PNG", "P", GROUND, (255, 0, 0)),
        (halves("LA", (9, 0), (255, 255)), "PNG", "LA", GROUND, (255, 255, 255)),
        (halves("1", 0, 1), "PNG", "1", (0, 0, 0), (255, 255, 255)),
    ],
)
async def test_a_thumbnail_has_the_colours_of_the_picture_however_these_are_kept(
    tmp_path: Path, made: Image.Image, form: str, mode: str, left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    made.save(tmp_path / "it", form)

    facts, small = await look_closely(tmp_path / "it")

    assert facts.mode == mode
    assert facts.warnings == ()
    assert small.size == (480, 320)
    assert np.abs(np.array(small.getpixel((60, 160))) - left).max() <= 3
    assert np.abs(np.array(small.getpixel((420, 160))) - right).max() <= 3


@pytest.mark.parametrize(("turn", "top"), [(1, True), (3, False), (6, True), (8, False)])
async def test_a_turned_photo_is_upright_in_its_thumbnail(tmp_path: Path, turn: int, top: bool) -> None:
    """White comes first in the file: on the left, so it is at the top once turned to the right."""
    exif = Image.Exif()
    exif[0x0112] = turn
    halves("RGB", "white", "black").save(tmp_path / "it.jpg", exif=exif)

    _, small = await look_closely(tmp_path / "it.jpg")

    first = small.convert("L").getpixel((40, 40))
    assert first == (255 if top else 0)
    assert small.size == ((480, 320) if turn < 5 else (320, 480))


@pytest.mark.parametrize(
    ("colour", "says"), [((7, 8, 9, 255), "of one colour"), ((7, 8, 9, 100), "of one colour"), ((7, 8, 9, 0), "transparent")]
)
async def test_a_picture_with_nothing_on_it_is_passed_with_a_warning(tmp_path: Path, colour: tuple[int, ...], says: str) -> None:
    Image.new("RGBA", (96, 64), colour).save(tmp_path / "it.png")

    facts = await inspect_file(tmp_path / "it.png")

    (warning,) = facts.warnings
    assert says in warning
    assert "warnings" not in facts.facts()


async def test_a_photo_of_fifty_megapixels_is_passed(tmp_path: Path) -> None:
    facts = await inspect_file(picture(tmp_path / "it.jpg", "JPEG", (8192, 6144)))

    assert (facts.width, facts.height, facts.warnings) == (8192, 6144, ())


async def test_sound_in_a_film_is_told(tmp_path: Path) -> None:
    (tmp_path / "it.mp4").write_bytes(corpus.film(audio=True))

    assert (await inspect_file(tmp_path / "it.mp4")).audio is True


async def test_a_film_that_stands_still_for_half_of_its_time_only_has_no_warning(tmp_path: Path) -> None:
    frames = [corpus.noise(64, 48, max(0, number - 24)) for number in range(48)]
    (tmp_path / "it.mp4").write_bytes(corpus.film(frames))

    assert (await inspect_file(tmp_path / "it.mp4")).warnings == ()


async def test_a_film_too_long_to_decode_is_sampled_where_a_seek_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "it.mp4").write_bytes(corpus.film(corpus.noise(64, 48, number) for number in range(48)))
    monkeypatch.setattr(videos, "DECODED_PIXELS", 1)

    facts = videos.look_at_video(tmp_path / "it.mp4", "video/mp4", SmallCopy(tmp_path / "it.webp"))

    assert facts.warnings == ()
    assert (tmp_path / "it.webp").stat().st_size


@pytest.mark.parametrize("decoded", [1_000_000, 100_000])
async def test_in_a_film_that_begins_anew_again_and_again_something_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded: int
) -> None:
    frames = [corpus.noise(64, 48, number % 12) for number in range(96)]
    (tmp_path / "it.mp4").write_bytes(corpus.film(frames))
    monkeypatch.setattr(videos, "DECODED_PIXELS", decoded)

    assert videos.look_at_video(tmp_path / "it.mp4", "video/mp4", None).warnings == ()


@pytest.mark.parametrize("suffix", ["mp4", "webm"])
async def test_sound_may_outlast_the_picture(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "it").write_bytes(corpus.film(suffix=suffix, audio=True, sound_seconds=3))

    facts = await inspect_file(tmp_path / "it")

    assert facts.duration == pytest.approx(3, abs=0.1)
    assert (facts.audio, facts.warnings) == (True, ())


def trim(film: bytes, start: float, seconds: float) -> bytes:
    """The film with an edit list that shows so much of it, as those who cut without encoding anew write it."""
    place, (scale,) = film.index(b"elst"), struct.unpack_from(">I", film, film.index(b"mdhd") + 16)
    made = bytearray(film)
    struct.pack_into(">Ii", made, place + 12, int(seconds * 1000), int(start * scale))
    return bytes(made)


@pytest.mark.parametrize(("start", "seconds"), [(0.0, 1.0), (1.5, 0.5), (1.0, 0.5)])
async def test_a_film_of_which_an_edit_list_shows_a_part_is_whole(tmp_path: Path, start: float, seconds: float) -> None:
    (tmp_path / "it.mp4").write_bytes(trim(corpus.film(), start, seconds))

    facts = await inspect_file(tmp_path / "it.mp4")

    assert (facts.duration, facts.warnings) == (seconds, ())


async def test_a_film_on_its_side_is_told_and_shown_as_people_see_it(tmp_path: Path) -> None:
    made = bytearray(corpus.film())
    place = made.index(b"tkhd") + 44
    made[place : place + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 48 << 16, 0, 0x40000000)
    (tmp_path / "it.mp4").write_bytes(made)

    facts = await inspect_files([Candidate(tmp_path / "it.mp4", "video", SmallCopy(tmp_path / "it.webp"))])

    assert isinstance(facts[0], MediaFacts)
    assert (facts[0].width, facts[0].height) == (48, 64)
    with Image.open(tmp_path / "it.webp") as small:
        assert small.size == (48, 64)


async def test_a_film_with_the_largest_pictures_gets_a_thumbnail_within_the_memory(tmp_path: Path) -> None:
    (tmp_path / "it.mp4").write_bytes(corpus.film(corpus.noise(3840, 2160, number) for number in range(3)))

    (facts,) = await inspect_files([Candidate(tmp_path / "it.mp4", "video", SmallCopy(tmp_path / "it.webp"))])

    assert isinstance(facts, MediaFacts)
    assert (tmp_path / "it.webp").stat().st_size


async def test_pictures_that_take_too_much_memory_are_no_damage(tmp_path: Path) -> None:
    (tmp_path / "it.mp4").write_bytes(corpus.film(Image.new("RGB", (7680, 4320), shade) for shade in ("red", "blue")))

    assert isinstance(await refusal(tmp_path / "it.mp4", "video"), MediaLimitError)


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
    content = bytearray(path.read_bytes()[:last])
    start = content.index(b"mdat") - 4
    content[start : start + 4] = bytes(4)  # its pictures go on until the end
    path.write_bytes(content)

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
    assert error.what == "it should be a video, but is a picture (image/png)"


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


@pytest.mark.parametrize("forks", [True, False])
async def test_a_look_that_takes_too_long_ends_with_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forks: bool
) -> None:
    if not forks:
        monkeypatch.delattr(os, "fork")
    files = [picture(tmp_path / "it.png", "PNG"), picture(tmp_path / "too.png", "PNG")]

    verdicts = await inspect_files([Candidate(file) for file in files], deadline=0)

    assert [type(verdict) for verdict in verdicts] == [MediaLimitError, MediaLimitError]
    assert "more than 0 s" in str(verdicts[0])


@pytest.mark.parametrize("said", ["", '[{"path": "/tmp/a'])
def test_a_looking_process_ends_without_a_word_when_whoever_asked_was_killed(said: str) -> None:
    with WORKER.ask() as asked:
        asked.sendall(said.encode())
        asked.shutdown(socket.SHUT_WR)
        with asked.makefile() as answer:
            process, *told = answer.read().splitlines()

    assert told == []
    try:
        ended = os.pidfd_open(int(process))
    except ProcessLookupError:
        return  # it was faster
    try:
        assert select.select([ended], [], [], 60) == ([ended], [], []), "it is still there"
    finally:
        os.close(ended)


def looking_process(changed: str, *paths: Path) -> list[dict[str, Any]]:
    """What the looking process says once something in it was changed."""
    program = f"import json, sys\nfrom genmedia.media import worker as inspection\n{changed}\n"
    program += "json.dump(inspection.work_within_limits(json.load(sys.stdin)), sys.stdout)"
    wish = [{"path": str(path), "kind": "", "small": None} for path in paths]
    ended = subprocess.run([sys.executable, "-c", program], input=json.dumps(wish), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ended.stdout)


def test_a_look_at_a_picture_imports_nothing_that_every_fork_would_import_anew(tmp_path: Path) -> None:
    changed = """
look = inspection._look
def looking(candidate):
    before = set(sys.modules)
    facts = look({**candidate, "small": {"path": candidate["path"] + ".webp"}})
    return {"media_type": facts["media_type"], "imported": sorted(set(sys.modules) - before)}
inspection._look = looking"""

    said = looking_process(changed, *(picture(tmp_path / form, form) for form in PICTURES))

    assert said == [{"media_type": media_type, "imported": []} for media_type in PICTURES.values()]


@pytest.mark.parametrize(
    ("end", "error", "what"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "MediaLimitError", "was killed"),
        ("os.kill(os.getpid(), signal.SIGXCPU)", "MediaLimitError", "more than 20 s of computing"),
        ("sys.exit(1)", "DamagedMediaError", "broke"),
    ],
)
def test_a_file_that_ends_the_look_at_it_does_not_end_that_at_the_next(tmp_path: Path, end: str, error: str, what: str) -> None:
    good, bad = picture(tmp_path / "good.png", "PNG"), picture(tmp_path / "bad.png", "PNG")
    changed = f"""
import os, signal, sys
look = inspection._look
def ending(candidate):
    if candidate["path"].endswith("bad.png"):
        {end}
    return look(candidate)
inspection._look = ending"""

    first, second, third = looking_process(changed, good, bad, good)

    assert first == third
    assert first["media_type"] == "image/png"
    assert second["error"] == error
    assert what in second["what"]


def test_a_file_that_computes_without_end_is_stopped(tmp_path: Path) -> None:
    changed = "inspection.CPU_SECONDS = 1\ndef look(candidate):\n    while True: pass\ninspection._look = look"

    (said,) = looking_process(changed, tmp_path / "it.png")

    assert said == {"error": "MediaLimitError", "what": "looking at it takes more than 1 s of computing"}


def test_what_takes_too_much_memory_ends_as_a_limit(tmp_path: Path) -> None:
    (said,) = looking_process("inspection.MEMORY_BYTES = 40 * 2**20", flat_png(tmp_path / "it.png", 7_000, 7_000))

    assert said == {"error": "MediaLimitError", "what": "decoding it takes more memory than allowed"}


async def test_a_looking_process_that_dies_is_told_as_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = picture(tmp_path / "it.png", "PNG")
    WORKER.end()
    with monkeypatch.context() as patch:
        patch.setattr("genmedia.media.probe.sys.executable", "/bin/false")
        assert isinstance(await refusal(path), MediaLimitError)

    assert (await inspect_file(path)).media_type == "image/png"


async def test_a_looking_process_is_kept_for_the_next_file_and_replaced_when_it_is_gone(tmp_path: Path) -> None:
    path = picture(tmp_path / "it.png", "PNG")

    async def used() -> int:
        await inspect_file(path)
        assert WORKER.process
        return WORKER.process.pid

    kept = await used()
    assert await used() == kept
    os.kill(kept, signal.SIGKILL)
    await asyncio.to_thread(os.waitid, os.P_PID, kept, os.WEXITED | os.WNOWAIT)

    assert await used() != kept


async def test_what_looks_cost_is_counted_for_the_process_that_is_kept(tmp_path: Path) -> None:
    path = picture(tmp_path / "it.png", "PNG", (1024, 768))

    def computed_by_forks() -> int:
        assert WORKER.process
        fields = Path(f"/proc/{WORKER.process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[13]) + int(fields[14])  # of children that were waited for, in hundredths of a second; see proc(5)

    await inspect_file(path)
    before = computed_by_forks()
    while computed_by_forks() == before:
        await inspect_file(path)


async def test_a_looking_process_that_stands_still_is_replaced_after_the_deadline(tmp_path: Path) -> None:
    path = picture(tmp_path / "it.png", "PNG")
    await inspect_file(path)
    assert WORKER.process
    os.kill(WORKER.process.pid, signal.SIGSTOP)

    (verdict,) = await inspect_files([Candidate(path)], deadline=0.2)

    assert isinstance(verdict, MediaLimitError)
    assert (await inspect_file(path)).media_type == "image/png"


async def test_a_relative_name_is_looked_up_where_the_process_that_asks_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await inspect_file(picture(tmp_path / "before.png", "PNG"))
    picture(tmp_path / "it.png", "PNG")
    monkeypatch.chdir(tmp_path)

    assert (await inspect_file(Path("it.png"))).media_type == "image/png"


async def test_each_file_gets_its_own_verdict_in_order(tmp_path: Path) -> None:
    good, bad = picture(tmp_path / "good.png", "PNG"), cut(picture(tmp_path / "bad.png", "PNG"), 0.5)

    verdicts = await inspect_files([Candidate(good), Candidate(bad), Candidate(good)])

    assert [type(verdict) for verdict in verdicts] == [MediaFacts, DamagedMediaError, MediaFacts]


async def test_without_fork_each_file_is_looked_at_in_a_new_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, huge = picture(tmp_path / "good.png", "PNG"), flat_png(tmp_path / "huge.png", 12_000, 12_000)
    wish = [
        Candidate(good, "image", SmallCopy(tmp_path / "small.webp")),
        Candidate(huge),
        Candidate(tmp_path / "none.png"),
        Candidate(good),
    ]
    forked = await inspect_files(wish)
    (tmp_path / "small.webp").unlink()
    WORKER.end()
    monkeypatch.delattr(os, "fork")

    alone = await inspect_files(wish)

    assert [type(verdict) for verdict in alone] == [MediaFacts, MediaLimitError, DamagedMediaError, MediaFacts]
    assert list(map(str, alone)) == list(map(str, forked))
    assert (tmp_path / "small.webp").stat().st_size
    assert WORKER.process is None


async def test_without_fork_a_process_that_breaks_is_told_as_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    monkeypatch.setattr("genmedia.media.probe.sys.executable", "/bin/false")

    error = await refusal(picture(tmp_path / "it.png", "PNG"))

    assert isinstance(error, MediaLimitError)
    assert "was killed or broke" in error.what


async def test_without_fork_the_process_ends_with_the_wait_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python, number = tmp_path / "python", tmp_path / "number"
    python.write_text(f"#!/bin/sh\necho $$ > {number}.new; mv {number}.new {number}; exec sleep 600\n")
    python.chmod(0o700)
    monkeypatch.delattr(os, "fork")
    monkeypatch.setattr("genmedia.media.probe.sys.executable", str(python))

    waiting = asyncio.create_task(inspect_file(picture(tmp_path / "it.png", "PNG")))
    while not number.exists():
        await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait([waiting])

    with pytest.raises(ProcessLookupError):
        os.kill(int(number.read_text()), 0)


def test_the_facts_for_a_sidecar_are_those_that_apply() -> None:
    assert MediaFacts("image/png", 96, 64).facts() == {"media_type": "image/png", "width": 96, "height": 64}
    assert MediaFacts("video/mp4").kind == "video"


def test_the_process_that_waits_for_jobs_never_loads_a_decoder() -> None:
    program = "import sys, genmedia.media.probe, genmedia.purchasing.receive; print({'av', 'PIL', 'numpy'} & set(sys.modules))"

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ended.stdout == "set()\n"


async def test_the_picture_at_a_second_of_a_video_is_the_one_that_is_seen_then(tmp_path: Path) -> None:
    """The film gets lighter all the time."""
    path = tmp_path / "film.mp4"
    path.write_bytes(example_assets.film(path))
    copies = [SmallCopy(tmp_path / f"{at}.png", 4096, "PNG", 2**24, at) for at in (0.0, 0.5, 1.5, "last")]

    verdicts = await inspect_files([Candidate(path, "video", copy) for copy in copies])

    assert all(isinstance(verdict, MediaFacts) for verdict in verdicts)
    pictures = [Image.open(copy.path).convert("L") for copy in copies]
    greys = [np.asarray(picture).mean() for picture in pictures]
    assert greys[0] < greys[1] < greys[2] < greys[3]
    assert {picture.size for picture in pictures} == {(128, 96)}


async def test_no_other_picture_stands_for_one_beyond_the_end_of_a_video(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(example_assets.film(path))

    (verdict,) = await inspect_files([Candidate(path, "video", SmallCopy(tmp_path / "it.png", 4096, "PNG", 2**24, 99))])

    assert isinstance(verdict, DamagedMediaError)
    assert re.search(r"no picture at 99 s: it lasts [\d.]+ s", verdict.what)


async def test_the_process_that_decodes_strangers_files_is_told_no_key_and_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FLORA_API_KEY", "AWS_SECRET_ACCESS_KEY", "GENMEDIA_JOURNAL_URL", "PREFECT_API_AUTH_STRING", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "s3cret-word")
    WORKER.end()

    facts = await inspect_file(Path(__file__).parents[2] / "photos" / "coffee.jpg")

    assert WORKER.process
    told = Path(f"/proc/{WORKER.process.pid}/environ").read_bytes().decode()
    environment = dict(one.split("=", 1) for one in told.split("\0") if one)
    assert facts.media_type == "image/jpeg"
    assert "s3cret-word" not in environment.values()
    assert set(environment) <= set(SURROUNDINGS)
    assert environment["PATH"]
