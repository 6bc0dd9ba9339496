import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genmedia.forms.names import placed
from genmedia.gallery.contact_sheet import MAX_BYTES, columns_of, make_contact_sheet
from genmedia.store.sidecar import coordinates
from tests.example_assets import picture


def opened(sheet: bytes) -> Image.Image:
    with Image.open(io.BytesIO(sheet)) as image:
        assert image.format == "WEBP"
        return image.convert("RGB")


def noisy(path: Path, seed: int) -> Path:
    """A picture that hardly compresses."""
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (320, 320, 3), np.uint8)).save(path)
    return path


def near(image: Image.Image, place: tuple[int, int], colour: tuple[int, int, int]) -> bool:
    found = image.getpixel(place)
    assert isinstance(found, tuple)
    return all(abs(a - b) < 24 for a, b in zip(found, colour, strict=True))


def test_every_entry_is_on_the_sheet(tmp_path: Path) -> None:
    colours = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
    entries: list[tuple[str, Path]] = []
    for name in colours:
        (tmp_path / f"{name}.png").write_bytes(picture(name, (300, 300)))
        entries.append((name, tmp_path / f"{name}.png"))
    image = opened(make_contact_sheet(entries))
    across, down = image.size
    quarters = [
        (across // 4, down // 4),
        (across * 3 // 4, down // 4),
        (across // 4, down * 2 // 3),
        (across * 3 // 4, down * 2 // 3),
    ]
    assert all(near(image, place, colour) for place, colour in zip(quarters, colours.values(), strict=True))


def test_a_missing_or_broken_thumbnail_gets_a_grey_tile_with_its_label(tmp_path: Path) -> None:
    (tmp_path / "broken.webp").write_bytes(b"RIFF")
    sheet = make_contact_sheet([("critique", tmp_path / "none.webp"), ("critique", tmp_path / "broken.webp")])
    image = opened(sheet)
    assert near(image, (image.width // 4, image.height // 2), (72, 74, 79))
    assert near(image, (image.width * 3 // 4, image.height // 2), (72, 74, 79))
    other = opened(make_contact_sheet([("reading", tmp_path / "none.webp"), ("critique", tmp_path / "broken.webp")]))
    assert image.size == other.size
    assert np.asarray(image)[-40:].tolist() != np.asarray(other)[-40:].tolist()


def test_a_product_of_lists_is_a_table_with_a_row_for_each_value_of_the_first_that_varies(tmp_path: Path) -> None:
    products = [placed(prompt=(p, "a cup"), model=(1, "stable"), seed=(s, f"{s}")) for p in (1, 2) for s in range(1, 6)]
    places = [coordinates(product) for product in products]

    image = opened(make_contact_sheet([("", None)] * 10, columns=columns_of(places)))

    assert columns_of(places) == 5
    assert image.width > 2 * image.height, "five side by side, in two rows"
    for other in (places[:9], places[:5], [*places, places[0]], [*places[:9], coordinates(placed(step=(1, "blur")))], [()], []):
        assert columns_of(other) is None


@pytest.mark.parametrize("count", [1, 12, 60])
def test_a_sheet_of_pictures_that_hardly_compress_still_fits(tmp_path: Path, count: int) -> None:
    entries = [(f"step-{number}", noisy(tmp_path / f"{number % 6}.png", number)) for number in range(count)]
    assert len(make_contact_sheet(entries)) <= MAX_BYTES
    assert len(make_contact_sheet(entries, max_bytes=20_000)) <= 20_000


def test_more_room_gives_a_larger_picture(tmp_path: Path) -> None:
    entries = [(f"step-{number}", noisy(tmp_path / f"{number}.png", number)) for number in range(6)]
    small, large = (opened(make_contact_sheet(entries, max_bytes=limit)) for limit in (20_000, 200_000))
    assert small.width < large.width


def test_a_long_label_stays_in_its_own_tile(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture("black", (300, 300)))
    long, plain = ("a label that is much too long for one tile, on\ntwo lines " * 5, ""), ("", "")
    labelled, unlabelled = (
        np.asarray(opened(make_contact_sheet([(label, tmp_path / "a.png") for label in labels])), int) for labels in (long, plain)
    )
    assert labelled.shape == unlabelled.shape
    changed = np.abs(labelled - unlabelled).max(axis=(0, 2)) > 60
    assert changed.any()
    assert not changed[labelled.shape[1] // 2 :].any()


def test_of_very_many_entries_the_rest_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture("teal"))
    image = opened(make_contact_sheet([("a", tmp_path / "a.png")] * 5000))
    last = (image.width - 40, image.height - 60)
    assert near(image, last, (72, 74, 79))


def test_a_sheet_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        make_contact_sheet([])


def test_a_limit_that_no_picture_meets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="10 bytes"):
        make_contact_sheet([("a", tmp_path / "none.webp")], max_bytes=10)
