"""A chain is checked as a whole before the first credit is spent, and comes to the runs a person would expect."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from genmedia.campaign.executor import check_apart, first_orders, inputs_of, order_for
from genmedia.campaign.plan import plan_steps
from genmedia.campaign.steps import Campaign
from genmedia.errors import Fault, InputError, NotFoundError
from genmedia.forms.validation import Reading, faults_in
from genmedia.jobs.job import Account
from genmedia.media.facts import MediaFacts
from genmedia.providers.flora.client import Technique
from genmedia.providers.flora.forms import Chain, Step
from genmedia.providers.flora.steps import Techniques
from genmedia.providers.inputs import PendingInput, ResolvedInput
from genmedia.providers.steps import PlannedStep
from genmedia.store import Place, Store
from genmedia.store.named_files import Files, NamedFile, files_at_hand
from genmedia.transport.origins import Origins

ORIGINS = Origins("https://app.flora.ai")
PHOTO = {"id": "input_image", "file": "photo.jpg"}


def looked_at(name: str, digest: str, facts: MediaFacts) -> NamedFile:
    return NamedFile(Path(name), url=name if name.startswith("https:") else "", sha256=digest * 32, facts=facts)


FILES = Files(
    {
        "photo.jpg": looked_at("photo.jpg", "ab", MediaFacts("image/jpeg", 600, 400)),
        "photo.heic": looked_at("photo.heic", "ba", MediaFacts("image/heic", 600, 400, mode="RGB")),
        "clip.mp4": looked_at("clip.mp4", "cd", MediaFacts("video/mp4", 600, 400, 2.0)),
        "https://media.flora.ai/a.png": looked_at("https://media.flora.ai/a.png", "ef", MediaFacts("image/png", 600, 400)),
    },
    {"gone.jpg": "is not there", "page.jpg": "cannot be used: it is a web page"},
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
) -> list[PlannedStep]:
    operations = {step.name: Techniques().operation(step, techniques[step.technique]) for step in written.steps}
    return plan_steps(written.steps, operations, files, {"flora": origins})


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


def test_a_retake_of_one_of_several_takes_in_a_plan_is_none_of_the_others() -> None:
    takes = [{"technique": "studio-blur", "inputs": [PHOTO], "take": take} for take in (1, 2)]
    other = {"technique": "studio-blur", "inputs": [{"id": "input_image", "url": "https://media.flora.ai/a.png"}]}

    plan = plan_chain(chain(*takes, other), TECHNIQUES, FILES, ORIGINS)

    orders = [order_for(run, inputs_of(run, {}), Account("flora", "https://app.flora.ai"), 1) for run in plan]
    assert [(order.take, order.take + order.stride) for order in orders] == [(1, 3), (2, 4), (1, 2)]


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
    assert plan[3].inputs == (PendingInput("input_image", "image", "s1", "angle_2"),)
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

    assert plan[1].inputs == (PendingInput("prompt", "text", "s1", "critique"),)
    assert plan[2].inputs == (PendingInput("input_image", "image", "s1", "redesign"),)


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
        "step 1 (s1), input reference_image: is missing; it takes image",
        "step 1 (s1), input input_image: is text, but image is needed",
        "step 1 (s1), input picture: is unknown to color-transfer; it takes input_image (image), reference_image (image)",
        "step 2 (s2): names the technique 'unknown', which FLORA does not know",
        "step 3 (s3), input input_image: uses step 's9', which is no earlier step",
    ]


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ({"url": "http://media.flora.ai/a.png"}, "must be an https address, not http"),
        ({"url": "data:image/png;base64,AAAA"}, "must be an https address, not data"),
        ({"url": "photo.jpg"}, "must be an https address, not a bare name"),
        ({"file": "gone.jpg"}, "gone.jpg is not there"),
        ({"file": "page.jpg"}, "page.jpg cannot be used: it is a web page"),
        ({"file": "clip.mp4"}, "is video, but image is needed; `at` takes a picture from it"),
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
    files = Files({url: looked_at(url, "ef", MediaFacts("image/png", 1, 1))})

    plan = plan_chain(
        chain({"technique": "studio-blur", "inputs": [{"id": "input_image", "url": url}]}), TECHNIQUES, files, ORIGINS
    )

    (given,) = inputs_of(plan[0], {})
    assert given.url == url


@pytest.mark.parametrize(
    "host",
    ["media.flora.ai.evil.example", "evilstorage.googleapis.com.example", "s3.amazonaws.com.evil.example", "example.com"],
)
@pytest.mark.parametrize("field", ["url", "file"])
def test_what_is_on_a_host_that_flora_does_not_read_from_is_fetched_and_handed_on_as_a_file(host: str, field: str) -> None:
    url = f"https://{host}/a.png"
    files = Files({url: replace(looked_at(url, "ef", MediaFacts("image/png", 1, 1)), path=Path("/fetched"))})
    written = chain({"technique": "studio-blur", "inputs": [{"id": "input_image", field: url}]})

    (given,) = inputs_of(plan_chain(written, TECHNIQUES, files, ORIGINS)[0], {})

    assert (given.url, given.file, given.source) == ("", Path("/fetched"), url)


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

    assert told == ["step 1 (a), input input_image: is given twice", "step 2 (a): has the name of an earlier step"]


def test_a_step_named_like_a_run_of_another_is_a_fault() -> None:
    told = faults(
        {"name": "m", "technique": "character-lock", "inputs": [PHOTO]},
        {"name": "p", "technique": "studio-blur", "inputs": [{"id": "input_image", "step": "m", "output": "*"}]},
        {"name": "p-1", "technique": "studio-blur", "inputs": [PHOTO]},
    )

    assert told == ["run p-1: is the name of two runs; rename a step"]


@pytest.mark.parametrize("cost", [float("nan"), float("inf"), -5])
def test_a_price_that_is_no_amount_is_unknown(cost: float) -> None:
    assert technique("studio-blur", {}, {}, cost).run_cost is None


BLUR = {"name": "s", "technique": "studio-blur"}
CUP = {"name": "s", "model": "imagen4", "prompt": "a cup"}


@pytest.mark.parametrize(
    ("step", "place", "fault"),
    [
        (
            BLUR | {"inputs": [{"id": "input_image", "fiel": "photo.jpg"}]},
            "step 1 (s), input input_image",
            "has id, fiel; it needs one of file, url, text, step",
        ),
        (
            BLUR | {"inputs": [{"id": "input_image", "file": "clip.mp4", "att": 1}]},
            "step 1 (s), input input_image, att",
            "is no field; there are id, file, at",
        ),
        (
            BLUR | {"inputs": [PHOTO | {"text": "x"}]},
            "step 1 (s), input input_image, text",
            "is no field; there are id, file, at",
        ),
        (CUP | {"references": [{"stp": "a"}]}, "step 1 (s), reference 1", "has stp; it needs one of file, step"),
        (CUP | {"references": ["photo.jpg"]}, "step 1 (s), reference 1", "has no fields; it needs one of file, step"),
        (
            {"name": "s", "template": "t", "input": {"txt": "a chair"}},
            "step 1 (s), input",
            "has txt; it needs one of file, text, step",
        ),
        (
            {"name": "s", "tecnique": "studio-blur"},
            "step 1 (s)",
            "has name, tecnique; it needs one of technique, model, template, base_model, local",
        ),
        (
            {"name": "s", "model": "imagen4", "promt": "a cup"},
            "step 1 (s), promt",
            "is no field; there are name, model, prompt, ratio, quality, references, mode, count, priority, copy_number, take",
        ),
    ],
)
def test_a_misspelt_field_is_one_fault_at_its_place_with_what_is_allowed(step: dict[str, Any], place: str, fault: str) -> None:
    written = {"name": "test", "steps": [step]}
    with pytest.raises(ValidationError) as refused:
        Campaign.model_validate(written)

    assert faults_in(refused.value, written) == [Fault(place, fault)]


def test_all_faults_of_all_steps_are_told_in_one_round_those_of_the_form_with_those_of_the_plan() -> None:
    written: dict[str, Any] = {
        "name": "Frühling",
        "steps": [
            {"name": "Hero Shot", "technique": "studio-blur", "inptus": []},
            {"name": "soft", "technique": "unknown", "inputs": [{"id": "input_image", "step": "Hero Shot"}]},
            {"technique": "studio-blur", "inputs": [{"id": 7, "file": "photo.jpg"}]},
            {"name": "last", "technique": "studio-blur", "inputs": [{"id": "input_image", "step": "nowhere"}]},
        ],
    }
    reading = Reading(plans=True)
    read = Chain.model_validate(written, context=reading)
    steps: list[Any] = [*read.steps]
    known = [step for step in steps if isinstance(step, Step)]
    operations = {step.name: Techniques().operation(step, TECHNIQUES[step.technique]) for step in known}

    with pytest.raises(InputError) as refused:
        plan_steps(read.steps, operations, FILES, {"flora": ORIGINS})

    assert [str(fault) for fault in refused.value.faults] == [
        "step 1 (hero-shot), inptus: is no field; there are name, technique, inputs, take",
        "step 2 (soft): names the technique 'unknown', which FLORA does not know",
        "step 3, name: is missing",
        "step 3, input 1, id: should be a text",
        "step 4 (last), input input_image: uses step 'nowhere', which is no earlier step",
    ]
    assert reading.renamed == {"Frühling": "fruehling", "Hero Shot": "hero-shot"}


def test_a_model_that_there_is_not_is_told_once_with_those_that_there_are() -> None:
    written = {"name": "test", "steps": [CUP | {"model": "veo3_fats", "prompt": ""}]}
    with pytest.raises(ValidationError) as refused:
        Campaign.model_validate(written)

    told = [str(fault) for fault in faults_in(refused.value, written)]
    assert told[0].startswith("step 1 (s), model: is 'veo3_fats', and can be nano_banana2, ")
    assert told[0].endswith("; did you mean veo3_fast?")
    assert told[1:] == ["step 1 (s), prompt: has no visible character"]


@pytest.mark.parametrize("at", [float("inf"), float("nan"), -1, "middle", None])
@pytest.mark.parametrize("source", [{"file": "clip.mp4"}, {"step": "film"}], ids=["file", "step"])
def test_a_second_that_is_none_is_one_fault_when_it_is_read(source: dict[str, str], at: Any) -> None:
    written = BLUR | {"inputs": [{"id": "input_image", **source, "at": at}]}
    if at is None:
        assert Campaign.model_validate({"name": "test", "steps": [written]})
        return
    with pytest.raises(ValidationError, match="should be a second of the video, 0 or more, poster or last") as refused:
        Campaign.model_validate({"name": "test", "steps": [written]})

    assert refused.value.error_count() == 1


def test_a_name_too_long_for_a_file_is_cut() -> None:
    step = {"name": "a" * 300, "technique": "studio-blur", "inputs": [PHOTO]}

    read = Chain.model_validate({"name": f"Spring {'b' * 300}", "steps": [step]})

    assert (read.name, read.steps[0].name) == (f"spring-{'b' * 53}", "a" * 60)


async def test_a_file_named_longer_than_a_file_can_be_is_a_fault_of_its_input(tmp_path: Path) -> None:
    name = "a" * 300
    async with Store.lease(Place(str(tmp_path))) as store, files_at_hand([name, f"store:{name}"], store, None) as files:
        pass

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
    film = ResolvedInput("output_video", "video", sha256="cd" * 32, duration=8.0, source="step s1, output_video")

    with pytest.raises(InputError) as refused:
        inputs_of(still, {"s1": {"output_video": film}})

    fault = "step s2, input input_image: asks for the picture at 99 s, but step s1, output_video lasts 8 s"
    assert list(map(str, refused.value.faults)) == [fault]
    assert inputs_of(still, {"s1": {"output_video": replace(film, duration=99.0)}})[0].at == 99


def check(*steps: dict[str, Any]) -> None:
    check_apart(
        first_orders(plan_chain(chain(*steps), TECHNIQUES, FILES, ORIGINS), {"flora": Account("flora", "https://app.flora.ai")})
    )


def test_steps_that_ask_for_the_very_same_are_refused_by_both_names() -> None:
    blur = {"technique": "studio-blur", "inputs": [PHOTO]}
    fed = {"technique": "studio-blur", "inputs": [{"id": "input_image", "step": "s1"}]}

    with pytest.raises(InputError) as refused:
        check(blur, fed, blur, fed)

    assert [fault.place for fault in refused.value.faults] == ["step s3", "step s4"]
    assert "the very same as step s1" in refused.value.faults[0].what
    assert "the very same as step s2" in refused.value.faults[1].what
    assert "remove one" in str(refused.value)


def test_steps_that_differ_in_what_feeds_them_are_no_duplicates() -> None:
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
    png = MediaFacts("image/png", 1, 1)
    files = Files({name: looked_at(name, "ab", png) for name in ("photo.jpg", "https://media.flora.ai/a.png")})
    sources = [{"file": "photo.jpg"}, {"url": "https://media.flora.ai/a.png"}]
    runs = [
        plan_chain(chain({"technique": "studio-blur", "inputs": [{"id": "input_image", **one}]}), TECHNIQUES, files, ORIGINS)[0]
        for one in sources
    ]

    keys = {order_for(run, inputs_of(run, {}), Account("flora", "https://app.flora.ai"), 1).key for run in runs}

    assert len(keys) == 1
