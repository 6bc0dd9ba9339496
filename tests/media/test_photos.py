"""Photos as people have them: each is a picture, shown as it is meant, or is named as what it is."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genmedia.errors import MediaError
from genmedia.media.facts import Candidate, MediaFacts, SmallCopy
from genmedia.media.picture import MANY_PAGES, NO_END, NO_PROFILE
from genmedia.media.probe import inspect_files
from genmedia.providers.genova.references import prepare_references
from genmedia.store.named_files import Files, NamedFile
from tests.photos import BLUE, PHOTOS, RED, SIZE, encode, jpeg, photo

MEDIA = Path(__file__).parents[1] / "media"


async def look(folder: Path, files: Mapping[str, bytes]) -> dict[str, tuple[MediaFacts | MediaError, Path]]:
    """The verdict on each, and its thumbnail."""
    wishes: list[Candidate] = []
    for number, content in enumerate(files.values()):
        path = folder / str(number)
        path.write_bytes(content)
        wishes.append(Candidate(path, small=SmallCopy(folder / f"{number}.png", format="PNG")))
    verdicts = await inspect_files(wishes)
    return {name: (verdict, one.small.path) for name, verdict, one in zip(files, verdicts, wishes, strict=True) if one.small}


def colours(path: Path) -> tuple[Image.Image, np.ndarray]:
    with Image.open(path) as opened:
        shown = opened.convert("RGB")
    return shown, np.asarray(shown, int)


async def test_a_photo_of_any_phone_camera_or_editor_shows_the_colours_that_it_means(tmp_path: Path) -> None:
    wrong: list[str] = []
    for name, (verdict, small) in (await look(tmp_path, {name: make() for name, make in PHOTOS.items()})).items():
        if isinstance(verdict, MediaError):
            wrong.append(f"{name}: {verdict.what}")
            continue
        _, pixels = colours(small)
        off = max(np.abs(pixels[32, 20] - RED).max(), np.abs(pixels[32, 76] - BLUE).max())
        if (verdict.width, verdict.height) != SIZE or verdict.warnings or verdict.frames or off > 3:
            wrong.append(f"{name}: {verdict}, off by {off}")

    assert wrong == []


async def test_a_photo_is_upright_however_its_file_lies(tmp_path: Path) -> None:
    lying = Image.new("RGB", (96, 64), "white")
    lying.paste("black", (48, 0, 96, 64))
    lying.paste("red", (0, 0, 20, 20))
    files: dict[str, bytes] = {}
    for form in ("JPEG", "TIFF", "PNG", "WEBP", "AVIF"):
        for turn in range(1, 9):
            exif = Image.Exif()
            exif[0x0112] = turn
            files[f"{form} {turn}"] = encode(lying, form, exif=exif)
    corners = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}

    for name, (verdict, small) in (await look(tmp_path, files)).items():
        turn = int(name[-1])
        assert isinstance(verdict, MediaFacts), f"{name}: {verdict}"
        shown, pixels = colours(small)
        assert (verdict.width, verdict.height) == shown.size == (SIZE if turn < 5 else SIZE[::-1]), name
        down, right = corners[turn]
        red = pixels[(5, -5)[down], (5, -5)[right]]
        assert np.abs(red - (255, 0, 0)).max() < 30, name


async def test_what_is_odd_about_a_photo_that_can_be_used_is_told(tmp_path: Path) -> None:
    pages = [photo(), Image.new("RGB", (64, 48), "green")]
    found = await look(
        tmp_path,
        {
            "no end": jpeg()[:-2],
            "half an end": jpeg()[:-1],
            "zeros for an end": jpeg()[:-2] + bytes(5000),
            "no end, progressive": jpeg(progressive=True)[:-2],
            "pages": encode(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw"),
            "profile": encode(photo(), "PNG", icc_profile=b"none"),
        },
    )

    warned = {name: verdict.warnings if isinstance(verdict, MediaFacts) else verdict.what for name, (verdict, _) in found.items()}
    assert warned == {
        **dict.fromkeys(("no end", "half an end", "zeros for an end", "no end, progressive"), (NO_END,)),
        "pages": (MANY_PAGES,),
        "profile": (NO_PROFILE,),
    }


async def test_a_photo_that_breaks_off_is_not_taken_for_one_without_its_end(tmp_path: Path) -> None:
    whole = (MEDIA.parents[1] / "photos" / "coffee.jpg").read_bytes()

    found = await look(tmp_path, {str(less): whole[:-less] for less in (40, 200, 2000, len(whole) // 2)})

    assert all(isinstance(verdict, MediaError) and "breaks off" in verdict.what for verdict, _ in found.values())


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("JPEG of 12 bits", jpeg().replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"), ["12 bits", "8 bits"]),
        ("JPEG without loss", jpeg().replace(b"\xff\xc0", b"\xff\xc3"), ["without loss"]),
        ("raw photo in a TIFF", encode(photo(), "TIFF", tiffinfo={50706: b"\1\4\0\0"}), ["raw photo", "save it as JPEG or PNG"]),
        ("raw photo", b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(50), ["raw photo", "JPEG or PNG"]),
        ("Photoshop", b"8BPS\0\1" + bytes(100), ["Photoshop", "JPEG or PNG"]),
        ("JPEG XL", b"\xff\x0a" + bytes(100), ["JPEG XL", "JPEG or PNG"]),
        ("JPEG 2000", encode(photo(), "JPEG2000"), ["JPEG 2000", "JPEG or PNG"]),
        ("PDF", b"%PDF-1.7\n%abc", ["PDF", "JPEG or PNG"]),
        ("Matroska", b"\x1aE\xdf\xa3" + bytes(10) + b"matroska", ["Matroska", "MP4"]),
        ("AVI", b"RIFF\0\0\0\0AVI LIST", ["AVI", "MP4"]),
        ("FBX", b"Kaydara FBX Binary  \0\x1a\0", ["FBX", "GLB"]),
        ("archive", b"PK\3\4" + bytes(50), ["archive", "pictures are taken as JPEG, PNG"]),
        ("nothing", b"", ["it is empty"]),
    ],
)
async def test_what_cannot_be_read_is_named_with_what_to_do(tmp_path: Path, name: str, content: bytes, says: list[str]) -> None:
    ((verdict, _),) = (await look(tmp_path, {name: content})).values()

    assert isinstance(verdict, MediaError)
    assert all(one in verdict.what for one in says), verdict.what


async def test_the_colours_of_a_profile_are_converted_in_a_thumbnail_and_in_what_is_sent(tmp_path: Path) -> None:
    """(200, 60, 40) in Display P3 is (217, 42, 23) in sRGB."""
    p3 = MEDIA / "p3.png"

    ((_, small),) = (await look(tmp_path, {"p3": p3.read_bytes()})).values()
    references, _ = await prepare_references(Files({"p3": NamedFile(p3)}))
    (tmp_path / "sent.jpg").write_bytes(references["p3"].jpeg)

    for path in (small, tmp_path / "sent.jpg"):
        _, pixels = colours(path)
        assert np.abs(pixels[9, 9] - (217, 42, 23)).max() <= 2, path


async def test_a_model_that_is_packed_or_has_webp_on_it_is_kept_with_its_triangles(tmp_path: Path) -> None:
    names = ("draco", "webp", "meshopt")

    found = await look(tmp_path, {name: (MEDIA / f"{name}.glb").read_bytes() for name in names})

    for verdict, _ in found.values():
        assert isinstance(verdict, MediaFacts)
        assert (verdict.triangles, verdict.vertices, verdict.extents) == (1280, 642, [2.0, 2.0, 2.0])
    packed, small = found["meshopt"]
    assert isinstance(packed, MediaFacts)
    assert "meshopt" in packed.warnings[0]
    assert not small.exists()
    for name in ("draco", "webp"):
        verdict, small = found[name]
        assert isinstance(verdict, MediaFacts)
        assert verdict.warnings == ()
        _, pixels = colours(small)
        on_it = pixels[150:250, 160:340].reshape(-1, 3)
        assert (np.ptp(on_it, axis=1) > 60).mean() > 0.3, f"{name} is drawn without its texture"
