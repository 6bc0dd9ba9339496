"""The rows of a campaign."""

from collections.abc import Collection
from pathlib import Path

import pytest

from genmedia.campaign.file.rows import Row, read_rows
from genmedia.campaign.file.source import read
from genmedia.errors import InputError


def rows_of(folder: Path, written: str, asked_for: Collection[str] = (), **files: str | bytes) -> list[Row]:
    """Read the rows of a campaign whose folder has these files."""
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "mugs.yaml").write_text(f"campaign: mugs\nrows: {written}\n")
    return read_rows(read(str(folder / "mugs.yaml")), asked_for)


@pytest.mark.parametrize(
    "content",
    [
        "sku,product\nM-1,mug\nM-2,a vase\n",
        "\ufeffsku;product\r\nM-1;mug\r\nM-2;a vase\r\n",
        "sku\tproduct\nM-1\tmug\n\nM-2\ta vase",
        'sku,product\nM-1,"mug"\n M-2 ,"a vase"\n,\n',
    ],
)
def test_a_csv_file_is_read_whatever_program_wrote_it(tmp_path: Path, content: str) -> None:
    rows = rows_of(tmp_path, "products.csv", products_csv=content)

    assert [(row.name, row.number, dict(row.values)) for row in rows] == [
        ("M-1", 1, {"name": "M-1", "sku": "M-1", "product": "mug"}),
        ("M-2", 2, {"name": "M-2", "sku": "M-2", "product": "a vase"}),
    ]


def test_a_cell_may_have_separators_quotes_and_lines_and_a_short_row_has_empty_cells(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "p.csv", p_csv='sku,text,film\n1,"a, ""b""\nc",yes\n2,d\n')

    assert [(row.values["text"], row.values["film"]) for row in rows] == [('a, "b"\nc', "yes"), ("d", "")]
    assert [row.place for row in rows] == ["p.csv:3", "p.csv:4"]


def test_jsonl_and_rows_in_the_file_itself_keep_numbers_and_lists(tmp_path: Path) -> None:
    lines = rows_of(tmp_path, "p.jsonl", p_jsonl='{"sku": "a", "count": 3}\n\n{"sku": "b", "tags": ["x"]}\n')
    inline = rows_of(tmp_path, "[{id: a, count: 3}, {id: b}]")

    assert [(row.values["count"], row.values["tags"]) for row in lines] == [(3, ""), ("", ["x"])]
    assert [(row.name, row.values["count"]) for row in inline] == [("a", 3), ("b", "")]


def test_each_file_that_a_pattern_finds_is_a_row(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "{files: 'photos/*.jpg'}", photos__b_jpg="x", photos__a_jpg="x", photos__c_txt="x")

    assert [(row.name, row.values["file"]) for row in rows] == [("a", "photos/a.jpg"), ("b", "photos/b.jpg")]


def test_a_pattern_finds_suffixes_in_capital_letters_and_may_be_a_whole_path(tmp_path: Path) -> None:
    photos = {"photos__a_jpg": "x", "photos__b_JPG": "x"}
    rows = rows_of(tmp_path, f"{{files: '{tmp_path}/photos/*.jpg'}}", **photos)
    below = rows_of(tmp_path, "{files: 'photos/*.jpg'}")

    assert [row.values["file"] for row in rows] == [f"{tmp_path}/photos/a.jpg", f"{tmp_path}/photos/b.JPG"]
    assert [row.values["file"] for row in below] == ["photos/a.jpg", "photos/b.JPG"]


def test_the_column_that_names_a_row_can_be_said(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "{file: p.csv, name: product}", p_csv="sku,product\n1,Großer Becher\n")

    assert [(row.name, row.values["name"]) for row in rows] == [("grosser-becher", "Großer Becher")]


