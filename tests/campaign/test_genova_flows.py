"""Genova's flows by plain calls, against the sandbox: within the plan, bought once, through outages and a silent socket."""

from collections.abc import Generator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, BinaryIO, Self
from zlib import compress, crc32

import pytest
from PIL import Image

from flows.image_batch import image_batch
from flows.long_video import long_video
from genmedia.errors import BudgetError, InputError
from genmedia.jobs.job import Output
from genmedia.journal import Journal, Scope, add_up
from genmedia.providers.genova.client import GenovaClient
from genmedia.purchasing.result import Result
from genmedia.store import Place
from genmedia.text.plain import REASON_CHARACTERS
from genmedia.transport.session import Fetched
from tests.sandboxes import Sandbox, running_sandbox
from tests.studio import Studio


async def batch(studio: Studio, *prompts: str, **parameters: Any) -> Any:
    return await studio.run(image_batch, {"name": "batch", "prompts": list(prompts), **parameters})


async def videos(studio: Studio, *prompts: str, **parameters: Any) -> Any:
    shots = [{"prompt": prompt} for prompt in prompts]
    return await studio.run(long_video, {"name": "videos", "shots": shots, **parameters})


def results(ended: Any) -> list[Result]:
    assert not isinstance(ended.result, BaseException), ended.result
    return ended.result


async def test_references_are_prepared_from_any_picture_by_any_of_its_names(genova: Studio, tmp_path: Path) -> None:
    big = tmp_path / "big.png"
    Image.effect_noise((8000, 5000), 60).save(big, compress_level=1)
    (made,) = results(await batch(genova, "a cup"))
    in_gallery = made.assets[0].path

    ended = await batch(
        genova,
        "a cup in this style",
        models=["freepik"],
        ratios=["1:1"],
        references=[{"files": [str(big), "'tests/media/photo.heic'", in_gallery, genova.sandbox.sample], "mode": "style"}],
    )

    assert ended.name == "Completed", ended.message or ended.result
    assert genova.jobs[1]["request"]["settings"]["referenceImages"]["mode"] == "style"
    inputs = results(ended)[0].assets[0].sidecar.inputs
    assert [one.source.rpartition("/")[2] for one in inputs] == [
        "big.png",
        "photo.heic",
        in_gallery.rpartition("/")[2],
        "photo.jpg",
    ]
    assert inputs[2].asset == in_gallery


async def test_a_failed_job_costs_in_the_table_what_it_costs_in_the_ledger(genova: Studio) -> None:
    genova.sandbox.fault(genova.account, "capture_failure")

    ended = await batch(genova, "one", "two")

    assert "charged: genova 2 credits" in ended.message
    assert [result.charged for result in results(ended)] == [1, 1]
    (failed,) = [result for result in results(ended) if result.status == "Failed"]
    assert "Genova does not say whether it gives the credit back. 1 credit counts as spent." in failed.error
    async with Journal.lease(Place(str(genova.root)).journal_url()) as journal:
        (line,) = add_up(await journal.entries(), "", UTC)
    assert (line.unit, line.spent) == ("genova credits", 2)


async def test_a_batch_that_cannot_be_paid_for_whole_buys_nothing_of_it(genova: Studio) -> None:
    async with Journal.lease(Place(str(genova.root)).journal_url()) as journal:
        await journal.money.set_caps(str(genova.credentials.payer), {Scope.DAY: 4})
    capped = await batch(genova, *"abcdefg")
    async with Journal.lease(Place(str(genova.root)).journal_url()) as journal:
        await journal.money.set_caps(str(genova.credentials.payer), {Scope.DAY: None})
    genova.change(credits=2)
    poor = await batch(genova, *"abcd")

    assert isinstance(capped.result, BudgetError)
    assert "the plan needs 7 credits" in str(capped.result)
    assert "the cap of 4 credits for the day leaves 4. Nothing was bought." in str(capped.result)
    assert isinstance(poor.result, BudgetError)
    assert "genova has 2 credits left, and the plan needs 4. Nothing was bought." in str(poor.result)
    assert genova.jobs == []


