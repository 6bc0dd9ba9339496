"""Videos made of videos, as MP4 with H.264 and AAC, and pictures taken from them."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.filter import Graph
from av.video.frame import PictureType, VideoFrame
from numpy.typing import NDArray

from genmedia.errors import DamagedMediaError, MediaError, MediaLimitError
from genmedia.media.facts import MediaFacts, SmallCopy
from genmedia.media.making import LARGEST_SIDE
from genmedia.media.operations.encoding import media_type, read_picture, write_picture
from genmedia.media.sound import DEMUXERS as SOUNDS
from genmedia.media.video import DEMUXERS, look_at_video

FASTEST = 60
"""Most pictures a second of a video that is made."""

LONGEST = 3600.0
"""Longest video that is made, in seconds."""

_TICKS = 90_000
"""Units of time in a second of a video that is made."""

_SAMPLES = 48_000
"""Samples of sound in a second of a video that is made."""

_X264 = {"crf": "18", "preset": "medium", "threads": "1", "x264-params": "mbtree=0"}
"""A quality at which no difference is seen; one thread, for the pictures of each count against what this process may use; and no tree of
macroblocks, with which the same pictures give other bytes now and then."""

_MP4 = {"movflags": "+faststart", "fflags": "+bitexact"}
_TURNS = {90: "transpose=cclock", 180: "hflip,vflip", 270: "transpose=clock"}
"""FFmpeg's filters for turns against the clock, in degrees."""

Samples = NDArray[np.float32]


def frame(inputs: list[Path], options: dict[str, Any], path: Path) -> None:
    """Take a picture from a video: `at` is a second of it, `first`, `last`, or `poster` for the one in the middle.

    Raises:
        MediaError: There is no such picture.
    """
    at = options["at"]
    place = 0.0 if at == "first" else None if at == "poster" else at
    taken = path.with_name(f"{path.name}.png")
    try:
        look_at_video(inputs[0], media_type(inputs[0], "video"), SmallCopy(taken, LARGEST_SIDE, "PNG", at=place, clear=True))
        picture, _ = read_picture(taken)
    finally:
        taken.unlink(missing_ok=True)
    write_picture(picture, options, path, "png")


def trim(inputs: list[Path], options: dict[str, Any], path: Path) -> None:
    """Make a video of a part of another: from `start` to before `end`, in seconds.

    Raises:
        MediaError: There is no such part.
    """
    facts = _facts(inputs[0])
    length = facts.duration or 0.0
    start, end = options.get("start") or 0.0, min(options.get("end") or length, length)
    if start >= end:
        raise DamagedMediaError(f"it has nothing from {start:g} s on: it lasts {length:g} s")
    _cut([(inputs[0], start, end)], facts, path, sound=bool(facts.audio), fit="pad")


def concatenate(inputs: list[Path], options: dict[str, Any], path: Path) -> None:
    """Make one video of several, one after the other, in the size and at the rate of the first.

    One of another size is scaled: by `fit` it is shown whole, on black (`pad`), or fills the picture (`cover`).

    Raises:
        MediaError: One of them is not sound.
    """
    films: list[MediaFacts] = []
    for number, one in enumerate(inputs, 1):
        with _named(number):
            films.append(_facts(one))
    lengths = [film.duration or 0.0 for film in films]
    if sum(lengths) > LONGEST:
        raise MediaLimitError(f"together they last {sum(lengths):g} s, more than {LONGEST:g}")
    parts = [(one, 0.0, length) for one, length in zip(inputs, lengths, strict=True)]
    _cut(parts, films[0], path, sound=any(film.audio for film in films), fit=options.get("fit", "pad"))


def sound(inputs: list[Path], options: dict[str, Any], path: Path) -> None:  # noqa: ARG001 # the inputs say it all
    """Make the same video without sound, or with that of a second file, which ends where the video does; its pictures stay as they are.

    Raises:
        MediaError: An input is not sound, or its pictures cannot be kept in an MP4.
    """
    facts = _facts(inputs[0])
    with _explained(), _open(inputs[0]) as film, av.open(str(path), "w", format="mp4", options=_MP4) as made:
        shown = film.streams.video[0]
        pictures = made.add_stream_from_template(shown)
        heard = _Heard(inputs[1], 0.0) if len(inputs) > 1 else None
        voice = _voice(made) if heard else None
        first = shown.start_time or 0
        position = 0
        for packet in film.demux(shown):
            if packet.dts is None:
                continue
            packet.pts = (packet.pts if packet.pts is not None else packet.dts) - first
            packet.dts -= first
            packet.stream = pictures
            if heard and voice:
                position = _say(made, voice, heard, position, min(float(packet.pts * packet.time_base), facts.duration or 0.0))
            made.mux(packet)
        if heard and voice:
            _say(made, voice, heard, position, facts.duration or 0.0)
            made.mux(voice.encode(None))
            heard.close()


