"""Inspection of videos: completeness, decoding, duration and sound, and warnings about empty or frozen pictures."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
import av.error
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image, ImageChops

from genmedia.errors import DamagedMediaError, MediaLimitError, MediaTypeError
from genmedia.media.facts import MediaFacts, SmallCopy
from genmedia.media.picture import highest, is_one_colour, save_small
from genmedia.media.truncation import check_length

PACKETS = 500_000
"""Most pictures of a video: more than two hours at 60 pictures a second."""
PIXELS = 2**24
"""Most pixels of a picture that is decoded: more than 4K, less than 8K, which takes more memory than allowed."""
SAMPLES = 8
DECODED_PIXELS = 300_000_000
"""Most pixels decoded to reach the samples (six seconds of 1920 x 1080); in a longer video the samples are found by seeking."""

DEMUXERS = {"video/mp4": "mov", "video/quicktime": "mov", "video/webm": "matroska"}
"""FFmpeg's demuxer for each media type. It is named, because FFmpeg could take a file for a playlist that leads to other files."""
GOLDEN = 0.618
_SAMPLE_SIZE = (64, 36)
_ALIKE = 8
"""Largest difference, of 255, between samples that count as equal: compression leaves a little noise."""


@dataclass
class _Stream:
    """Facts from the packets, in the stream's own units of time; `reach` is the end of the last packet of any stream, in seconds."""

    pictures: int
    keys: list[int]
    start: int
    last: int
    end: int
    reach: float


def look_at_video(path: Path, media_type: str, small: SmallCopy | None) -> MediaFacts:
    """Return the facts of a video, after all of it was read and samples of it were decoded; write the smaller picture, if any.

    Raises:
        DamagedMediaError: The video is cut short, or does not decode.
        MediaLimitError: It has more than `PACKETS` pictures, or pictures of more than `PIXELS`.
        MediaTypeError: It has no pictures, only sound.
    """
    check_length(path, media_type)
    try:
        with path.open("rb") as file, av.open(file, "r", format=DEMUXERS[media_type]) as container:
            if not container.streams.video:
                raise MediaTypeError(f"it is {media_type} without a picture")
            stream = container.streams.video[0]
            if not stream.codec_context:
                raise DamagedMediaError("it does not say how its pictures are coded, or in a way that is not known")
            codec = stream.codec_context
            if codec.width * codec.height > PIXELS:
                raise MediaLimitError(f"its pictures have {codec.width} x {codec.height} pixels; at most {PIXELS} are decoded")
            codec.thread_count = 1  # each thread keeps pictures of its own
            found = _demux(container, stream)
            if found.pictures < stream.frames and (counted := _count_all(path, media_type)) < stream.frames:
                raise DamagedMediaError(f"it should have {stream.frames} pictures, but has {counted}")
            duration = _duration(container, found)
            turned, warnings = _look_at_samples(container, stream, found, duration, small)
            return MediaFacts(
                media_type,
                *((codec.height, codec.width) if turned else (codec.width, codec.height)),
                round(duration, 3),
                float(stream.average_rate) if stream.average_rate else None,
                found.pictures,
                codec.codec.canonical_name,
                audio=bool(container.streams.audio),
                warnings=warnings,
            )
    except MemoryError:
        raise
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise DamagedMediaError(f"it does not decode as {media_type}: {getattr(error, 'strerror', None) or error}") from None


def _demux(container: InputContainer, stream: VideoStream) -> _Stream:
    found = _Stream(0, [], 0, 0, 0, 0.0)
    times: list[int] = []
    for packet in container.demux():
        if packet.is_corrupt and packet.stream is stream:
            raise DamagedMediaError(f"it breaks off in picture {found.pictures + 1}")
        if not packet.size:
            continue
        begin, end = packet.pts, (packet.pts or 0) + (packet.duration or 0)
        found.reach = max(found.reach, float(end * packet.time_base))
        if packet.stream is not stream:
            continue
        found.pictures += 1
        if found.pictures > PACKETS:
            raise MediaLimitError(f"it has more than {PACKETS} pictures")
        if begin is not None and packet.is_keyframe:
            found.keys.append(begin)
        if begin is not None and not packet.is_discard:  # an edit list leaves this picture out; other pictures may need it
            times.append(begin)
            found.end = max(found.end, end)
    found.start, found.last = min(times, default=0), max(times, default=0)
    found.keys.sort()
    if not found.pictures:
        raise DamagedMediaError("it has no pictures")
    return found


def _count_all(path: Path, media_type: str) -> int:
    """Return the number of pictures in the file, with those that an edit list leaves out."""
    options = {"ignore_editlist": "1"}
    with path.open("rb") as file, av.open(file, "r", format=DEMUXERS[media_type], options=options) as container:
        return sum(1 for packet in container.demux(video=0) if packet.size)