async def test_a_link_that_is_no_address_fails_its_item_and_stores_the_others(genova: Studio) -> None:
    genova.sandbox.fault(genova.account, "bad_links", route="download_job", location="https://a.example:99999/\\ud800")

    ended = await batch(genova, "one", "two", "three")

    assert ended.name == "Partial"
    assert sorted(result.status for result in results(ended)) == ["Bought", "Bought", "Failed"]
    again = await batch(genova, "one", "two", "three")
    assert sorted(result.status for result in results(again)) == ["Resumed", "Reused", "Reused"]
    assert len(genova.jobs) == 3


async def test_a_reason_of_a_megabyte_with_what_no_database_takes_is_told_in_short(genova: Studio) -> None:
    genova.sandbox.fault(genova.account, "fail", message="the brush broke " + "x" * 10**6)
    genova.sandbox.fault(genova.account, "nul", route="get_job", times=None)
    genova.sandbox.fault(genova.account, "nul", route="list_jobs", times=None)

    ended = await batch(genova, "one")

    assert ended.name == "Partial"
    assert "the brush broke" in ended.message
    assert len(ended.message) < 4 * REASON_CHARACTERS
    assert "\0" not in ended.message


async def test_a_run_whose_reference_is_gone_names_the_paid_job_that_is_under_way(genova: Studio, tmp_path: Path) -> None:
    photo = tmp_path / "coffee.jpg"
    photo.write_bytes(Path("photos/coffee.jpg").read_bytes())
    genova.change(settings={"run": [100_000, 100_000]})
    references = [{"files": [str(photo)]}]
    first = await batch(genova, "a cup", references=references, queue_minutes=0.2, run_minutes=0.2)
    photo.unlink()

    second = await batch(genova, "a cup", references=references)

    assert first.name == "Partial", first.message
    assert isinstance(second.result, InputError)
    told = str(second.result)
    assert "Nothing was bought" not in told
    assert f"genova image nano_banana2, job {genova.jobs[0]['id']}, submission " in told
    assert "coffee.jpg is not there" in told
    assert len(genova.jobs) == 1

    for wrong in ({"marks": str(tmp_path / "gone.json")}, {"account": "gone"}):
        third = await batch(genova, "a cup", **wrong)
        assert f"job {genova.jobs[0]['id']}" in str(third.result), str(third.result)
        assert "Nothing was bought" not in str(third.result)


async def test_bad_input_is_refused_all_at_once_and_nothing_is_bought(genova: Studio, tmp_path: Path) -> None:
    ended = await batch(genova, "x" * 501, "fine", models=["imagen4"], ratios=["1:1", "landscape"], quality="1K")

    assert isinstance(ended.result, InputError)
    told = str(ended.result)
    for words in (
        "ratio 1:1: is one of none of the models imagen4",
        "prompt 1, prompt: should have at most 500 characters",
        "model imagen4, quality: quality is for freepik only",
    ):
        assert words in told
    assert genova.jobs == []