@pytest.mark.parametrize(
    ("written", "content", "faults"),
    [
        ("p.csv", "sku,sku\na,b\n", [("p.csv:1", "has two columns sku")]),
        ("p.csv", ",\na,b\n", [("p.csv:1", "has no names of columns in its first line")]),
        ("p.csv", "sku\na\n!\n\na\n", [("p.csv:3", "has no name: its sku is '!'"), ("p.csv:5", "has the sku a, as p.csv:2 has")]),
        ("p.csv", "sku,b\na,b,c\nd,e,f\n", [("p.csv:2", "has 3 cells, and there are 2"), ("p.csv:3", "has 3 cells")]),
        ("p.csv", 'sku\n"a\n', [("p.csv:2", "has a quote that is not closed")]),
        ("p.csv", "sku\n" + "x" * 30_000, [("p.csv:2", "a cell has more than 20000 characters")]),
        ("p.csv", "sku,a\n", [("p.csv:1", "has no rows")]),
        ("p.csv", '[{"sku": "a"}]', [("p.csv:1", "is JSON; write a row in each line")]),
        (
            "p.jsonl",
            '{"a": NaN}\n{"a": 1e999}\n',
            [("p.jsonl:1", "no number with an end"), ("p.jsonl:2", "no number with an end")],
        ),
        ("'~nobody-here/p.csv'", "", [("mugs.yaml:2:7", "cannot be read: Could not determine home directory")]),
        ('"a\\0b.csv"', "", [("mugs.yaml:2:7", "cannot be read: embedded null byte")]),
        ("{files: ''}", "", [("mugs.yaml:2:15", "is empty; write a pattern")]),
        ("{files: '~nobody-here/*.jpg'}", "", [("mugs.yaml:2:15", "finds nothing")]),
        ("{file: p.csv, name: [sku]}", "sku\na\n", [("mugs.yaml:2:27", "name should be a text")]),
        ("[{sku: null}, {sku: b}]", "", [("mugs.yaml:2:8", "has no name: its sku is empty")]),
        ("[{sku: a, n: 1e999}]", "", [("mugs.yaml:2:8", "has a number without an end")]),
        ("[{}]", "", [("mugs.yaml:2:8", "has no fields; give it some")]),
        ("", "", [("mugs.yaml:2:6", "should be a list of rows")]),
        ("p.csv", b"sku\nB\xfccher\n", [("p.csv:2", "is not in UTF-8")]),
        ("p.csv", "sku\n" + "\n".join(map(str, range(100_001))), [("mugs.yaml:2:7", "has more than 100000 rows")]),
        ("p.jsonl", '{"a": 1}\nx\n[1]\n', [("p.jsonl:2", "is no JSON"), ("p.jsonl:3", "should be fields with values")]),
        ("q.csv", "", [("mugs.yaml:2:7", "q.csv cannot be read: No such file or directory")]),
        ("{file: p.csv, name: colour}", "sku,a\n1,2\n", [("mugs.yaml:2:27", "names no column; there are sku, a")]),
        ("{file: p.csv, nam: sku}", "sku,a\n1,2\n", [("mugs.yaml:2:26", "is no field here; there are file, files, name")]),
        ("{files: 'photos/*.jpg'}", "", [("mugs.yaml:2:15", "finds no file photos/*.jpg")]),
        ("[a, {b: 1}]", "", [("mugs.yaml:2:8, row 1", "should be fields with values")]),
        ("7", "", [("mugs.yaml:2:7", "should be a list of rows")]),
        ("[]", "", [("mugs.yaml:2:7", "has no rows")]),
    ],
)
def test_everything_that_is_wrong_with_rows_is_told_at_once_with_file_and_line(
    tmp_path: Path, written: str, content: str | bytes, faults: list[tuple[str, str]]
) -> None:
    with pytest.raises(InputError) as told:
        rows_of(tmp_path, written, p_csv=content, p_jsonl=content)

    assert len(told.value.faults) == len(faults)
    for fault, (place, what) in zip(told.value.faults, faults, strict=True):
        assert fault.place.startswith(place)
        assert what in fault.what


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("M-1,mug,12\nM-2,vase,9\n", "has no column product, for which a template asks, and looks like a row: M-1, mug, 12"),
        ("cup,oak\njug,oak\n", "has no column product, for which a template asks, and looks like a row: cup, oak"),
        ("mug,photos/mug.jpg\nvase,photos/vase.jpg\n", "and looks like a row: mug, photos/mug.jpg"),
        ("mug,mug,oak\nvase,vase,ash\n", "has two columns mug"),
        ("mug,,oak\nvase,yes,ash\n", "has no name for column 2, which has values"),
        (",,\nvase,yes,ash\n", "has no names of columns in its first line"),
        ("mug,oak\n", "has no rows below its first line, which names the columns"),
    ],
)
def test_a_table_without_a_line_of_names_is_told_as_one(tmp_path: Path, content: str, what: str) -> None:
    with pytest.raises(InputError) as told:
        rows_of(tmp_path, "p.csv", {"product"}, p_csv=content)

    assert [fault.place for fault in told.value.faults] == ["p.csv:1"]
    assert what in told.value.faults[0].what


def test_a_column_that_is_missing_in_a_table_with_names_is_not_told_as_a_table_without_them(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "p.csv", {"prduct"}, p_csv="sku,product,film,\nM-1,mug,yes,\nM-2,vase,,\n")

    assert [row.values["product"] for row in rows] == ["mug", "vase"]
