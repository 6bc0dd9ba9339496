"""`genmedia run`: what can be run, what it is given, and what is refused before any server is asked."""

import ast
import inspect
import io
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import BaseModel, Field

from deployments.local_run import Ended
from genmedia.campaign.brief import Brief
from genmedia.campaign.forms.image_batch import image_batch
from genmedia.cli.flow_runs import report
from genmedia.cli.parameters import Parameters
from genmedia.cli.printing import Console
from genmedia.cli.project import Project
from genmedia.errors import InputError
from genmedia.purchasing.result import Result
from tests.commands import PROJECT, genmedia, python
from tests.example_assets import stored_asset

_FILE = yaml.safe_load((PROJECT / "prefect.yaml").read_text(encoding="utf-8"))
DECLARED: list[dict[str, Any]] = _FILE["deployments"] + _FILE["presets"]
ENTRYPOINTS = sorted({deployment["entrypoint"] for deployment in DECLARED})


def plain(text: str) -> str:
    """What a help page says, without its frames and line breaks."""
    return re.sub(r"[\s│╭╮╰╯─]+", " ", text)


def test_the_list_of_flows_and_presets_is_that_of_prefect_yaml_and_needs_no_prefect() -> None:
    tell = "print({'prefect', 'pydantic'} & set(sys.modules))"
    program = f"import sys\nfrom genmedia.cli.app import main\ntry:\n    main()\nfinally:\n    {tell}"
    done = python("-c", program, "run", "--help", COLUMNS="200")

    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("set()\n")
    shown = plain(done.stdout)
    for deployment in DECLARED:
        assert f" {deployment['name']} {deployment['description']}" in shown
    for entrypoint in ENTRYPOINTS:
        file, _, function = entrypoint.partition(":")
        docstring = ast.get_docstring(ast.parse((PROJECT / file).read_text(encoding="utf-8"))) or ""
        assert f" {function.replace('_', '-')} {docstring.splitlines()[0]}" in shown


def test_the_help_of_a_flow_shows_each_parameter_with_its_meaning_type_choices_and_default() -> None:
    done = genmedia("run", "image-batch", "--help", COLUMNS="200")

    assert done.returncode == 0, done.stderr
    shown = plain(done.stdout)
    assert "--prompts TEXT... What is to be seen, at most 500 characters each; one picture is made from each." in shown
    assert (
        "each prompt goes to each of them. [choices: nano_banana2, nano_banana_pro, imagen4, freepik] [default: nano_banana2]"
        in shown
    )
    assert "[{files: [...], mode?}]" in shown
    assert "Raise it to buy all of it once more on purpose. Example: 2 [default: 1]" in shown


def test_the_help_of_a_flow_that_buys_needs_no_prefect_no_database_and_no_network() -> None:
    tell = "print({'prefect', 'sqlalchemy', 'httpx'} & set(sys.modules))"
    program = f"import sys\nfrom genmedia.cli.app import main\ntry:\n    main()\nfinally:\n    {tell}"

    done = python("-c", program, "run", "image-batch", "--help", COLUMNS="200")

    assert done.returncode == 0, done.stderr
    assert "--prompts TEXT..." in done.stdout
    assert done.stdout.endswith("set()\n")


@pytest.mark.parametrize(
    ("written", "has_one"),
    [
        ("from genmedia.campaign.forms import image_batch as form\nimage_batch = buying_flow(form.image_batch)", True),
        ("from genmedia.campaign.forms import image_batch as other\ndef image_batch(prompt: str): ...", False),
        ("from genmedia.campaign.forms import long_video\nimage_batch = buying_flow(long_video.long_video)", False),
        ("def image_batch(prompt: str): ...", False),
        ("def broken(:", False),
    ],
)
def test_a_flow_has_the_form_of_the_library_that_its_module_imports_and_nothing_else(
    tmp_path: Path, written: str, has_one: bool
) -> None:
    (tmp_path / "mine.py").write_text(written)

    assert (Project(tmp_path).form("mine.py:image_batch") is image_batch) is has_one
    assert Project(tmp_path).form("absent.py:image_batch") is None


def test_the_help_of_a_preset_shows_its_values() -> None:
    shown = plain(genmedia("run", "coffee", "--help", COLUMNS="200").stdout)

    assert (
        "--max-credits NUMBER Nothing is bought if what is not there yet would cost more than this. Leave it empty for no limit. "
        "Example: 10 [default: 100]" in shown
    )
    assert (
        "steps: [{name, technique, inputs: [{id, file, at?} | {id, url} | {id, text} | {id, step, output?, at?}], take?}]"
        in shown
    )
    assert "[default: as in prefect.yaml]" in shown


@pytest.mark.parametrize("entrypoint", ENTRYPOINTS)
def test_every_parameter_of_every_flow_has_an_option_with_a_meaning(entrypoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.flows import load_flow_from_entrypoint  # noqa: PLC0415 # most tests here do without Prefect

    monkeypatch.chdir(PROJECT)
    flow: Any = load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)

    options = Parameters(flow.fn, {}).command().__annotations__

    assert set(options) == set(flow.parameters.properties)
    asked_for = inspect.unwrap(flow.fn)
    buys = inspect.signature(asked_for).return_annotation is Brief
    assert Project(PROJECT).form(entrypoint) is (asked_for if buys else None)
    for name, option in options.items():
        assert len(option.__metadata__[0].help) > 10, name


class Shot(BaseModel):
    """A structure."""

    prompt: str
    seconds: int = 5


