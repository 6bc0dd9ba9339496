"""The technique chain by plain calls, against the sandbox: bought once, stored whole, told in clear words."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import SecretStr

from blocks.credentials import ProviderCredentials
from flows.technique_chain import technique_chain
from genmedia.errors import (
    BudgetError,
    CredentialsError,
    CreditsError,
    GenmediaError,
    HeldError,
    InputError,
    ServerError,
    SettingsError,
)
from tests.chains import PHOTO, TWO_STEPS, by_step, chain, fed
from tests.studio import Studio


async def run(
    flora: Studio, name: str, *steps: dict[str, Any], payer: ProviderCredentials | None = None, **parameters: Any
) -> Any:
    return await flora.run(technique_chain, {"chain": chain(name, *steps), **parameters}, payer)


async def test_a_chain_is_bought_stored_with_provenance_and_not_bought_again(flora: Studio) -> None:
    first = await run(flora, "twice", *TWO_STEPS)
    second = await run(flora, "twice", *TWO_STEPS)

    assert (first.name, second.name) == ("Completed", "Completed")
    assert {name: result.status for name, result in by_step(first).items()} == {"s1": "Bought", "s2": "Bought"}
    assert {name: result.status for name, result in by_step(second).items()} == {"s1": "Reused", "s2": "Reused"}
    assert len(flora.jobs) == 2
    pictures = [file for file in flora.stored if not file.endswith(".json")]
    assert len(pictures) == 2
    for picture in pictures:
        Image.open(flora.root / picture).load()
    sidecars = {
        name: json.loads((flora.root / f"{path}.json").read_text())
        for name, path in zip(("s2", "s1"), sorted(pictures, key=lambda p: "s1" in p), strict=True)
    }
    assert sidecars["s2"]["inputs"] == [
        {
            "id": "input_image",
            "sha256": sidecars["s1"]["file"]["sha256"],
            "asset": sidecars["s1"]["file"]["path"],
            "from": "step s1, output_image",
        }
    ]
    assert sidecars["s1"]["inputs"][0]["from"] == "photos/coffee.jpg"
    assert sidecars["s1"]["cost"]["charged"] == flora.jobs[0]["charged"]


TODAY = {"casing": "snake", "list_runs": True, "assets": True, "workspaces": 1, "idempotency": "openapi"}


@pytest.mark.parametrize(
    ("caps", "told"),
    [
        ({"max_credits": 100}, "names its prices in USD, of which the cap of 100 credits says nothing"),
        ({"max_credits": 100, "max_usd": 0.01}, "more than the 0.01 allowed"),
        ({"max_usd": 1}, ""),
    ],
)
async def test_a_cap_in_credits_says_nothing_of_prices_in_usd(flora: Studio, caps: dict[str, Any], told: str) -> None:
    flora.change(switches=TODAY)

    ended = await run(flora, "capped", *TWO_STEPS, **caps)

    if told:
        assert isinstance(ended.result, BudgetError)
        assert told in str(ended.result)
        assert flora.jobs == []
    else:
        assert ended.name == "Completed", ended.message
        again = await run(flora, "capped", *TWO_STEPS, max_credits=0)
        assert again.name == "Completed", "there is nothing to buy"


async def test_where_flora_has_several_workspaces_nothing_is_bought_until_one_is_named(flora: Studio) -> None:
    flora.change(switches={**TODAY, "workspaces": 2})

    ended = await run(flora, "somewhere", *TWO_STEPS)

    assert isinstance(ended.result, SettingsError)
    assert "Workspace 2" in str(ended.result)
    assert flora.jobs == []


async def test_a_price_that_rose_between_plan_and_purchase_is_not_paid_unless_the_cap_leaves_room(flora: Studio) -> None:
    flora.sandbox.fault(flora.account, "reprice", route="get_technique", after=1, factor=2)

    refused = await run(flora, "risen", TWO_STEPS[0])

    assert refused.name == "Partial"
    assert "it was planned at 4 credits, and its price now is 8 credits; the run has no cap" in refused.message
    assert "nothing charged" in refused.message
    assert flora.jobs == []

    planned_anew = await run(flora, "risen", TWO_STEPS[0])
    assert (planned_anew.name, flora.jobs[0]["charged"]) == ("Completed", 8), planned_anew.message

    flora.sandbox.fault(flora.account, "reprice", route="get_technique", after=1, factor=2)
    with_room = await run(flora, "risen", TWO_STEPS[0], take=2, max_credits=16)
    assert (with_room.name, flora.jobs[-1]["charged"]) == ("Completed", 16), with_room.message


async def test_a_run_that_was_charged_far_more_than_its_price_says_so_and_buys_nothing_more(flora: Studio) -> None:
    flora.sandbox.fault(flora.account, "overcharge", factor=10)

    ended = await run(flora, "overcharged", *TWO_STEPS)

    (job,) = flora.jobs
    excess = f"job {job['id']} was charged 40 credits, and its price was 4 credits"
    assert ended.name == "Partial"
    assert f"charged: flora 40 credits. To be looked at: step s1, output_image: {excess}" in ended.message
    assert f"is held since {datetime.now(UTC).date()}" in by_step(ended)["s2"].error
    assert excess in by_step(ended)["s2"].error
    assert isinstance((await run(flora, "next", TWO_STEPS[0], take=2)).result, HeldError)
    assert len(flora.jobs) == 1


async def test_a_failed_run_that_was_charged_above_its_price_says_so(flora: Studio) -> None:
    flora.change(settings={"advance": "looks", "failure_rate": 1})
    flora.sandbox.fault(flora.account, "overcharge", factor=10)

    ended = await run(flora, "burst", TWO_STEPS[0])

    assert by_step(ended)["s1"].charged == 40
    assert "was charged 40 credits, and its price was 4 credits: the account is held." in by_step(ended)["s1"].error
    assert "1 failed; charged: flora 40 credits" in ended.message


async def test_a_failed_step_says_why_keeps_what_was_made_and_stops_the_spending(flora: Studio) -> None:
    await run(flora, "partial", TWO_STEPS[0])
    flora.sandbox.fault(flora.account, "fail", error_code="model_timeout", message="the model gave up")

    ended = await run(flora, "partial", *TWO_STEPS, {"technique": "palette-pull", "inputs": fed("s2")})

    assert ended.name == "Partial"
    assert {name: result.status for name, result in by_step(ended).items()} == {
        "s1": "Reused",
        "s2": "Failed",
        "s3": "Not started",
    }
    job = flora.jobs[-1]
    assert (
        f"step s2: the job failed: model_timeout - the model gave up (flora technique studio-blur, job {job['id']}"
        in ended.message
    )
    assert "does not charge failed runs" in ended.message
    assert len(flora.jobs) == 2


async def test_the_next_take_is_bought_on_purpose(flora: Studio) -> None:
    await run(flora, "take", TWO_STEPS[0])
    again = await run(flora, "take", TWO_STEPS[0], take=2)

    assert by_step(again)["s1"].status == "Bought"
    assert len(flora.jobs) == 2


async def test_a_job_whose_files_came_late_is_reported_once_with_its_cost(flora: Studio) -> None:
    flora.sandbox.fault(flora.account, "wrong_bytes", times=1)

    ended = [await run(flora, "late", TWO_STEPS[0]) for _ in range(2)]

    assert [by_step(one)["s1"].status for one in ended] == ["Failed", "Resumed"]
    assert [by_step(one)["s1"].charged for one in ended] == [flora.jobs[0]["charged"], 0]


async def test_steps_whose_inputs_turn_out_equal_are_bought_and_counted_once(flora: Studio, tmp_path: Path) -> None:
    """Two photographs that differ in one point have the same critique."""
    picture = Image.open(PHOTO["file"]).convert("RGB")
    picture.putpixel((0, 0), (1, 2, 3))
    other = tmp_path / "other.png"
    picture.save(other)
    steps = (
        *({"technique": "art-directors-critique", "inputs": [PHOTO | {"file": file}]} for file in (PHOTO["file"], str(other))),
        *({"technique": "icon-pack", "inputs": [{"id": "prompt", "step": step}]} for step in ("s1", "s2")),
    )

    ended = await run(flora, "equal", *steps)
    again = await run(flora, "equal", *steps, max_credits=0)

    results = by_step(ended)
    assert sorted((results[step].status, results[step].charged) for step in ("s3", "s4")) == [("Bought", 4), ("Reused", 0)]
    assert sum(result.charged for result in ended.result) == sum(job["charged"] for job in flora.jobs)
    assert len(flora.jobs) == 3
    assert {result.status for result in by_step(again).values()} == {"Reused"}


async def test_equal_steps_are_refused_by_both_names_before_anything_is_bought(flora: Studio) -> None:
    ended = await run(flora, "duplicates", TWO_STEPS[0], TWO_STEPS[0])

    assert isinstance(ended.result, InputError)
    assert "step s2: asks for the very same as step s1" in str(ended.result)
    assert flora.jobs == []


async def test_a_chain_goes_on_by_floras_own_links_where_it_takes_no_files(flora: Studio) -> None:
    flora.change(switches={"assets": False})
    first = {"technique": "relight-technique", "inputs": [{"id": "input_image", "url": flora.sandbox.sample}]}
    await run(flora, "no-files", first)

    ended = await run(flora, "no-files", first, TWO_STEPS[1])

    assert {name: result.status for name, result in by_step(ended).items()} == {"s1": "Reused", "s2": "Bought"}


async def test_whatever_would_have_to_be_put_up_is_found_before_the_first_credit_where_flora_takes_no_files(
    flora: Studio,
) -> None:
    sample = {"id": "input_image", "url": flora.sandbox.sample}
    await run(flora, "early", {"technique": "product-motion", "inputs": [sample]})
    (film,) = (f"store:{file}" for file in flora.stored if file.endswith(".mp4"))
    flora.change(switches={"assets": False})
    bought = len(flora.jobs)

    ended = await run(
        flora,
        "no-files",
        {"technique": "relight-technique", "inputs": [sample]},
        {"technique": "studio-blur", "inputs": [PHOTO]},
        {"technique": "studio-blur", "inputs": [{"id": "input_image", "file": film, "at": 0.1}]},
        {"technique": "product-motion", "inputs": fed("s1")},
        {"technique": "studio-blur", "inputs": [{"id": "input_image", "step": "s4", "at": "poster"}]},
    )

    assert isinstance(ended.result, InputError)
    assert [fault.place for fault in ended.result.faults] == [f"step {step}, input input_image" for step in ("s2", "s3", "s5")]
    assert "a store on S3" in str(ended.result)
    assert len(flora.jobs) == bought


async def test_a_picture_of_an_asset_is_put_up_before_the_first_credit(flora: Studio) -> None:
    sample = {"id": "input_image", "url": flora.sandbox.sample}
    await run(flora, "early", {"technique": "product-motion", "inputs": [sample]})
    (film,) = (f"store:{file}" for file in flora.stored if file.endswith(".mp4"))
    flora.sandbox.fault(flora.account, "server_error", route="create_asset", times=None)
    bought = len(flora.jobs)

    ended = await run(
        flora,
        "frame",
        {"technique": "relight-technique", "inputs": [sample]},
        {"technique": "studio-blur", "inputs": [{"id": "input_image", "file": film, "at": 0.1}]},
    )

    assert isinstance(ended.result, ServerError)
    assert len(flora.jobs) == bought


async def test_a_picture_beyond_the_end_of_a_film_is_told_when_the_film_is_there_and_not_bought(flora: Studio) -> None:
    steps = (
        {"technique": "product-motion", "inputs": [PHOTO]},
        {"technique": "studio-blur", "inputs": [{"id": "input_image", "step": "s1", "at": 99}]},
    )

    ended = await run(flora, "beyond", *steps)
    again = await run(flora, "beyond", *steps)

    fault = r"step s2, input input_image: asks for the picture at 99 s, but step s1, output_video lasts [\d.]+ s"
    assert {name: result.status for name, result in by_step(ended).items()} == {"s1": "Bought", "s2": "Failed"}
    assert re.search(fault, by_step(ended)["s2"].error)
    assert isinstance(again.result, InputError)
    assert re.search(fault, str(again.result))
    assert len(flora.jobs) == 1


async def test_outputs_fan_out_and_texts_are_handed_on(flora: Studio) -> None:
    ended = await run(
        flora,
        "fan",
        {"technique": "turn-any-product-into-4-ad-visuals", "inputs": [PHOTO]},
        {"technique": "studio-blur", "inputs": fed("s1", "*")},
        {"technique": "art-directors-critique", "inputs": [PHOTO]},
        {"technique": "icon-pack", "inputs": [{"id": "prompt", "step": "s3"}]},
    )

    assert ended.name == "Completed"
    assert set(by_step(ended)) == {"s1", "s2-1", "s2-2", "s2-3", "s2-4", "s3", "s4"}
    critique = next(file for file in flora.stored if file.endswith(".txt"))
    prompts = [job["request"]["inputs"][0]["value"] for job in flora.jobs if job["request"]["technique"] == "icon-pack"]
    assert prompts == [(flora.root / critique).read_text()]


async def test_a_deleted_file_is_fetched_again_and_not_bought(flora: Studio) -> None:
    await run(flora, "lost", TWO_STEPS[0])
    picture = next(file for file in flora.stored if not file.endswith(".json"))
    (flora.root / picture).unlink()

    ended = await run(flora, "lost", TWO_STEPS[0])

    assert by_step(ended)["s1"].status == "Resumed"
    assert (flora.root / picture).exists()
    assert len(flora.jobs) == 1


async def test_polling_survives_an_outage(flora: Studio) -> None:
    for kind in ("server_error", "reset", "rate_limit", "broken_json", "html_error"):
        flora.sandbox.fault(flora.account, kind, route="get_run", times=2)

    ended = await run(flora, "outage", TWO_STEPS[0])

    assert ended.name == "Completed"


async def test_a_lost_answer_to_the_purchase_does_not_buy_twice(flora: Studio) -> None:
    flora.sandbox.fault(flora.account, "lose_answer", route="create_run")

    ended = await run(flora, "lost-answer", TWO_STEPS[0])

    assert by_step(ended)["s1"].status == "Bought"
    assert len(flora.jobs) == 1


async def test_a_chain_over_its_cap_buys_nothing(flora: Studio) -> None:
    ended = await run(flora, "cap", *TWO_STEPS, max_credits=1)

    assert isinstance(ended.result, BudgetError)
    assert flora.jobs == []


async def test_what_is_stored_does_not_count_towards_the_cap(flora: Studio) -> None:
    await run(flora, "cap-reuse", *TWO_STEPS)

    ended = await run(flora, "cap-reuse", *TWO_STEPS, max_credits=0)

    assert ended.name == "Completed"


ONE_STEP = TWO_STEPS[0]
BAD_INPUTS = {"technique": "color-transfer", "inputs": [{"id": "input_image", "text": "a cup"}, {"id": "reference", "text": "x"}]}


def at(url: str) -> dict[str, Any]:
    return {"technique": "studio-blur", "inputs": [{"id": "input_image", "url": url}]}


@pytest.mark.parametrize(
    ("step", "account", "error", "words"),
    [
        (ONE_STEP, {"api_key": "sk_live_wrong_0123456789"}, CredentialsError, ["401 invalid_api_key", "credentials block"]),
        ({"technique": "no-such", "inputs": []}, {}, InputError, ["step 1 (s1): names the technique 'no-such'"]),
        (
            BAD_INPUTS,
            {},
            InputError,
            ["3 faults", "reference_image: is missing", "input_image: is text", "reference: is unknown"],
        ),
        (at("http://media.flora.ai/a.jpg"), {}, InputError, ["s1), input input_image: must be an https address, not http"]),
        (
            at("https://example.com/a.jpg"),
            {},
            InputError,
            ["s1), input input_image: https://example.com/a.jpg cannot be fetched"],
        ),
    ],
    ids=["wrong key", "unknown slug", "two wrong inputs", "http input", "forbidden host"],
)
async def test_what_is_wrong_before_the_purchase_is_told_in_one_clear_error(
    flora: Studio, step: dict[str, Any], account: dict[str, Any], error: type[GenmediaError], words: list[str]
) -> None:
    payer = flora.credentials.model_copy(update={name: SecretStr(value) for name, value in account.items()})

    ended = await run(flora, "before", step, payer=payer)

    assert type(ended.result) is error
    for word in words:
        assert word in str(ended.result)
    assert flora.jobs == []
    assert flora.stored == []
    assert_nothing_leaked(flora, ended, account.get("api_key", ""))


@pytest.mark.parametrize(
    ("kind", "arguments", "words", "bought"),
    [
        (
            "fail",
            {"error_code": "safety_blocked", "message": "no"},
            ["the job failed: safety_blocked - no", "does not charge"],
            1,
        ),
        ("wrong_bytes", {"times": 9}, ["output output_image is not what it should be", "text/html", "quarantine/"], 1),
        ("cut_short", {"times": 9}, ["output output_image is not what it should be", "does not decode", "quarantine/"], 1),
        ("truncated", {"times": 9}, ["broke off after", "fetched again, not bought again"], 1),
        ("endless", {"times": 9}, ["sent more than 20000000 bytes", "raise the limit"], 1),
        ("expired", {"times": 9}, ["answered 403", "fetched again, not bought again"], 1),
    ],
)
async def test_what_goes_wrong_after_the_purchase_is_told_in_one_clear_error(
    flora: Studio, kind: str, arguments: dict[str, Any], words: list[str], bought: int
) -> None:
    flora.sandbox.fault(flora.account, kind, **arguments)

    ended = await run(flora, "after", ONE_STEP)

    assert ended.name == "Partial"
    for word in [*words, "step s1: ", "submission "]:
        assert word in ended.message
    assert len(flora.jobs) == bought
    assert [file for file in flora.stored if not file.startswith("quarantine/")] == []
    assert_nothing_leaked(flora, ended)


async def test_no_credits_is_told_and_nothing_is_half_bought(flora: Studio) -> None:
    flora.change(credits=1)

    ended = await run(flora, "broke", ONE_STEP)

    assert ended.name == "Partial"
    assert "402 insufficient_credits" in ended.message
    assert CreditsError.advice in ended.message
    assert flora.jobs == []


async def test_broken_json_from_the_server_is_told(flora: Studio) -> None:
    flora.sandbox.fault(flora.account, "broken_json", route="get_technique", times=9)

    ended = await run(flora, "broken", ONE_STEP)

    assert "bytes of broken JSON" in str(ended.result)
    assert flora.jobs == []


async def test_an_output_that_was_bad_once_is_fetched_again_by_the_next_run(flora: Studio) -> None:
    flora.sandbox.fault(flora.account, "wrong_bytes", times=1)
    await run(flora, "again", ONE_STEP)

    ended = await run(flora, "again", ONE_STEP)

    assert by_step(ended)["s1"].status == "Resumed"
    assert len(flora.jobs) == 1


def assert_nothing_leaked(flora: Studio, ended: Any, *more: str) -> None:
    """No key in the state or in any file a run leaves behind, and none at the media origin."""
    secrets = [secret for secret in (flora.account["api_key"], *more) if secret]
    said = f"{ended.message} {ended.result!r}"
    left = b"".join(file.read_bytes() for file in Path(flora.root).rglob("*") if file.is_file())
    for secret in secrets:
        assert secret not in said
        assert secret.encode() not in left
    assert flora.sandbox.leaked(flora.account) == 0
