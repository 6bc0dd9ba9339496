"""A chain is checked as a whole before the first credit is spent, and comes to the runs a person would expect."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from genmedia.campaign.execution import check_apart, inputs_of, order_for
from genmedia.campaign.operations import technique_operation
from genmedia.campaign.plan import PlannedRun, plan_steps
from genmedia.campaign.sources import Fed, Files, Given, look_at_files
from genmedia.campaign.written import Campaign, Chain
from genmedia.errors import InputError, NotFoundError
from genmedia.inspection.media import MediaFacts
from genmedia.jobs import Account
from genmedia.origins import Origins
from genmedia.providers.flora import Technique
from genmedia.store import Place, Store

ORIGINS = Origins("https://app.flora.ai")
PHOTO = {"id": "input_image", "file": "photo.jpg"}
FILES = Files(
    {
        "photo.jpg": ("ab" * 32, MediaFacts("image/jpeg", 600, 400)),
        "clip.mp4": ("cd" * 32, MediaFacts("video/mp4", 600, 400, 2.0)),
        "https://media.flora.ai/a.png": ("ef" * 32, MediaFacts("image/png", 600, 400)),
    },
    {"gone.jpg": "is not there", "page.jpg": "cannot be used: its content is text/html, which is not kept"},
)


def technique(slug: str, inputs: dict[str, str], outputs: dict[str, str], cost: float = 5) -> Technique:
    def fields(one: dict[str, str]) -> list[dict[str, str]]:
        return [{"id": name, "name": name, "type": type_} for name, type_ in one.items()]

    return Technique.model_validate(
        {"techniqueId": slug, "name": slug, "runCost": cost, "inputs": fields(inputs), "outputs": fields(outputs)}
    )


TECHNIQUES: dict[str, Technique | NotFoundError] = {
    "studio-blur": technique("studio-blur", {"input_image": "imageUrl"}, {"output_image": "imageUrl"}, 3),
    "color-transfer": technique(
        "color-transfer", {"input_image": "imageUrl", "reference_image": "imageUrl"}, {"output_image": "imageUrl"}, 4
    ),
    "character-lock": technique("character-lock", {"input_image": "imageUrl"}, {f"angle_{n}": "imageUrl" for n in range(6)}, 8),
    "product-motion": technique("product-motion", {"input_image": "imageUrl"}, {"output_video": "videoUrl"}, 15),
    "icon-pack": technique("icon-pack", {"prompt": "text"}, {"output_image": "imageUrl"}, 2),
    "critique": technique("critique", {"input_image": "imageUrl"}, {"critique": "text", "redesign": "imageUrl"}, 2),
    "unknown": NotFoundError("flora: GET answered 404"),
}


def chain(*steps: dict[str, Any]) -> Chain:
    named = [{"name": f"s{number}", **step} for number, step in enumerate(steps, 1)]
    return Chain.model_validate({"name": "test", "steps": named})


def plan_chain(
    written: Chain, techniques: dict[str, Technique | NotFoundError], files: Files, origins: Origins
) -> list[PlannedRun]:
    operations = {step.name: technique_operation(step, techniques[step.technique]) for step in written.steps}
    return plan_steps(written.steps, operations, files, origins)


def faults(*steps: dict[str, Any]) -> list[str]:
    with pytest.raises(InputError) as refused:
        plan_chain(chain(*steps), TECHNIQUES, FILES, ORIGINS)
    return [str(fault) for fault in refused.value.faults]


def test_each_step_becomes_a_run_fed_by_the_steps_before_it() -> None:
    plan = plan_chain(
        chain(
            {"technique": "studio-blur", "inputs": [PHOTO]},
            {"technique": "product-motion", "inputs": [{"id": "input_image", "step": "s1"}]},
        ),
        TECHNIQUES,
        FILES,
        ORIGINS,
    )

    assert [(run.name, run.operation.name, run.operation.price, run.feeds) for run in plan] == [
        ("s1", "studio-blur", 3, set()),
        ("s2", "product-motion", 15, {"s1"}),
    ]


def test_a_step_runs_once_for_each_output_when_asked_for_every_one() -> None:
    plan = plan_chain(
        chain(
            {"technique": "character-lock", "inputs": [PHOTO]},
            {"technique": "studio-blur", "inputs": [{"id": "input_image", "step": "s1", "output": "*"}]},
            {"technique": "product-motion", "inputs": [{"id": "input_image", "step": "s2", "output": "*"}]},
        ),
        TECHNIQUES,
        FILES,
        ORIGINS,
    )

    assert [run.name for run in plan] == ["s1", *(f"s2-{n}" for n in range(1, 7)), *(f"s3-{n}" for n in range(1, 7))]
    assert plan[3].inputs == (Fed("input_image", "imageUrl", "s1", "angle_2"),)
    assert plan[-1].feeds == {"s2-6"}


def test_an_output_is_found_by_its_type_when_only_one_fits() -> None:
    plan = plan_chain(
        chain(
            {"technique": "critique", "inputs": [PHOTO]},
            {"technique": "icon-pack", "inputs": [{"id": "prompt", "step": "s1"}]},
            {"technique": "studio-blur", "inputs": [{"id": "input_image", "step": "s1"}]},
        ),
        TECHNIQUES,
        FILES,
        ORIGINS,
    )

    assert plan[1].inputs == (Fed("prompt", "text", "s1", "critique"),)
    assert plan[2].inputs == (Fed("input_image", "imageUrl", "s1", "redesign"),)


def test_everything_that_is_wrong_is_told_at_once_each_with_its_step_and_input() -> None:
    told = faults(
        {
            "technique": "color-transfer",
            "inputs": [{"id": "input_image", "text": "a cup"}, {"id": "picture", "file": "photo.jpg"}],
        },
        {"technique": "unknown", "inputs": []},
        {"technique": "studio-blur", "inputs": [{"id": "input_image", "step": "s9"}]},
    )

    assert told == [
        "step 1 (s1), input reference_image: is missing; it takes imageUrl",
        "step 1 (s1), input input_image: is text, but imageUrl is needed",
        "step 1 (s1), input picture: is unknown to color-transfer; it takes input_image (imageUrl), reference_image (imageUrl)",
        "step 2 (s2): names the technique 'unknown', which FLORA does not know",
        "step 3 (s3), input input_image: uses step 's9', which is not above it",
    ]


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ({"url": "http://media.flora.ai/a.png"}, "must be an https address, not http"),
        ({"url": "https://example.com/photo.jpg"}, "is on example.com, which FLORA does not read from"),
        ({"url": "data:image/png;base64,AAAA"}, "must be an https address, not data"),
        ({"url": "photo.jpg"}, "must be an https address, not a bare name"),
        ({"file": "gone.jpg"}, "gone.jpg is not there"),
        ({"file": "page.jpg"}, "page.jpg cannot be used: its content is text/html, which is not kept"),
        ({"file": "clip.mp4"}, "is videoUrl, but imageUrl is needed; `at` takes a picture from it"),
    ],
)
def test_a_source_that_cannot_be_used_is_a_fault_of_its_input(source: dict[str, str], fault: str) -> None:
    told = faults({"technique": "studio-blur", "inputs": [{"id": "input_image", **source}]})

    assert told == [f"step 1 (s1), input input_image: {fault}"]


@pytest.mark.parametrize(
    "url",
    [
        "https://media.flora.ai/a.png",
        "https://storage.googleapis.com/b/a.png",
        "https://bucket.storage.googleapis.com/a.png",
        "https://bucket.s3.eu-west-1.amazonaws.com/a.png",
        "https://s3.eu-west-1.amazonaws.com/bucket/a.png",
        "https://s3.amazonaws.com/bucket/a.png",
        "https://bucket.s3.dualstack.eu-west-1.amazonaws.com/a.png",
        "https://bucket.s3-accelerate.amazonaws.com/a.png",
        "https://ik.imagekit.io/flora/a.png",
    ],
)
def test_every_documented_host_is_read_from(url: str) -> None:
    files = Files({url: ("ef" * 32, MediaFacts("image/png", 1, 1))})

    plan = plan_chain(
        chain({"technique": "studio-blur", "inputs": [{"id": "input_image", "url": url}]}), TECHNIQUES, files, ORIGINS
    )

    assert len(plan) == 1


@pytest.mark.parametrize(
    "host", ["media.flora.ai.evil.example", "evilstorage.googleapis.com.example", "s3.amazonaws.com.evil.example"]
)
def test_a_host_that_only_looks_like_a_documented_one_is_refused(host: str) -> None:
    told = faults({"technique": "studio-blur", "inputs": [{"id": "input_image", "url": f"https://{host}/a.png"}]})

    assert told == [f"step 1 (s1), input input_image: is on {host}, which FLORA does not read from"]


def test_a_step_that_gives_several_outputs_must_say_which() -> None:
    told = faults(
        {"technique": "character-lock", "inputs": [PHOTO]},
        {"technique": "studio-blur", "inputs": [{"id": "input_image", "step": "s1"}]},
        {"technique": "studio-blur", "inputs": [{"id": "input_image", "step": "s1", "output": "angle_9"}]},
    )

    assert [one.split(";")[0] for one in told] == [
        "step 2 (s2), input input_image: does not say which output of step 's1'",
        "step 3 (s3), input input_image: asks for output 'angle_9' of step 's1'",
    ]


def test_two_steps_of_one_name_and_an_input_given_twice_are_faults() -> None:
    told = faults(
        {"name": "a", "technique": "studio-blur", "inputs": [PHOTO, PHOTO]},
        {"name": "a", "technique": "studio-blur", "inputs": [PHOTO]},
    )

    assert told == ["step 1 (a), input input_image: is given twice", "step 2 (a): has the name of a step above it"]


def test_a_step_named_like_a_run_of_another_is_a_fault() -> None:
    told = faults(
        {"name": "m", "technique": "character-lock", "inputs": [PHOTO]},
        {"name": "p", "technique": "studio-blur", "inputs": [{"id": "input_image", "step": "m", "output": "*"}]},
        {"name": "p-1", "technique": "studio-blur", "inputs": [PHOTO]},
    )

    assert told == ["run p-1: is the name of two runs; rename a step"]


@pytest.mark.parametrize("cost", [float("nan"), float("inf"), -5])
def test_a_price_that_is_none_is_refused(cost: float) -> None:
    with pytest.raises(ValidationError):
        technique("studio-blur", {}, {}, cost)


BLUR = {"name": "s", "technique": "studio-blur"}
CUP = {"name": "s", "model": "imagen4", "prompt": "a cup"}


@pytest.mark.parametrize(
    ("step", "place", "fault"),
    [
        (
            BLUR | {"inputs": [{"id": "input_image", "fiel": "photo.jpg"}]},
            ("technique", "inputs", 0),
            "has id, fiel; it needs one of file, url, text, step",
        ),
        (
            BLUR | {"inputs": [{"id": "input_image", "file": "clip.mp4", "att": 1}]},
            ("technique", "inputs", 0, "file"),
            "has no field att; it has id, file, at",
        ),
        (
            BLUR | {"inputs": [PHOTO | {"text": "x"}]},
            ("technique", "inputs", 0, "file"),
            "has no field text; it has id, file, at",
        ),
        (CUP | {"references": [{"stp": "a"}]}, ("model", "references", 0), "has stp; it needs one of file, step"),
        (CUP | {"references": ["photo.jpg"]}, ("model", "references", 0), "has no fields; it needs one of file, step"),
        (
            {"name": "s", "template": "t", "input": {"txt": "a chair"}},
            ("template", "input"),
            "has txt; it needs one of file, text, step",
        ),
        (
            {"name": "s", "tecnique": "studio-blur"},
            (),
            "has name, tecnique; it needs one of model, template, base_model, technique",
        ),
        (
            {"name": "s", "model": "imagen4", "promt": "a cup"},
            ("model",),
            "has no field promt; it has name, model, prompt, ratio, quality, references, mode",
        ),
    ],
)
def test_a_misspelt_field_is_one_fault_at_its_place_with_what_is_allowed(
    step: dict[str, Any], place: tuple[str | int, ...], fault: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        Campaign.model_validate({"name": "test", "steps": [step]})

    (told,) = refused.value.errors()
    assert told["loc"] == ("steps", 0, *place)
    assert told["msg"] == f"Value error, {fault}"


@pytest.mark.parametrize("at", [float("inf"), float("nan"), -1, "middle", None])
@pytest.mark.parametrize("source", [{"file": "clip.mp4"}, {"step": "film"}], ids=["file", "step"])
def test_a_second_that_is_none_is_one_fault_when_it_is_read(source: dict[str, str], at: Any) -> None:
    written = BLUR | {"inputs": [{"id": "input_image", **source, "at": at}]}
    if at is None:
        assert Campaign.model_validate({"name": "test", "steps": [written]})
        return
    with pytest.raises(ValidationError, match="should be a second of the video, 0 or more, or poster") as refused:
        Campaign.model_validate({"name": "test", "steps": [written]})

    assert refused.value.error_count() == 1


@pytest.mark.parametrize("field", ["campaign", "step"])
def test_a_name_too_long_for_a_file_is_refused_where_it_is_read(field: str) -> None:
    names = {"campaign": "test", "step": "s"} | {field: "a" * 300}
    step = {"name": names["step"], "technique": "studio-blur", "inputs": [PHOTO]}

    with pytest.raises(ValidationError, match="at most 60 characters") as refused:
        Chain.model_validate({"name": names["campaign"], "steps": [step]})

    assert refused.value.error_count() == 1


async def test_a_file_named_longer_than_a_file_can_be_is_a_fault_of_its_input(tmp_path: Path) -> None:
    name = "a" * 300
    async with Store.lease(Place(str(tmp_path))) as store:
        files = await look_at_files([name, f"store:{name}"], [], None, store)

    assert files.wrong[name] == "cannot be read: File name too long"
    assert "File name too long" in files.wrong[f"store:{name}"]


def test_a_picture_beyond_the_end_of_a_film_that_is_there_is_a_fault() -> None:
    told = faults({"technique": "studio-blur", "inputs": [{"id": "input_image", "file": "clip.mp4", "at": 99}]})

    assert told == ["step 1 (s1), input input_image: asks for the picture at 99 s, but clip.mp4 lasts 2 s"]


FILM_STILL = (
    {"technique": "product-motion", "inputs": [PHOTO]},
    {"technique": "studio-blur", "inputs": [{"id": "input_image", "step": "s1", "at": 99}]},
)


def test_a_picture_beyond_the_end_of_a_film_is_refused_once_the_film_is_there() -> None:
    still = plan_chain(chain(*FILM_STILL), TECHNIQUES, FILES, ORIGINS)[1]
    film = Given("output_video", "videoUrl", sha256="cd" * 32, duration=8.0, source="step s1, output_video")

    with pytest.raises(InputError) as refused:
        inputs_of(still, {"s1": {"output_video": film}})

    fault = "step s2, input input_image: asks for the picture at 99 s, but step s1, output_video lasts 8 s"
    assert list(map(str, refused.value.faults)) == [fault]
    assert inputs_of(still, {"s1": {"output_video": replace(film, duration=99.0)}})[0].at == 99


def check(*steps: dict[str, Any]) -> None:
    check_apart(plan_chain(chain(*steps), TECHNIQUES, FILES, ORIGINS), {"flora": Account("flora", "https://app.flora.ai")})


def test_steps_that_ask_for_the_very_same_are_refused_by_both_names() -> None:
    blur = {"technique": "studio-blur", "inputs": [PHOTO]}
    fed = {"technique": "studio-blur", "inputs": [{"id": "input_image", "step": "s1"}]}

    with pytest.raises(InputError) as refused:
        check(blur, fed, blur, fed)

    assert [fault.place for fault in refused.value.faults] == ["step s3", "step s4"]
    assert "the very same as step s1" in refused.value.faults[0].what
    assert "the very same as step s2" in refused.value.faults[1].what
    assert "remove one" in str(refused.value)


def test_steps_that_differ_in_what_feeds_them_are_no_twins() -> None:
    film, still = FILM_STILL
    other = {"technique": "studio-blur", "inputs": [{"id": "input_image", "step": "s1", "at": 1}]}

    check(film, still, other, {"technique": "studio-blur", "inputs": [PHOTO]})


def test_the_order_of_inputs_in_a_step_does_not_make_another_purchase() -> None:
    first = {"id": "input_image", "file": "photo.jpg"}
    second = {"id": "reference_image", "url": "https://media.flora.ai/a.png"}
    runs = [
        plan_chain(chain({"technique": "color-transfer", "inputs": inputs}), TECHNIQUES, FILES, ORIGINS)[0]
        for inputs in ([first, second], [second, first])
    ]

    keys = {order_for(run, inputs_of(run, {}), Account("flora", "https://app.flora.ai"), 1).key for run in runs}

    assert len(keys) == 1


def test_the_same_picture_by_path_and_by_address_is_the_same_purchase() -> None:
    files = Files({name: ("ab" * 32, MediaFacts("image/png", 1, 1)) for name in ("photo.jpg", "https://media.flora.ai/a.png")})
    sources = [{"file": "photo.jpg"}, {"url": "https://media.flora.ai/a.png"}]
    runs = [
        plan_chain(chain({"technique": "studio-blur", "inputs": [{"id": "input_image", **one}]}), TECHNIQUES, files, ORIGINS)[0]
        for one in sources
    ]

    keys = {order_for(run, inputs_of(run, {}), Account("flora", "https://app.flora.ai"), 1).key for run in runs}

    assert len(keys) == 1
