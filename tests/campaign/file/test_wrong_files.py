"""Campaign files that are wrong: each is refused before anything is bought, with its place and what would mend it."""

from collections.abc import Generator
from itertools import pairwise
from pathlib import Path

import pytest

from blocks.credentials import ProviderCredentials
from genmedia.campaign.direct import Direct
from genmedia.campaign.forms.campaign import campaign
from genmedia.campaign.run import plan_campaign, run_campaign
from genmedia.errors import GenmediaError, InputError, SettingsError
from tests.sandboxes import Sandbox
from tests.studio import Studio

HERO = "{name: hero, model: imagen4, prompt: A cup}"


@pytest.fixture(scope="module")
def studio(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Generator[Studio]:
    """An account that buys nothing in any test here."""
    studio = Studio(sandbox, sandbox.new_account("genova", plan="Pro"), tmp_path_factory.mktemp("store"))
    yield studio
    assert studio.jobs == []


def host_of(studio: Studio) -> Direct:
    """The host of a run which that account pays."""

    def payer(_: str, name: str) -> ProviderCredentials:
        if name != "default":
            raise SettingsError(f"nobody is called {name}")
        return studio.credentials

    return Direct(studio.store, payer)


def steps(*some: str, head: str = "") -> str:
    """Write a file with these steps."""
    return f"campaign: mugs\n{head}steps:\n" + "".join(f"  - {one}\n" for one in some)


def policy(field: str) -> str:
    """Write a file with a step that has this field."""
    return steps(HERO.replace("}", f", {field}}}"))


ROWS = "rows: [{sku: a, product: cup}, {sku: b, product: jug}]\n"
FEED = "{name: film, model: imagen4, prompt: x, references: [{step: %s}]}"

WRONG = {
    "no name": ("steps:\n  - " + HERO + "\n", "mugs.yaml:1:1", "has no name: write `campaign: NAME` in its first line"),
    "no steps": ("campaign: mugs\nstore: default\n", "mugs.yaml:1:1", "has no steps"),
    "steps that are no list": ("campaign: mugs\nsteps: hero\n", "mugs.yaml:2:8", "should be a list of steps"),
    "a name without letters": (steps(HERO).replace("mugs", "'!!'"), "mugs.yaml:1:11", "has no letter and no digit"),
    "an unknown field": (steps(HERO, head="colour: red\n"), "mugs.yaml:2:9", "colour is no field of a campaign; there are"),
    "a parameter of another type": (steps(HERO, head="take: many\n"), "mugs.yaml:2:7", "should be a whole number"),
    "an unknown provider in the budget": (steps(HERO, head="max_credits: {genovo: 3}\n"), "mugs.yaml:2:", "is no field here"),
    "labels that are none": (steps(HERO, head="labels: acme\n"), "mugs.yaml:2:9", "should be names with values"),
    "a step that is no mapping": (steps("hero"), "mugs.yaml:3:5, step 1", "should be fields with values"),
    "a step without a name": (steps("{model: imagen4, prompt: x}"), "mugs.yaml:3:5, step 1", "has no name"),
    "a name that is a template": (
        steps("{name: '{{ row.sku }}', model: imagen4, prompt: x}", head=ROWS),
        "mugs.yaml:4:12, step 1",
        "has a template as its name",
    ),
    "a row that is called all": (steps(HERO, head="rows: [{sku: all}]\n"), "mugs.yaml:2:8, row 1", "cannot be called all"),
    "a list that is called output": (steps(HERO, head="matrix: {output: [a]}\n"), "mugs.yaml:2:18", "cannot be the name of"),
    "a name twice": (steps(HERO, HERO), "mugs.yaml:4:12, step hero", "has the name of an earlier step"),
    "a misspelt field": (steps("{name: hero, model: imagen4, promt: x}"), "mugs.yaml:3:41, step hero", "is no field; there are"),
    "a wrong type": (steps("{name: hero, model: imagen4, prompt: [x]}"), "mugs.yaml:3:42, step hero", "should be a text"),
    "a kind that is not there": (
        steps("{name: hero, modell: imagen4, prompt: x}"),
        "mugs.yaml:3:5, step hero",
        "it needs one of",
    ),
    "a model that is not there": (steps("{name: hero, model: imagen5, prompt: x}"), "mugs.yaml:3:", "did you mean imagen4?"),
    "a cycle": (steps(FEED % "film"), "mugs.yaml:3:", "uses step 'film', which is no earlier step"),
    "a later step": (steps(FEED % "hero", HERO), "mugs.yaml:3:", "uses step 'hero', which is no earlier step; there are none"),
    "a step that is not there": (steps(HERO, FEED % "heros"), "mugs.yaml:4:", "which is no earlier step; there are hero"),
    "an output that is not there": (
        steps(HERO, "{name: film, model: imagen4, prompt: x, references: [{step: hero, output: video}]}"),
        "mugs.yaml:4:5, step film",
        "asks for output 'video' of step 'hero'; it gives",
    ),
    "a file that is not there": (
        steps("{name: hero, model: imagen4, prompt: x, references: [{file: gone.jpg}]}"),
        "mugs.yaml:3:5, step hero",
        "gone.jpg",
    ),
    "a missing column": (
        steps("{name: hero, model: imagen4, prompt: '{{ row.prduct }}'}", head=ROWS),
        "mugs.yaml:4:",
        "did you mean product?",
    ),
    "rows that are not there": (steps("{name: hero, model: imagen4, prompt: '{{ row.sku }}'}"), "mugs.yaml:3:", "names row"),
    "a template that does not end": (steps("{name: hero, model: imagen4, prompt: '{{ week'}"), "mugs.yaml:3:", "is no template"),
    "a way out of a template": (
        steps("""{name: hero, model: imagen4, prompt: "{{ ''.__class__ }}"}"""),
        "mugs.yaml:3:",
        "reads what is not there",
    ),
    "a call in a template": (steps("{name: hero, model: imagen4, prompt: '{{ week.upper() }}'}"), "mugs.yaml:3:", "has a call"),
    "a long text of a template": (
        steps("""{name: hero, model: imagen4, prompt: "{{ 'a' * 1000000000 }}"}"""),
        "mugs.yaml:3:",
        "* is for numbers",
    ),
    "a row that is not there": (
        steps(HERO.replace("A cup", "'{{ row.sku }}'"), FEED % "hero, row: c", head=ROWS),
        "mugs.yaml:5:",
        "names the row 'c', which is not there; there are a, b",
    ),
    "a row of a step without rows": (steps(HERO, FEED % "hero, row: a", head=ROWS), "mugs.yaml:5:", "is not repeated for one"),
    "several where one can be": (
        steps(HERO, "{name: film, model: imagen4, prompt: x, references: {step: hero}}"),
        "mugs.yaml:4:",
        "should be a list",
    ),
    "takes of takes": (
        steps("{name: hero, model: imagen4, prompt: x, takes: 2}", (FEED % "hero").replace("}]", "}], takes: 3")),
        "mugs.yaml:4:",
        "step hero has 2 takes, and this one 3; say which by {take: 1} or {take: all}",
    ),
    "takes without end": (steps("{name: hero, model: imagen4, prompt: x, takes: 5000}"), "mugs.yaml:3:", "from 1 to 100"),
    "a list of the matrix that is none": (steps(HERO, head="matrix: {ratio: square}\n"), "mugs.yaml:2:17", "should be a list"),
    "a value twice in the matrix": (steps(HERO, head="matrix: {ratio: [a, b, a]}\n"), "mugs.yaml:2:17", "has a twice"),
    "a list with a taken name": (steps(HERO, head="matrix: {row: [a]}\n"), "mugs.yaml:2:15", "cannot be the name of a list"),
    "a matrix that is none": (steps(HERO, head="matrix: [a]\n"), "mugs.yaml:2:9", "should be lists by name"),
    "an edition that reads a row": (steps(HERO, head="edition: '{{ row.sku }}'\n"), "mugs.yaml:2:10", "names row"),
    "an edition that is empty": (steps(HERO, head="edition: '{{ \"\" }}'\n"), "mugs.yaml:2:10", "is empty; leave it out"),
    "more items than can be": (
        steps(
            "{name: hero, model: imagen4, prompt: '{{ a }} {{ b }} {{ c }}'}",
            head=f"matrix: {{{', '.join(f'{name}: {list(range(40))}' for name in 'abc')}}}\n",
        ),
        "mugs.yaml:1:1",
        "has 64000 items (hero 64000), more than 50000",
    ),
    "two rows of one name": (steps(HERO, head="rows: [{sku: a}, {sku: a}]\n"), "mugs.yaml:2:18, row 2", "has the sku a, as"),
    "a CSV that is not there": (steps(HERO, head="rows: gone.csv\n"), "mugs.yaml:2:7", "gone.csv cannot be read"),
    "a budget that is too small": (steps(HERO, head="max_credits: {genova: 0.5}\n"), "", "more than the 0.5 allowed"),
    "an unknown provider in its budget": (steps(HERO, head="budget: {genovo: 3}\n"), "mugs.yaml:2:", "is no field here"),
    "a budget below nothing": (steps(HERO, head="budget: {genova: -1}\n"), "mugs.yaml:2:18, genova", "should be 0.0 or more"),
    "a budget in words": (steps(HERO, head="budget: much\n"), "mugs.yaml:2:9", "should be fields with values"),
    "a budget that is said twice": (
        steps(HERO, head="budget: {genova: 1}\nmax_credits: {genova: 2}\n"),
        "mugs.yaml:3:14",
        "says again what budget says",
    ),
    "a budget of a label that is not there": (
        steps(HERO, head="labels: {project: mugs}\nbudget: {per: {client: 5}}\n"),
        "mugs.yaml:3:24, per, client",
        "names the label client, which its labels do not have; there are project",
    ),
    "a budget of a label in words": (
        steps(HERO, head="labels: {client: acme}\nbudget: {per: {client: much}}\n"),
        "mugs.yaml:3:24, per, client",
        "should be",
    ),
    "a budget of a label by an unknown provider": (
        steps(HERO, head="labels: {client: acme}\nbudget: {per: {client: {genovo: 5}}}\n"),
        "mugs.yaml:3:",
        "is no field here",
    ),
    "an unknown measure": (steps(HERO, head="budget: {when_short: [wait]}\n"), "mugs.yaml:2:", "fewer takes"),
    "a measure at no part of the budget": (
        steps(HERO, head="budget: {when_short: [{at: much, do: pause}]}\n"),
        "mugs.yaml:2:",
        "should",
    ),
    "a measure twice": (steps(HERO, head="budget: {when_short: [pause, pause]}\n"), "mugs.yaml:2:9", "names pause twice"),
    "a label of a row without that column": (
        steps(HERO.replace("A cup", "'{{ row.sku }}'"), head=ROWS + "labels: {client: '{{ row.client }}'}\n"),
        "mugs.yaml:3:18, labels, client, first for mugs.yaml:5:5, step hero, row a",
        "names row.client, which is not there; there are",
    ),
    "a label by rows of a step without rows": (
        steps(HERO, FEED.replace("x,", "'{{ row.sku }}',") % "hero", head=ROWS + "labels: {client: '{{ row.sku }}'}\n"),
        "mugs.yaml:3:18, labels, client, first for mugs.yaml:5:5, step hero",
        "names row, which is not there",
    ),
    "attempts without end": (policy("attempts: 50"), "mugs.yaml:3:59, step hero, attempts", "should be 5 or less"),
    "a deadline of nothing": (policy("deadline: 0"), "mugs.yaml:3:59, step hero, deadline", "should be more than 0"),
    "a policy that is a template": (policy("attempts: '{{ n }}'"), "mugs.yaml:3:", "should be a whole number"),
    "an unknown reaction to a failure": (policy("on_failure: perhaps"), "mugs.yaml:3:61, step hero, on_failure", "stop"),
    "an unknown reaction in doubt": (policy("if_in_doubt: guess"), "mugs.yaml:3:", "hold"),
    "an unknown reaction to a refused file": (policy("if_refused: keep"), "mugs.yaml:3:", "go on"),
    "a fallback that is no step": (policy("fallback: imagen4"), "mugs.yaml:3:", "should be fields of another step"),
    "no fallback in a list of them": (policy("fallback: []"), "mugs.yaml:3:", "should be fields of another step"),
    "a fallback with a fallback": (
        policy("fallback: {model: imagen4, fallback: {model: freepik}}"),
        "mugs.yaml:3:",
        "should be fields of another step",
    ),
    "a fallback with takes": (policy("fallback: {model: imagen4, takes: 2}"), "mugs.yaml:3:", "should be fields of another step"),
    "a label that is empty for a row": (
        steps(HERO.replace("A cup", "'{{ row.sku }}'"), head="rows: [{sku: a, for: ''}]\nlabels: {client: '{{ row.for }}'}\n"),
        "mugs.yaml:3:18, labels, client, first for mugs.yaml:5:5, step hero, row a",
        "is empty",
    ),
    "a fallback at a model that is not there": (
        policy("fallback: {model: imagen5}"),
        "mugs.yaml:3:",
        "did you mean imagen4?",
    ),
    "a misspelt field of a fallback": (
        policy("fallback: {modell: imagen4}"),
        "mugs.yaml:3:59, step hero, fallback, modell",
        "is no field",
    ),
    "a fallback that gives something else": (
        steps(HERO.replace("}", ", fallback: {model: veo3_fast}}"), FEED % "hero"),
        "mugs.yaml:3:5, step hero, hero (fallback 1)",
        "does not give result (image), of which other steps are made; it gives result (video)",
    ),
    "cheaper steps where one can be": (policy("cheaper: [{model: imagen4}]"), "mugs.yaml:3:", "should be fields of another step"),
    "two files under one name": (
        steps(HERO.replace("A cup", "'{{ row.sku }}'"), head=ROWS + "deliver: {to: out, names: 'a.{ext}'}\n"),
        "mugs.yaml:3:27, deliver, names",
        "give a.ext to 2 items",
    ),
    "a name by rows of a step without rows": (
        steps(
            HERO.replace("A cup", "'{{ row.sku }}'"),
            "{name: page, model: imagen4, prompt: x}",
            head=ROWS + "deliver: {to: out, names: '{row.sku}/{step}.{ext}'}\n",
        ),
        "mugs.yaml:3:27, deliver, names, step page",
        "between {% if row is defined %} and {% endif %}, as not every step is repeated for it, or deliver others alone: steps: [hero]",
    ),
    "a condition that is neither yes nor no": (
        steps(HERO.replace("}", ", if: Nein}")),
        "mugs.yaml:3:53, step hero, if",
        "is 'Nein', and should be yes or no",
    ),
    "a condition by a column of texts": (
        steps(HERO.replace("}", ", if: '{{ row.product }}'}"), head=ROWS),
        "mugs.yaml:4:53, step hero, 2 items, first row a, if",
        "is 'cup', and should be yes or no (true, false, 1, 0, or nothing); whether there is a text is asked by {{ row.photo != '' }}",
    ),
    "a name of a delivery with a filter in single braces": (
        steps(HERO, head="deliver: {to: out, names: '{step|lower}.{ext}'}\n"),
        "mugs.yaml:2:27, deliver, names, step hero",
        "has '{step|lower}', which is no name; one is written {row.sku}, and more than a name {{ row.sku|lower }}",
    ),
    "an empty place of a delivery": (
        steps(HERO, head="deliver: {to: '{{ campaign[:0] }}'}\n"),
        "mugs.yaml:2:15, deliver",
        "is empty; name a folder or an address",
    ),
    "a row where a text is": (
        steps(HERO.replace("A cup", "'{{ row }}'"), head=ROWS),
        "mugs.yaml:4:42, step hero, 2 items, first row a, prompt",
        "reads several values where a text is made; name one of its parts, as in {{ row.sku }}",
    ),
    "a filter that is not there": (
        steps(HERO.replace("A cup", "'{{ week|upcase }}'")),
        "mugs.yaml:3:42, step hero",
        "is no template: No filter named 'upcase'. There are the filters abs, capitalize,",
    ),
    "a name that is a list": (
        steps(HERO.replace("hero", "[a]")),
        "mugs.yaml:3:12, step 1",
        "has the name ['a'], which should be",
    ),
    "a path of a chain that cannot be one": (
        steps('{name: look, use: "a\\0b.yaml"}'),
        "mugs.yaml:3:23, step look",
        "is no path of a file: embedded null byte",
    ),
    "a character of no text": (steps(HERO) + "\0", "mugs.yaml:4", "has the character U+0000, which YAML cannot have"),
    "a tab": (steps(HERO).replace("  - ", "\t- "), "mugs.yaml:3:1", "begins with a tab; YAML is indented by spaces"),
    "a bomb of aliases": (
        "campaign: mugs\na: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in pairwise("abcdefghi")),
        "mugs.yaml:",
        "there are more than 200000 values, with all that its aliases stand for",
    ),
    "a tag": ("campaign: !!python/object/apply:os.system [ls]\n", "mugs.yaml:1:11", "has the tag"),
    "levels without end": ("campaign: mugs\nsteps: " + "[" * 5000 + "]" * 5000, "mugs.yaml", "has more than 40 levels"),
    "a variable without a value": (
        steps(HERO, head="variables: {product: {type: text}}\n"),
        "mugs.yaml:2:22, variable product",
        "has no default, so each run gives a value",
    ),
    "a variable of another type": (
        steps(HERO, head="variables: {count: {type: number, default: many}}\n"),
        "mugs.yaml:2:20, variable count",
        "is 'many', and should be a number",
    ),
    "a variable that is not there": (
        steps(HERO, head="variables: {count: 3}\nmax_credits: {genova: '{{ cuont }}'}\n"),
        "mugs.yaml:3:23",
        "did you mean count?",
    ),
    "a way out of a budget": (
        steps(HERO, head='variables: {count: 3}\nmax_credits: {genova: "{{ count.__class__.__mro__ }}"}\n'),
        "mugs.yaml:3:23",
        "asks for count.__class__, but count has no parts",
    ),
    "a file of steps that is not there": (steps("{name: look, use: gone.yaml}"), "mugs.yaml:3:23, step look", "cannot be read"),
    "a file of steps that is itself": (steps("{name: look, use: mugs.yaml}"), "mugs.yaml:1:11", "campaign is no field of a file"),
    "an account that is not there": (
        steps(HERO, head="accounts: {genova: other}\n"),
        "account other of genova",
        "nobody is called other",
    ),
}


@pytest.mark.parametrize(("text", "place", "what"), WRONG.values(), ids=WRONG)
async def test_a_wrong_file_is_refused_before_anything_is_bought_with_its_place(
    studio: Studio, tmp_path: Path, text: str, place: str, what: str
) -> None:
    file = tmp_path / "mugs.yaml"
    file.write_text(text)

    with pytest.raises(GenmediaError) as told:
        await run_campaign(campaign(campaign=str(file)), host_of(studio))

    error = told.value
    assert error.bought_nothing or isinstance(error, InputError)
    faults = error.faults if isinstance(error, InputError) else []
    assert any(fault.place.startswith(place) and what in fault.what for fault in faults) or (not place and what in str(error)), (
        str(error)
    )


async def test_faults_of_the_file_of_its_parameters_and_of_its_steps_are_told_at_once(studio: Studio, tmp_path: Path) -> None:
    file = tmp_path / "mugs.yaml"
    file.write_text(
        steps(
            "{name: hero, model: imagen4, prompt: '{{ row.sku }}', ratio: round}",
            "{name: page, model: imagen4, prompt: x, references: [{file: gone.jpg}]}",
            head=ROWS + "take: 0\n",
        )
    )

    with pytest.raises(InputError) as told:
        await run_campaign(campaign(campaign=str(file)), host_of(studio))

    assert [fault.place for fault in told.value.faults] == [
        "mugs.yaml:3:7, take",
        "mugs.yaml:5:66, step hero, 2 items, first row a, ratio",
        "mugs.yaml:6:5, step page, input reference 1",
    ]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (
            steps(
                "{name: hero, model: imagen5, prompt: '{{ row.skuu }}', ratio: round, attempts: 50}",
                "{name: page, model: imagen4, prompt: x, promt: y, references: [{step: heros}, {step: hero, row: c}]}",
                "{name: film, model: imagen6, prompt: '{{ wek }}', references: [{step: page}]}",
                head=ROWS,
            ),
            [
                "mugs.yaml:4:42, step hero",
                "mugs.yaml:4:84, step hero, attempts",
                "mugs.yaml:5:75, step page",
                "mugs.yaml:5:101, step page",
                "mugs.yaml:6:42, step film",
                "mugs.yaml:4:25, step hero, 2 items, first row a, model",
                "mugs.yaml:4:67, step hero, 2 items, first row a, ratio",
                "mugs.yaml:5:52, step page, promt",
                "mugs.yaml:6:25, step film, model",
            ],
        ),
        (
            steps(
                "{name: hero, model: imagen5, prompt: '{{ row.sku }}'}",
                "{name: logo, model: imagen6, prompt: '{{ ratio }}'}",
                "{name: page, model: imagen7, prompt: x}",
                head="rows: gone.csv\nmatrix: {ratio: []}\ncolour: red\ntake: 0\nedition: '{{ wek }}'\n",
            ),
            [
                "mugs.yaml:5:7, take",
                "mugs.yaml:4:9",
                "mugs.yaml:6:10",
                "mugs.yaml:2:7",
                "mugs.yaml:3:17",
                "mugs.yaml:10:25, step page, model",
            ],
        ),
    ],
)
async def test_no_fault_of_a_file_keeps_another_one_from_being_told(
    studio: Studio, tmp_path: Path, text: str, places: list[str]
) -> None:
    (tmp_path / "mugs.yaml").write_text(text)

    with pytest.raises(InputError) as told:
        await run_campaign(campaign(campaign=str(tmp_path / "mugs.yaml")), host_of(studio))

    assert [fault.place for fault in told.value.faults] == places


