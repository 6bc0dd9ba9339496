"""Pictures made of pictures: another size, another format, a logo on it."""

from pathlib import Path
from typing import Any

from PIL import Image

from genmedia.errors import MediaLimitError
from genmedia.media.operations.encoding import colour, read_picture, write_picture


def resize(inputs: list[Path], options: dict[str, Any], path: Path) -> None:
    """Make a picture of another size.

    With one side given the shape stays. With both, `fit` decides: `cover` fills the size and cuts off what stands out, keeping the point
    `focus` as near to the middle as can be; `contain` stays within it; `pad` stays within it and fills the rest with `background`.

    Raises:
        MediaError: It cannot be made.
    """
    picture, format_ = read_picture(inputs[0])
    width, height, fit = options.get("width"), options.get("height"), options.get("fit", "cover")
    if not width or not height:
        scale = width / picture.width if width else height / picture.height if height else 1
        made = _scaled(picture, (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    elif fit == "cover":
        made = _covering(picture, (width, height), options.get("focus", (0.5, 0.5)))
    else:
        made = _scaled(picture, _inside(picture.size, (width, height)))
        if fit == "pad":
            made = _padded(made, (width, height), options.get("background", "white"))
    write_picture(made, options, path, format_)


def _inside(size: tuple[int, int], most: tuple[int, int]) -> tuple[int, int]:
    scale = min(most[0] / size[0], most[1] / size[1])
    return max(1, min(most[0], round(size[0] * scale))), max(1, min(most[1], round(size[1] * scale)))


def _scaled(picture: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float] | None = None) -> Image.Image:
    if picture.size == size and box is None:
        return picture
    if max(size) > 2**14:
        raise MediaLimitError(f"it would have {size[0]} x {size[1]} pixels")
    return picture.resize(size, Image.Resampling.LANCZOS, box, reducing_gap=3.0)


def _covering(picture: Image.Image, size: tuple[int, int], focus: tuple[float, float]) -> Image.Image:
    scale = max(size[0] / picture.width, size[1] / picture.height)
    part = min(picture.width, size[0] / scale), min(picture.height, size[1] / scale)
    left, top = (
        min(max(at * whole - kept / 2, 0), whole - kept) for at, whole, kept in zip(focus, picture.size, part, strict=True)
    )
    return _scaled(picture, size, (left, top, left + part[0], top + part[1]))


def _padded(picture: Image.Image, size: tuple[int, int], background: str) -> Image.Image:
    ground = Image.new("RGBA", size, colour(background))
    place = (size[0] - picture.width) // 2, (size[1] - picture.height) // 2
    ground.paste(picture, place)
    return ground if picture.mode == "RGBA" or colour(background)[3] < 255 else ground.convert("RGB")


def convert(inputs: list[Path], options: dict[str, Any], path: Path) -> None:
    """Make the same picture in another format, of another quality, or within a size in bytes.

    Raises:
        MediaError: It cannot be made.
    """
    picture, format_ = read_picture(inputs[0])
    write_picture(picture, options, path, format_)


def overlay(inputs: list[Path], options: dict[str, Any], path: Path) -> None:
    """Put the second picture, such as a logo, onto the first: into a corner, with a margin, at a share of its width.

    Raises:
        MediaError: It cannot be made.
    """
    picture, format_ = read_picture(inputs[0])
    logo, _ = read_picture(inputs[1])
    logo, margin = logo.convert("RGBA"), options.get("margin", 0)
    room = picture.width - 2 * margin, picture.height - 2 * margin
    if min(room) < 1:
        raise MediaLimitError(f"a margin of {margin} pixels leaves no room on {picture.width} x {picture.height}")
    wanted = round(picture.width * options.get("scale", 0.2))
    width, height = _inside(logo.size, (max(1, min(wanted, room[0])), room[1]))
    logo = _scaled(logo, (width, height))
    if (opacity := options.get("opacity", 1)) < 1:
        logo.putalpha(logo.getchannel("A").point(lambda value: round(value * opacity)))
    corner = options.get("corner", "bottom-right")
    left = margin if "left" in corner else picture.width - margin - width if "right" in corner else (picture.width - width) // 2
    top = (
        margin if "top" in corner else picture.height - margin - height if "bottom" in corner else (picture.height - height) // 2
    )
    made = picture.convert("RGBA")
    made.alpha_composite(logo, (left, top))
    write_picture(made if picture.mode == "RGBA" else made.convert("RGB"), options, path, format_)