def _facts(path: Path) -> MediaFacts:
    """Return the facts of a video, of which all was read.

    Raises:
        MediaError: It is no video, or not sound, or longer than `LONGEST`.
    """
    facts = look_at_video(path, media_type(path, "video"), None)
    if (facts.duration or 0.0) > LONGEST:
        raise MediaLimitError(f"it lasts {facts.duration:g} s, more than {LONGEST:g}")
    return facts


@contextmanager
def _named(number: int) -> Generator[None]:
    """Name the video that a fault found in the block is of."""
    try:
        yield
    except MediaError as error:
        raise type(error)(f"video {number}: {error.what}") from None


@contextmanager
def _explained() -> Generator[None]:
    """Turn FFmpeg's errors into ours."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise DamagedMediaError(f"it cannot be made: {error.strerror or error}") from None


def _open(path: Path) -> AbstractContextManager[InputContainer]:
    """Open a video or a sound; the demuxer is named, because FFmpeg could take a file for a playlist that leads to other files."""
    with path.open("rb") as file:
        kind = media_type(path, "")
        del file
    return av.open(str(path), "r", format=(DEMUXERS | SOUNDS)[kind])


def _cut(parts: Sequence[tuple[Path, float, float]], like: MediaFacts, path: Path, *, sound: bool, fit: str) -> None:
    """Make one video of parts of others: of each path what is from one second to before another."""
    width, height = ((one or 2) + (one or 2) % 2 for one in (like.width, like.height))  # H.264 has no odd sides
    rate = Fraction(min(like.fps or 25, FASTEST)).limit_denominator(1001)
    with _explained(), av.open(str(path), "w", format="mp4", options=_MP4) as made:
        pictures = made.add_stream("libx264", rate=rate, options=_X264)
        pictures.width, pictures.height, pictures.pix_fmt = width, height, "yuv420p"
        pictures.codec_context.time_base = Fraction(1, _TICKS)
        with _open(parts[0][0]) as first:  # how its colours are meant: players guess it where it is not told
            for name in ("color_range", "color_primaries", "color_trc", "colorspace"):
                setattr(pictures.codec_context, name, getattr(first.streams.video[0].codec_context, name))
        voice = _voice(made) if sound else None
        begun, position = 0, 0
        for number, (one, start, end) in enumerate(parts, 1):
            with _named(number) if len(parts) > 1 else _nothing():
                count = max(1, round((end - start) * rate))
                with _Shown(one, start, rate, (width, height), fit) as shown:
                    heard = _Heard(one, start) if voice else None
                    for place, picture in enumerate(shown.pictures(count)):
                        picture.pts = round((begun + place) * _TICKS / rate)
                        picture.time_base = Fraction(1, _TICKS)
                        picture.pict_type = PictureType.NONE  # that of the source would be kept
                        made.mux(pictures.encode(picture))
                        if voice and heard:
                            position = _say(made, voice, heard, position, float((begun + place + 1) / rate))
                    if heard:
                        heard.close()
                begun += count
        made.mux(pictures.encode(None))
        if voice:
            made.mux(voice.encode(None))


@contextmanager
def _nothing() -> Generator[None]:
    yield


def _voice(made: OutputContainer) -> AudioStream:
    voice = made.add_stream("aac", rate=_SAMPLES)
    voice.bit_rate, voice.layout = 192_000, "stereo"
    return voice


def _say(made: OutputContainer, voice: AudioStream, heard: "_Heard", position: int, until: float) -> int:
    """Write sound from a position, in samples, until a second; return the new position."""
    count = round(until * _SAMPLES) - position
    if count <= 0:
        return position
    said = AudioFrame.from_ndarray(heard.read(count), format="fltp", layout="stereo")
    said.sample_rate, said.pts, said.time_base = _SAMPLES, position, Fraction(1, _SAMPLES)
    made.mux(voice.encode(said))
    return position + count


class _Shown:
    """The pictures of a video from a second on, turned as they are shown, in one size, and at a steady rate."""

    def __init__(self, path: Path, start: float, rate: Fraction, size: tuple[int, int], fit: str) -> None:
        self._container = _open(path)
        self._start, self._rate, self._size, self._fit = start, rate, size, fit
        self._graph: tuple[Any, Graph] | None = None

    def __enter__(self) -> Self:
        self._film = self._container.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._container.__exit__(kind, error, trace)

    def pictures(self, count: int) -> Iterator[VideoFrame]:
        """Yield as many pictures: at each moment the last one that begins no later, as players show it.

        Raises:
            DamagedMediaError: It has no pictures there.
        """
        made, shown = 0, None
        for begins, picture in self._decoded():
            while shown is not None and made < count and self._start + made / self._rate < begins - 1e-6:
                yield shown
                made += 1
            if made == count:
                return
            if begins + 1 > self._start or shown is None:
                shown = self._fitted(picture) if begins <= self._start + count / self._rate or shown is None else shown
        if shown is None:
            raise DamagedMediaError(f"it has no picture at {self._start:g} s")
        for _ in range(count - made):
            yield shown

    def _decoded(self) -> Iterator[tuple[float, VideoFrame]]:
        """Yield pictures from the last key picture before the start, each with the second at which it begins."""
        stream = self._film.streams.video[0]
        stream.codec_context.thread_count = 1
        first, base = stream.start_time or 0, stream.time_base or Fraction(1, _TICKS)
        if self._start:
            self._film.seek(first + int(self._start / base), stream=stream)
        for picture in self._film.decode(stream):
            yield float(((picture.pts or 0) - first) * base), picture

    def _fitted(self, picture: VideoFrame) -> VideoFrame:
        """Return a picture in the size of the video that is made."""
        looks = picture.width, picture.height, picture.format.name, picture.rotation % 360
        if self._graph is None or self._graph[0] != looks:
            self._graph = looks, self._make_graph(picture)
        graph = self._graph[1]
        graph.push(picture)
        return cast("VideoFrame", graph.pull())

    def _make_graph(self, picture: VideoFrame) -> Graph:
        width, height = self._size
        turned = _TURNS.get(picture.rotation % 360, "")
        grown = "increase" if self._fit == "cover" else "decrease"
        fitted = f"crop={width}:{height}" if self._fit == "cover" else f"pad={width}:{height}:-1:-1:black"
        scaled = f"scale={width}:{height}:force_original_aspect_ratio={grown}:flags=lanczos+accurate_rnd+full_chroma_int"
        chain = ",".join(filter(None, (turned, scaled, fitted, "setsar=1", "format=yuv420p")))
        graph = Graph()
        source = graph.add_buffer(template=self._film.streams.video[0])
        last = source
        for part in chain.split(","):
            name, _, arguments = part.partition("=")
            following = graph.add(name, arguments or None)
            last.link_to(following)
            last = following
        last.link_to(graph.add("buffersink"))
        graph.configure()
        return graph


class _Heard:
    """The sound of a file from a second on, as samples of two channels; silence where it has none."""

    def __init__(self, path: Path, start: float) -> None:
        self._container = _open(path)
        self._file = self._container.__enter__()
        self._left: Samples = np.zeros((2, 0), np.float32)
        self._coming = self._decoded(start) if self._file.streams.audio else iter(())

    def close(self) -> None:
        """Close the file."""
        self._container.__exit__(None, None, None)

    def read(self, count: int) -> Samples:
        """Return the next samples; silence after the end."""
        while self._left.shape[1] < count and (some := next(self._coming, None)) is not None:
            self._left = np.concatenate([self._left, some], axis=1)
        taken, self._left = self._left[:, :count], self._left[:, count:]
        return np.ascontiguousarray(np.pad(taken, ((0, 0), (0, count - taken.shape[1]))))

    def _decoded(self, start: float) -> Iterator[Samples]:
        stream = self._file.streams.audio[0]
        resampler = AudioResampler("fltp", "stereo", _SAMPLES)
        # Times of a film count from its first picture.
        pictures = self._file.streams.video
        first = float((pictures[0].start_time or 0) * (pictures[0].time_base or 0)) if pictures else 0.0
        if start:
            self._file.seek(int((start + first) * av.time_base))
        wanted: int | None = None
        for part in self._file.decode(stream):
            if wanted is None:  # the samples before those that are wanted, or the silence before the sound begins
                wanted = round((start + first - (part.time or 0.0)) * _SAMPLES)
                if wanted < 0:
                    yield np.zeros((2, -wanted), np.float32)
                    wanted = 0
            for one in resampler.resample(part):
                samples = cast("Samples", one.to_ndarray())
                dropped = min(wanted, samples.shape[1])
                wanted -= dropped
                if dropped < samples.shape[1]:
                    yield samples[:, dropped:]
