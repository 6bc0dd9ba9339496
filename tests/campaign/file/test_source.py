"""A campaign's file as it is written: its values, and where each of them stands."""

from pathlib import Path

import pytest

from genmedia.campaign.file.source import DEEPEST, MANY, read
from genmedia.errors import InputError

TEXT = """\
# The week's mugs
campaign: mugs
rows:
  - {sku: 007, film: no, price: 1.50, count: 3, none: null, yes: true}
steps:
  - name: "5"
    prompt: >
      a mug
"""


def test_values_are_those_of_yaml_1_2_and_each_has_its_line() -> None:
    source = read(TEXT)

    assert source.value["rows"] == [{"sku": "007", "film": "no", "price": 1.5, "count": 3, "none": None, "yes": True}]
    assert source.value["steps"] == [{"name": "5", "prompt": "a mug\n"}]
    assert source.place(("steps", 0, "prompt")) == "campaign:7:13"
    assert source.place(("steps", 0, "nowhere"), "step 5") == "campaign:6:5, step 5"


def test_json_is_read_as_well(tmp_path: Path) -> None:
    file = tmp_path / "mugs.json"
    file.write_bytes(b'\xef\xbb\xbf{\n\t"campaign": "mugs \\ud83c\\udf75",\n\t"steps": [1]\n}')

    source = read(str(file))

    assert source.value == {"campaign": "mugs \U0001f375", "steps": [1]}
    assert source.place(("steps", 0)) == "mugs.json:3:12"
    assert source.folder == tmp_path


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]\n"
    for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "place", "fault"),
    [
        ("campaign: mugs\nsteps:\n\t- a: 1\n", "campaign:3:1", "begins with a tab; YAML is indented by spaces"),
        ("campaign: a: b\nx: 1\n", "campaign:1:12", "has a colon where none can be; put a text with a colon in quotes"),
        ("campaign: [a\nsteps: 1\n", "campaign:2:6", "is neither YAML nor JSON: "),
        ("campaign: a\ncampaign: b\n", "campaign:2:1", "is the second field campaign here"),
        ("a: &a {b: 1}\nc:\n  <<: *a\n", "campaign:3:3", "merges fields"),
        ("a: !!python/object/apply:os.system [ls]\nb: 1\n", "campaign:1:4", "has the tag "),
        ("a: &a\n  b: *a\n", "campaign:1:4", f"there are more than {DEEPEST} levels"),
        (BOMB, "campaign:", f"there are more than {MANY} values, with all that its aliases stand for"),
        ("- a\n- b\n", "campaign:1:1", "should be fields with values"),
        ("? [a]\n: b\nc: 1", "campaign:1:3", "should be the name of a field"),
        ("a: " + "[" * 5000 + "\nb: 1", "campaign", "has more than"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line_and_column(text: str, place: str, fault: str) -> None:
    with pytest.raises(InputError) as told:
        read(text)

    (found,) = told.value.faults
    assert found.place.startswith(place)
    assert found.what.startswith(fault)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("campaign: Bücher\n".encode("latin-1"))

    for name, fault in (("gone.yaml", "cannot be read: No such file or directory"), ("latin.yaml", "is not in UTF-8")):
        with pytest.raises(InputError) as told:
            read(str(tmp_path / name))
        assert fault in told.value.faults[0].what