def make(
    name: Annotated[str, Field(pattern="^[a-z]+$")],
    ratios: list[Literal["16:9", "1:1"]] = ["1:1"],  # noqa: B006 # as flows have it
    seeds: list[int] = [],  # noqa: B006
    shots: list[Shot] = [],  # noqa: B006
    quality: str | None = None,
    max_credits: float | None = None,
    keep: bool = False,
    pace: Literal[1, 2, "fast"] = 1,
    extra: Any = None,
) -> None:
    """Something with a parameter of each kind."""


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({"name": "null"}, "null"),
        ({"quality": "[2K"}, "[2K"),
        ({"ratios": ["16:9", "1:1"]}, ["16:9", "1:1"]),
        ({"seeds": ["3", "4"]}, [3, 4]),
        ({"max_credits": "2.5"}, 2.5),
        ({"max_credits": "null"}, None),
        ({"max_credits": ""}, None),
        ({"max_credits": "010"}, 10.0),
        ({"seeds": ["010", "1_000"]}, [10, 1000]),
        ({"keep": True}, True),
        ({"pace": "fast"}, "fast"),
        ({"pace": "2"}, 2),
        ({"shots": "[{prompt: a glacier, seconds: 8}]"}, [{"prompt": "a glacier", "seconds": 8}]),
        ({"shots": '[{"prompt": "16:9"}]'}, [{"prompt": "16:9"}]),
        ({"extra": "[010, 12:30, on, 1_000, 0x1F, 2026-01-01]"}, ["010", "12:30", "on", "1_000", "0x1F", "2026-01-01"]),
        ({"extra": "[0, -3, 2.5, 1e3, true, false, null, ~, '7']"}, [0, -3, 2.5, 1000.0, True, False, None, None, "7"]),
    ],
)
def test_a_simple_value_is_taken_as_it_is_typed_and_everything_else_is_yaml(given: dict[str, Any], value: Any) -> None:
    values = Parameters(make, {"name": "preset", "max_credits": 7}).read(given)

    assert values == {"name": "preset", "max_credits": 7} | {next(iter(given)): value}


def test_a_structure_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "shots.yaml").write_text("- prompt: a glacier\n- prompt: a volcano\n")

    values = Parameters(make, {}).read({"name": "a", "shots": f"@{tmp_path}/shots.yaml"})

    assert values["shots"] == [{"prompt": "a glacier"}, {"prompt": "a volcano"}]


def test_everything_that_is_wrong_is_told_with_its_parameter() -> None:
    given = {"seeds": ["3", "x"], "shots": "[{seconds: 8}]", "max_credits": "12:30", "ratios": ["4:3"], "extra": "{"}

    with pytest.raises(InputError) as refused:
        Parameters(make, {}).read(given, ["--qualty=2K", "stray"])

    assert [fault.place for fault in refused.value.faults] == [
        "--qualty",
        "'stray'",
        "--extra",
        "--name",
        "ratio 1",
        "seed 2",
        "shot 1, prompt",
        "--max-credits",
    ]
    assert "did you mean --quality?" in refused.value.faults[0].what
    assert refused.value.faults[3].what == "is missing"


def test_bad_input_is_refused_before_any_server_is_asked() -> None:
    done = genmedia("run", "image-batch", "--models", "crayons", "--shots", "@nowhere.yaml", "--copies", "x", PREFECT_API_URL="")

    assert done.returncode == 2
    for words in (
        "--shots: is no parameter",
        "--prompts: is missing",
        "model 1: is 'crayons', and can be ",
        "--copies: should be a whole number",
    ):
        assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["coffe"], ["image-batch", "--prompts"]])
def test_what_cannot_be_understood_is_told_in_a_line(words: list[str]) -> None:
    done = genmedia("run", *words)

    assert done.returncode == 2
    assert "genmedia run: " in done.stderr
    assert "Traceback" not in done.stderr


def test_an_option_in_the_place_of_the_name_is_told_with_every_name_there_is() -> None:
    done = genmedia("run", "--name", "x")

    assert done.returncode == 2
    assert "genmedia run --name: the name comes first, one of " in done.stderr
    told = set(done.stderr.rpartition("one of ")[2].strip().split(", "))
    assert {"image-batch", *(one["name"] for one in DECLARED)} <= told


@pytest.mark.parametrize(
    ("server", "words"),
    [("", "no Prefect server is named"), ("http://127.0.0.1:9/api", "no Prefect server answers at http://127.")],
)
def test_without_a_server_nothing_is_started_and_it_is_said_how_to_start_one(server: str, words: str, tmp_path: Path) -> None:
    done = genmedia("run", "videos", PREFECT_API_URL=server, PREFECT_HOME=str(tmp_path))

    assert done.returncode == 3
    assert words in done.stderr
    assert "genmedia up" in done.stderr
    assert not list(tmp_path.glob("*.db"))


def test_what_is_stored_with_warnings_is_told_at_the_end() -> None:
    def result(name: str, *warnings: str) -> Result:
        return Result(
            name=name, operation="blur", status="Bought", assets=(stored_asset(output={"id": "image"}, warnings=warnings),)
        )

    shown = io.StringIO()
    console = Console(file=shown, width=60)
    ended = Ended("Completed", "", [result("fine"), result("odd", "it is 512 x 512"), result("old", "w " * 200, "more")], "")

    assert report(console, [ended], 1, store=None, page="") == 0

    lines = shown.getvalue().splitlines()
    assert "odd: stored with a warning: image: it is 512 x 512" in lines
    (long,) = [line for line in lines if line.startswith("old: stored with 2 warnings, first: image: w w")]
    assert long.endswith("w …")
    assert not [line for line in lines if line.startswith("fine: ")]