@pytest.mark.parametrize(("content", "words"), [(b"hello", "should be an image"), (None, "is not there")])
async def test_a_reference_that_is_no_picture_is_refused_and_nothing_is_bought(
    genova: Studio, tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "it.png"
    if content:
        path.write_bytes(content)

    ended = await batch(genova, "a cup", references=[{"files": [str(path)]}])

    assert words in f"{ended.message} {ended.result}"
    assert genova.jobs == []


async def test_a_lost_answer_is_found_in_the_list_and_not_paid_twice(genova: Studio) -> None:
    genova.sandbox.fault(genova.account, "lose_answer", route="create_job")

    ended = await batch(genova, "a lost letter")

    assert results(ended)[0].status == "Bought", ended.message
    assert len(genova.jobs) == 1


async def test_a_request_that_never_arrived_is_sent_again_after_the_list_does_not_know_it(genova: Studio) -> None:
    genova.sandbox.fault(genova.account, "reset", route="create_job")

    ended = await batch(genova, "a letter never sent")

    assert results(ended)[0].status == "Bought", ended.message
    assert len(genova.jobs) == 1


async def test_waiting_survives_an_outage_and_a_silent_socket(genova: Studio) -> None:
    genova.sandbox.fault(genova.account, "silent_socket")
    for kind in ("server_error", "rate_limit", "broken_json"):
        genova.sandbox.fault(genova.account, kind, route="list_jobs", times=2)

    ended = await batch(genova, "a lighthouse in a storm")

    assert ended.name == "Completed", ended.message


async def test_a_vanished_job_is_named_as_that(genova: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    def every(_: GenovaClient) -> tuple[float, float]:
        return 1.0, 1.5  # faster than the plan allows: the looks that miss the job are awaited

    monkeypatch.setattr(GenovaClient, "_every", every)
    genova.sandbox.fault(genova.account, "vanish")

    ended = await batch(genova, "now you see it")

    assert ended.name == "Partial"
    assert "looks in a row did not find it" in ended.message
    assert "may have been charged" in ended.message


async def test_a_picture_that_belongs_to_another_request_is_stored_and_named_as_that(genova: Studio) -> None:
    """Genova's worker takes the newest image on its page: a completed job can hold the picture of the one before."""
    await batch(genova, "a red kite")
    genova.sandbox.fault(genova.account, "wrong_picture")

    ended = await batch(genova, "a cup of tea")

    (result,) = results(ended)
    (asset,) = result.assets
    assert ended.name == "Completed"
    assert (
        "To be looked at: step a-cup-of-tea, result: the very same file came of another request, with other prompt: "
        in ended.message
    )
    assert "a-red-kite" in result.warnings[0]
    assert asset.sidecar.warnings == (result.warnings[0].removeprefix("result: "),)


@pytest.fixture
def slower_sandbox() -> Generator[Sandbox]:
    """A sandbox ten times as fast as the world."""
    with running_sandbox('{"clock_scale": 10, "size": 128}') as running:
        yield running


async def test_the_free_plan_is_kept_to(slower_sandbox: Sandbox, tmp_path: Path) -> None:
    """Twelve images of 30 s in two slots: no request is refused, and none is wasted on looking."""
    account = slower_sandbox.new_account("genova", plan="Free", settings={"queue": [0.5, 1], "run": [29, 30]})
    studio = Studio(slower_sandbox, account, tmp_path)

    ended = await batch(studio, *(f"picture {number}" for number in range(12)))

    requests = {
        (line["route"], line["status"]): line["count"]
        for line in slower_sandbox.requests(account)
        if line["route"].startswith("/api")
    }
    assert ended.name == "Completed", ended.message
    assert not any(status == 429 for _, status in requests), requests
    assert sum(requests.values()) <= 36, requests


async def test_a_lost_job_is_found_again_though_this_machines_clock_is_ahead(
    genova: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(days=30)

    monkeypatch.setattr("genmedia.transport.session.datetime", Ahead)
    genova.sandbox.fault(
        genova.account, "slow", route="get_me", seconds=2
    )  # so that no news of the socket comes before the order
    genova.sandbox.fault(genova.account, "lose_answer", route="create_job")

    ended = await batch(genova, "a red kite over the sea")

    assert ended.name == "Completed", ended.message
    assert len(genova.jobs) == 1


def huge_png(path: Path) -> str:
    """A sound picture of 300 megapixels in 40 kB, one bit a pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + crc32(kind + data).to_bytes(4)

    width, height = 20_000, 15_000
    head = width.to_bytes(4) + height.to_bytes(4) + bytes([1, 0, 0, 0, 0])
    rows = compress(bytes((1 + width // 8) * height), 1)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return str(path)


async def test_faults_of_parameters_and_of_reference_files_are_told_together_with_their_places(
    genova: Studio, tmp_path: Path
) -> None:
    text, gone = tmp_path / "text.png", tmp_path / "gone.jpg"
    text.write_text("hello")
    huge = huge_png(tmp_path / "huge.png")

    ended = await batch(
        genova,
        "fine",
        "x" * 501,
        models=["imagen4"],
        ratios=["1:1", "landscape"],
        quality="1K",
        references=[{"files": ["photos/coffee.jpg"]}, {"files": [str(text), huge]}, {"files": [str(gone)], "mode": "style"}],
    )

    assert isinstance(ended.result, InputError)
    told = str(ended.result)
    assert told.count("quality is for freepik only") == 1, "a fault that many items share is told once"
    for words in (
        "ratio 1:1: is one of none of the models imagen4",
        "model imagen4, quality: quality is for freepik only, not for imagen4",
        "prompt 2, prompt: should have at most 500 characters",
        "references 3, reference_mode: reference mode style is not one of imagen4: ingredients",
        f"{text} cannot be used: it should be an image, but is",
        f"{huge} cannot be used: ",
        "it has 20000 x 15000 pixels, more than 50331648",
        f"{gone} is not there",
    ):
        assert words in told
    assert genova.jobs == []


async def test_every_fault_of_one_item_is_told_not_the_first_kind_only(genova: Studio) -> None:
    ended = await batch(genova, "x" * 501, models=["imagen4"], quality="1K")

    assert "prompt: should have at most 500 characters" in str(ended.result)
    assert "quality is for freepik only" in str(ended.result)
    assert genova.jobs == []


async def test_a_broken_reference_of_one_item_holds_back_the_purchase_of_all(genova: Studio, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(Path("photos/coffee.jpg").read_bytes()[:4000])

    ended = await batch(genova, "a cup", references=[{"files": ["photos/coffee.jpg"]}, {"files": [str(broken)]}])

    assert isinstance(ended.result, InputError)
    assert f"{broken} cannot be used: it does not decode as image/jpeg" in str(ended.result)
    assert genova.jobs == []


async def test_a_request_that_is_too_large_for_genovas_database_is_named_as_that_and_not_sent_again(genova: Studio) -> None:
    genova.sandbox.fault(genova.account, "d1_error", route="create_job")

    ended = await batch(genova, "a cup")

    assert ended.name == "Partial"
    assert "answered 500 Internal error creating job: D1_ERROR: string or blob too big" in ended.message
    assert "No job was made" in ended.message
    assert genova.jobs == []


async def test_a_batch_is_bought_stored_and_not_bought_again(genova: Studio) -> None:
    first = await batch(genova, "a red kite over the sea", "a cup of tea", ratios=["landscape", "square"])
    second = await batch(genova, "a red kite over the sea", "a cup of tea", ratios=["landscape", "square"])

    assert (first.name, second.name) == ("Completed", "Completed")
    assert [result.status for result in results(first)] == ["Bought"] * 4
    assert [result.status for result in results(second)] == ["Reused"] * 4
    assert len(genova.jobs) == 4
    files = [asset.sidecar.file for result in results(first) for asset in result.assets]
    assert sorted(round((file.width or 0) / (file.height or 1), 1) for file in files) == [1.0, 1.0, 1.8, 1.8]
    assert genova.sandbox.leaked(genova.account) == 0


async def test_what_nobody_foresaw_fails_its_item_and_stores_the_others(genova: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fetch(self: GenovaClient, output: Output, sink: BinaryIO, max_bytes: int) -> Fetched:
        if output.url == f"/api/jobs/{genova.jobs[1]['id']}/download":
            raise ZeroDivisionError("s3cret")
        return await plain(self, output, sink, max_bytes)

    plain = GenovaClient.fetch_output
    monkeypatch.setattr(GenovaClient, "fetch_output", fetch)

    ended = await batch(genova, "one", "two", "three")

    assert ended.name == "Partial"
    assert sorted(result.status for result in results(ended)) == ["Bought", "Bought", "Failed"]
    assert "in a way that nobody foresaw (ZeroDivisionError)" in ended.message
    assert "s3cret" not in ended.message
    monkeypatch.undo()
    again = await batch(genova, "one", "two", "three")
    assert sorted(result.status for result in results(again)) == ["Resumed", "Reused", "Reused"]


async def test_content_that_is_refused_is_told_by_its_prompt_and_neither_stops_the_others_nor_is_asked_for_again(
    genova: Studio,
) -> None:
    genova.sandbox.fault(genova.account, "refused", at="end")

    first = await batch(genova, "something nasty")
    second = await batch(genova, "something nasty", "two", "three")

    assert (first.name, second.name) == ("Partial", "Partial")
    assert sorted(result.status for result in results(second)) == ["Bought", "Bought", "Refused"]
    assert "“something nasty”" in second.message
    assert "is not asked for again" in second.message
    assert sorted(job["request"]["prompt"] for job in genova.jobs) == ["something nasty", "three", "two"]


async def test_a_batch_over_its_cap_buys_nothing(genova: Studio) -> None:
    ended = await batch(genova, "one", "two", max_credits=1)

    assert isinstance(ended.result, BudgetError)
    assert genova.jobs == []


async def test_a_video_is_a_real_one_with_a_poster(genova: Studio) -> None:
    ended = await videos(genova, "waves on a beach")

    (asset,) = results(ended)[0].assets
    assert ended.name == "Completed", ended.message
    assert asset.sidecar.file.media_type == "video/mp4"
    assert (genova.root / ".genmedia" / "thumbnails" / f"{asset.sha256}.webp").exists()
