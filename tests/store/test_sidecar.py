"""The sidecar's models: what they read they write again as it was, and what they write they read."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from genmedia.store.sidecar import Cost, File, Input, Output, Sidecar, Times, Use, coordinates, read_sidecar
from tests.example_assets import sidecar_json

DOCS = Path(__file__).parents[2] / "docs"
STORE = Path(__file__).parents[1] / "golden_store" / "store"
NOW = datetime(2026, 3, 1, 12, 0, 31, 500_999, tzinfo=UTC)
TIMES = ["2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000+00:00", "2026-03-01T12:00:00.123456+05:30", "2026-03-01 12:00:00-08:00"]


def text_of(sidecar: Sidecar) -> str:
    return json.dumps(sidecar.write(), indent=2, ensure_ascii=False) + "\n"


def purchased(**changes: Any) -> Sidecar:
    """As a purchase writes it."""
    told = sidecar_json("coffee/hero/a.png")
    parts: dict[str, Any] = {
        "cost": Cost(price=None, charged=3, unit="credits"),
        "times": Times(stored=NOW),
        "output": Output(id="output_image", kind="image", source=None, number=1, of=1),
        "file": File(sha256="cd" * 32, bytes=5, media_type="image/png"),
    }
    return Sidecar.model_validate(told | parts | changes)


def test_every_sidecar_of_a_store_is_written_again_as_it_was_to_the_byte() -> None:
    found = [path for path in STORE.rglob("*.json") if '"sidecar": 1' in path.read_text(encoding="utf-8")]
    assert len(found) > 15
    for path in found:
        text = path.read_text(encoding="utf-8")
        written = text_of(read_sidecar(text.encode()))
        assert json.loads(written) == json.loads(text), path
        if '"asset":' not in text and "forgotten" not in path.parts:  # there the order of two fields was another
            assert written == text, path


def test_the_example_in_the_documents_has_the_fields_in_the_order_in_which_they_are_written() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", (DOCS / "sidecar.md").read_text(encoding="utf-8"), re.DOTALL)
    told = json.loads(example)

    written = read_sidecar(example.encode()).write()

    assert json.dumps(written) == json.dumps(told)


@pytest.mark.parametrize("time", TIMES)
def test_a_time_is_written_as_the_provider_spells_it(time: str) -> None:
    told = purchased(times=Times.of({"created": time}, stored=NOW))

    assert told.write()["times"] == {"created": time, "stored": "2026-03-01T12:00:31.500+00:00"}
    assert read_sidecar(text_of(told).encode()) == told


@pytest.mark.parametrize(
    "time", ["yesterday", "", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1772366400"]
)
def test_what_is_no_time_that_reads_is_not_written(time: str) -> None:
    told = Times.of({"created": time, "started": TIMES[0]}, stored=NOW)

    assert told.model_dump(mode="json", exclude_unset=True).keys() == {"started", "stored"}


def test_a_text_that_is_none_is_written_with_question_marks_wherever_it_stands() -> None:
    odd = "caf\udce9"
    told = purchased(
        step=odd,
        place=coordinates([{"name": "photo", "number": 1, "value": odd}]),
        labels={odd: odd},
        uses=(Use(campaign=odd, step=odd, labels={odd: odd}, since=NOW),),
        request={"parameters": ({"seed": 7, "note": odd},)},
        inputs=(Input.model_validate({"id": odd, "text": odd, "from": odd}),),
        output=Output(id=odd, kind=odd),
        warnings=(odd,),
    )

    text = text_of(told)

    assert text.count("caf?") == 15
    assert read_sidecar(text.encode()) == told


def test_what_nobody_told_is_left_out_and_what_is_unknown_is_null() -> None:
    written = purchased(place=(), uses=()).write()

    assert {"place", "uses", "forgotten"} & written.keys() == set()
    assert written["cost"] == {"price": None, "charged": 3.0, "unit": "credits"}
    assert written["output"]["source"] is None
    assert written["file"] == {"sha256": "cd" * 32, "bytes": 5, "media_type": "image/png"}
