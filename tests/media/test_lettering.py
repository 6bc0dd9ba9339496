"""Text on pictures: each script in a font that has it, both directions, wrapped where it may be, and fitted into its box."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genmedia.errors import MediaLimitError
from genmedia.media.fonts import Font, NoFontError, fonts_for, signs
from genmedia.media.making import Making
from genmedia.media.operations.lettering import Lettering, clusters, embedding_levels, pieces, way_of
from genmedia.media.probe import make_file

pytestmark = pytest.mark.usefixtures("noto")

SCRIPTS = {
    "latin": "Frühling, naïve façade",
    "greek and cyrillic": "Ελληνικά, Привет",
    "arabic": "عرض الربيع: خصم 50% على Coffee",
    "hebrew": "מבצע אביב: 30% הנחה על Nano Mug",
    "thai": "กาแฟหอมกรุ่นในยามเช้า",
    "chinese": "春季新品上市，手工咖啡杯限时八折优惠。",  # noqa: RUF001 # as Chinese is written
    "japanese": "春の新作マグカップ、発売中。",
    "korean": "봄맞이 할인 행사",
    "devanagari": "वसंत ऋतु की विशेष छूट",
    "all at once": "Kaffee קפה قهوة 咖啡 कॉफ़ी กาแฟ",
}


async def written(folder: Path, text: str, **options: Any) -> np.ndarray:
    """Where a text is white on a black picture of 300 x 120 pixels."""
    Image.new("RGB", (300, 120)).save(folder / "black.png")
    fonts = fonts_for(text, options.pop("font", ""), bold=options.get("bold", False))
    made = folder / "made.png"
    await make_file(Making("text", {"text": text, "fonts": fonts, "format": "png", **options}, [folder / "black.png"], made))
    with Image.open(made) as opened:
        return np.asarray(opened.convert("L"))


@pytest.mark.parametrize("script", SCRIPTS)
async def test_a_text_in_any_script_stands_in_its_box_with_a_sign_for_each_character(tmp_path: Path, script: str) -> None:
    text = SCRIPTS[script]

    shown = await written(tmp_path, text, box=[0.1, 0.1, 0.8, 0.8])

    rows, columns = np.nonzero(shown > 128)
    assert len(rows) > 300
    assert (rows.min(), columns.min()) >= (12 - 2, 30 - 2)
    assert rows.max() <= 108 + 2
    assert columns.max() <= 270 + 2
    for one in clusters(text.replace(" ", "")):
        assert any(ord(one[0]) in signs(font) for font in fonts_for(text)), one


async def test_the_same_text_gives_the_same_bytes(tmp_path: Path) -> None:
    first = (await written(tmp_path, SCRIPTS["all at once"])).tobytes()
    content = (tmp_path / "made.png").read_bytes()

    assert (await written(tmp_path, SCRIPTS["all at once"])).tobytes() == first
    assert (tmp_path / "made.png").read_bytes() == content


async def test_lines_begin_at_the_side_at_which_their_script_does(tmp_path: Path) -> None:
    latin = await written(tmp_path, "ab", size=20, align="start")
    hebrew = await written(tmp_path, "אב", size=20, align="start")
    end = await written(tmp_path, "אב", size=20, align="end")

    assert np.nonzero(latin > 128)[1].max() < 100
    assert np.nonzero(hebrew > 128)[1].min() > 200
    assert np.nonzero(end > 128)[1].max() < 100


async def test_letters_are_as_large_as_the_box_allows_and_no_larger_than_asked(tmp_path: Path) -> None:
    def height(shown: np.ndarray) -> int:
        rows = np.nonzero(shown > 128)[0]
        return int(rows.max() - rows.min())

    alone = height(await written(tmp_path, "Mug"))
    crowded = height(await written(tmp_path, "A mug for each morning of the year, made by hand"))
    asked = height(await written(tmp_path, "Mug", size=16))

    assert alone > 50
    assert asked < 20
    assert crowded > 60, "it is wrapped rather than small"


async def test_a_text_that_fits_at_no_size_is_told(tmp_path: Path) -> None:
    with pytest.raises(MediaLimitError, match="the text does not fit into 30 x 12 pixels, not even at a size of 8 pixels"):
        await written(tmp_path, "word " * 80, box=[0.1, 0.1, 0.1, 0.1])


async def test_an_outline_and_a_ground_stand_behind_the_letters(tmp_path: Path) -> None:
    ground = await written(tmp_path, "Mug", size=40, background="#808080")
    outlined = await written(tmp_path, "Mug", size=40, colour="black", outline="white")

    assert (ground == 128).sum() > 1000
    assert (outlined > 200).sum() > 100


def test_a_character_without_a_font_is_named_with_what_to_do() -> None:
    with pytest.raises(NoFontError, match=r"has '\\ue123' \(U\+E123, without a name\).*apt-get install fonts-noto-core"):
        fonts_for("Mug \ue123")


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("fonts/none.ttf", "fonts/none.ttf is not there"),
        ("Noto Nothing", "Noto Nothing is not installed"),
        ("tests/media/none.otf", "is not there"),
    ],
)
def test_a_font_that_is_not_there_is_told(wanted: str, told: str) -> None:
    with pytest.raises(NoFontError, match=told):
        fonts_for("Mug", wanted)


def test_a_file_that_is_no_font_is_told(tmp_path: Path) -> None:
    (tmp_path / "odd.ttf").write_bytes(b"no font at all")

    with pytest.raises(NoFontError, match=r"odd\.ttf is no font that can be read"):
        fonts_for("Mug", str(tmp_path / "odd.ttf"))


def test_a_font_of_the_project_writes_what_it_has_and_noto_the_rest() -> None:
    own = fonts_for("a", "Noto Serif")[0].path

    fonts = fonts_for("Mug קפה", own)

    assert fonts[0] == Font(own)
    assert "Hebrew" in fonts[1].path
    assert "Bold" in fonts_for("Mug", bold=True)[0].path


def test_chinese_and_japanese_take_the_fonts_of_their_countries() -> None:
    chinese, japanese, korean = (fonts_for(one)[-1] for one in ("直", "直の", "直한"))

    assert len({chinese, japanese, korean}) == 3


@pytest.mark.parametrize(
    ("paragraph", "expected"),
    [
        ("two words", ["two ", "words"]),
        ("well-known, 2-3", ["well-", "known, ", "2-3"]),
        ("春季，新品", ["春", "季，", "新", "品"]),  # noqa: RUF001 # as Chinese is written
        ("咖啡（热）", ["咖", "啡", "（热）"]),  # noqa: RUF001 # as Chinese is written
        ("コーヒー", ["コー", "ヒー"]),
        ("コップ", ["コッ", "プ"]),
        ("กาแฟ", ["กาแฟ"]),
        ("กา\u200bแฟ", ["กา\u200b", "แฟ"]),
        ("Mug咖啡", ["Mug", "咖", "啡"]),
    ],
)
def test_lines_end_where_the_script_lets_them(paragraph: str, expected: list[str]) -> None:
    assert pieces(paragraph) == expected


def test_marks_stay_with_their_letters() -> None:
    assert clusters("e\u0301x") == ["e\u0301", "x"]
    assert clusters("क्षि") == ["क्षि"]
    assert clusters("แก้ว") == ["แก้", "ว"]


@pytest.mark.parametrize(
    ("line", "way", "levels"),
    [
        ("abc", "ltr", "000"),
        ("אבג", "rtl", "111"),
        ("אב ab", "rtl", "11122"),
        ("ab אב", "ltr", "00011"),
        ("אב 12%", "rtl", "111222"),
        ("عر 12%", "rtl", "111221"),
        ("א 1-2 ב", "rtl", "1122211"),
        ("ab 12 אב", "ltr", "00000011"),
        ("אב (ab) ג", "rtl", "111122111"),
        ("אב ", "ltr", "110"),
    ],
)
def test_the_direction_of_each_character_follows_unicode(line: str, way: Any, levels: str) -> None:
    assert "".join(map(str, embedding_levels(line, way))) == levels


def test_runs_are_put_in_the_order_in_which_they_are_seen() -> None:
    text = "אב Nano Mug ג"
    lettering = Lettering(text, fonts_for(text))

    runs = lettering.runs(text, way_of(text))

    assert [run.text.strip() for run in runs if run.text.strip()] == ["ג", "Nano Mug", "אב"]
    assert [run.way for run in runs if run.text.strip()] == ["rtl", "ltr", "rtl"]
