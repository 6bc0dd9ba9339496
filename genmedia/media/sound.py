"""Inspection of sounds, which are inputs of videos that are made: that they decode, and how long they are."""

from pathlib import Path

import av
import av.error

from genmedia.errors import DamagedMediaError
from genmedia.media.facts import MediaFacts

DEMUXERS = {"audio/mpeg": "mp3", "audio/wav": "wav", "audio/mp4": "mov", "audio/ogg": "ogg", "audio/flac": "flac"}
"""FFmpeg's demuxer for each media type."""


def look_at_sound(path: Path, media_type: str) -> MediaFacts:
    """Return the facts of a sound, after all of it was decoded.

    Raises:
        DamagedMediaError: It does not decode.
    """
    try:
        with path.open("rb") as file, av.open(file, "r", format=DEMUXERS[media_type]) as container:
            if not container.streams.audio:
                raise DamagedMediaError("it has no sound")
            stream, samples, rate = container.streams.audio[0], 0, 0
            for part in container.decode(stream):
                samples, rate = samples + part.samples, part.sample_rate
            if not samples or not rate:
                raise DamagedMediaError("it lasts no time")
            return MediaFacts(media_type, duration=samples / rate, codec=stream.codec_context.name, audio=True)
    except (av.error.FFmpegError, ValueError, EOFError) as error:
        raise DamagedMediaError(f"it does not decode as {media_type}: {getattr(error, 'strerror', None) or error}") from None
