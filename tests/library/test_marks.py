import json
from pathlib import Path
from typing import Any

import pytest

from genmedia.errors import InputError
from genmedia.marks import read_marks


def marked(mark: str = "keep", key: str = "a", **changes: Any) -> dict[str, Any]:
    asset = {"mark": mark, "path": "spring/blur/a.png", "sha256": "c" * 64, "submission_key": key * 64, "output": "image"}
    return asset | changes


def written(folder: Path, *assets: dict[str, Any], **changes: Any) -> Path:
    path = folder / "marks.json"
    path.write_text(json.dumps({"marks": 1, "made": "2026-03-01T12:00:00.000Z", "assets": assets, **changes}))
    return path


def test_marks_are_read_with_their_assets(tmp_path: Path) -> None:
    marks = read_marks(written(tmp_path, marked("keep"), marked("reject", "b")))
    assert [(asset.mark, asset.path, asset.submission_key[0]) for asset in marks.assets] == [
        ("keep", "spring/blur/a.png", "a"),
        ("reject", "spring/blur/a.png", "b"),
    ]
    assert marks.made.isoformat() == "2026-03-01T12:00:00+00:00"


def test_a_submission_is_retaken_once_when_any_of_its_outputs_is_marked_so(tmp_path: Path) -> None:
    both = [marked("keep", "a", output="banner"), marked("retake", "a", output="story"), marked("retake", "a", output="poster")]
    marks = read_marks(written(tmp_path, *both, marked("reject", "b"), marked("retake", "d")))
    assert marks.retakes() == {"a" * 64, "d" * 64}


def test_a_file_without_marks_retakes_nothing(tmp_path: Path) -> None:
    assert read_marks(written(tmp_path)).retakes() == set()


def test_a_file_with_three_faults_names_all_of_them_with_their_places(tmp_path: Path) -> None:
    path = written(tmp_path, marked("maybe"), marked(), marked(sha256="short", colour="red"))
    with pytest.raises(InputError) as caught:
        read_marks(path)
    places = [fault.place for fault in caught.value.faults]
    assert places == [f"{path}, assets[0].mark", f"{path}, assets[2].sha256", f"{path}, assets[2].colour"]
    assert "Nothing was bought." in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        pytest.param({"marks": 2}, "marks", id="of a later version"),
        pytest.param({"made": "2026-03-01T12:00:00"}, "made", id="a time without its zone"),
        pytest.param({"assets": {}}, "assets", id="no list of assets"),
    ],
)
def test_a_file_of_another_form_is_refused_at_the_field(tmp_path: Path, changes: dict[str, Any], place: str) -> None:
    path = written(tmp_path, **changes)
    with pytest.raises(InputError) as caught:
        read_marks(path)
    assert [fault.place for fault in caught.value.faults] == [f"{path}, {place}"]


def test_what_is_no_json_is_refused_under_the_files_name(tmp_path: Path) -> None:
    path = tmp_path / "marks.json"
    path.write_text("keep everything")
    with pytest.raises(InputError) as caught:
        read_marks(path)
    assert [fault.place for fault in caught.value.faults] == [str(path)]


def test_a_file_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 fault") as caught:
        read_marks(tmp_path / "none.json")
    assert "cannot be read: No such file" in str(caught.value)