def _duration(container: InputContainer, found: _Stream) -> float:
    promised = float(container.duration or 0) / av.time_base
    if found.reach < promised - max(0.25, promised * 0.02):
        raise DamagedMediaError(f"it should last {promised:.1f} s, but ends at {found.reach:.1f} s")
    if not (duration := promised or found.reach):
        raise DamagedMediaError("it lasts no time")
    return duration


def _look_at_samples(
    container: InputContainer, stream: VideoStream, found: _Stream, duration: float, small: SmallCopy | None
) -> tuple[bool, tuple[str, ...]]:
    """Return True if the video is shown turned by 90 degrees, and the warnings about it; write the smaller picture, if any."""
    samples: list[Image.Image] = []
    times: list[float] = []
    poster = None
    for frame in _sample(container, stream, found):
        samples.append(cast("Image.Image", frame.reformat(*_SAMPLE_SIZE, "rgb24", interpolation="AREA").to_image()))
        times.append(frame.time or 0)
        poster = frame if len(samples) <= SAMPLES // 2 + 1 else poster
    if poster is None:
        raise DamagedMediaError("its pictures do not decode")
    turned = poster.rotation % 180 == 90
    if small:
        shown = (
            poster
            if small.at is None
            else _picture_at(container, stream, found, duration, duration if small.at == "last" else small.at)
        )
        save_small(_scaled(shown, small.side), small)
    spread = times[-1] - times[0] >= duration / 3
    if all(is_one_colour(sample, _ALIKE) for sample in samples) and (spread or len(samples) < SAMPLES):
        return turned, ("nothing is to be seen: each of its pictures is of one colour",)
    frozen = all(highest(ImageChops.difference(samples[0], sample)) <= _ALIKE for sample in samples)
    if frozen and duration > 1 and spread:
        return turned, ("nothing moves: it shows the same picture throughout",)
    return turned, ()


def _scaled(frame: VideoFrame, side: int) -> Image.Image:
    """Return the picture as it is shown, with sides of at most `side` pixels: at full size the largest would take too much memory."""
    scale = min(1.0, side / max(frame.width, frame.height))
    width, height = (max(1, round(pixels * scale)) for pixels in (frame.width, frame.height))
    picture = cast("Image.Image", frame.reformat(width, height, "rgb24", interpolation="AREA").to_image())
    return picture.rotate(frame.rotation, expand=True) if frame.rotation else picture


def _picture_at(container: InputContainer, stream: VideoStream, found: _Stream, duration: float, seconds: float) -> VideoFrame:
    """Return the picture that is shown at a second of the video: the last one that begins no later."""
    assert stream.time_base
    if seconds > duration:
        raise DamagedMediaError(f"it has no picture at {seconds:g} s: it lasts {duration:g} s")
    wanted = found.start + int(seconds / stream.time_base)
    container.seek(wanted, stream=stream)
    shown = None
    for frame in container.decode(stream):
        if shown is not None and (frame.pts or 0) > wanted:
            break
        shown = frame
    if shown is None:
        raise DamagedMediaError(f"it has no picture at {seconds:g} s")
    return shown


def _sample(container: InputContainer, stream: VideoStream, found: _Stream) -> Iterator[VideoFrame]:
    """Yield a picture from each eighth of the video; where that is too much to decode, a picture close to where a seek into it leads.

    The pictures are never at equal distances, from each other or from the key picture before: a motion that repeats would look frozen.
    """
    codec, frames = stream.codec_context, cast("Iterator[VideoFrame]", iter(()))
    reached, left = -1, DECODED_PIXELS
    short, span = found.pictures * codec.width * codec.height <= DECODED_PIXELS, found.end - found.start
    for number in range(SAMPLES):
        begin = found.start + span * number // SAMPLES
        wanted = begin + int(span / SAMPLES * (0.25 + 0.5 * (number * GOLDEN % 1)))
        key = found.keys[max(0, bisect_right(found.keys, wanted) - 1)] if found.keys else found.start
        wanted, more = (wanted, 0) if short or key < begin else (key, number)
        if not number or key > reached:
            container.seek(key, stream=stream)
            frames = container.decode(stream)
        frame = None
        for frame in frames:
            reached, left = max(reached, frame.pts or 0), left - frame.width * frame.height
            more -= reached >= wanted
            if more < 0 or left < 0:
                break
        else:  # the last picture is shown until the end
            if reached < found.last:
                raise DamagedMediaError("its last pictures do not decode")
        if frame is None:
            break
        yield frame