async def test_of_many_names_that_are_wrong_in_a_delivery_some_are_told(studio: Studio, tmp_path: Path) -> None:
    rows = f"rows: [{', '.join(f'{{sku: r{number}}}' for number in range(300))}]\n"
    written = steps(HERO.replace("A cup", "'{{ row.sku }}'"), head=rows + "deliver: {to: out, names: '../{row.sku}.{ext}'}\n")
    (tmp_path / "mugs.yaml").write_text(written)

    with pytest.raises(InputError) as told:
        await run_campaign(campaign(campaign=str(tmp_path / "mugs.yaml")), host_of(studio))

    assert len(told.value.faults) == 6
    assert told.value.faults[-1].what == "has 295 more such faults"


async def test_long_lists_of_a_matrix_are_read_at_once(studio: Studio, tmp_path: Path) -> None:
    numbers = ", ".join(map(str, range(100_000)))
    (tmp_path / "mugs.yaml").write_text(steps(HERO.replace("A cup", "'{{ n }}'"), head=f"matrix: {{n: [{numbers}]}}\n"))

    with pytest.raises(InputError, match="has 100000 items \\(hero 100000\\), more than 50000"):
        await run_campaign(campaign(campaign=str(tmp_path / "mugs.yaml")), host_of(studio))


async def test_a_plan_in_which_every_item_is_left_out_says_so(studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "mugs.yaml").write_text(steps(HERO.replace("}", ", if: no}")))
    (tmp_path / "rows.yaml").write_text(steps(HERO, head=ROWS))

    none = await plan_campaign(campaign(campaign=str(tmp_path / "mugs.yaml")), host_of(studio))
    chosen = await plan_campaign(campaign(campaign=str(tmp_path / "rows.yaml"), only_rows=["a"]), host_of(studio))

    assert [*none.foreseen, *chosen.foreseen] == []
    assert none.warnings == ["1 item is left out: its `if` is not met, or that of what it is made of"]
    assert "no step is repeated for rows, so that nothing is made for a alone" in chosen.warnings


async def test_a_million_rows_are_refused(studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("sku\n" + "\n".join(map(str, range(1_000_000))))
    (tmp_path / "mugs.yaml").write_text(steps(HERO, head="rows: rows.csv\n"))

    with pytest.raises(InputError, match="has more than 100000 rows; cut it into several campaigns"):
        await run_campaign(campaign(campaign=str(tmp_path / "mugs.yaml")), host_of(studio))
