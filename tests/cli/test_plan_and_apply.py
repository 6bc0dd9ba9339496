"""`genmedia plan` and `genmedia apply`: a campaign's file from its plan to its files, without Prefect."""

import json
from pathlib import Path
from typing import Any

import pytest

from genmedia.cli.campaigns import FORMAT, PLAN_KEY
from tests.commands import genmedia
from tests.sandboxes import Sandbox

MUGS = """\
campaign: mugs
rows: [{sku: M-1, product: mug}, {sku: M-2, product: vase}]
steps:
  - {name: hero, model: nano_banana2, prompt: "A {{ row.product }} on oak"}
  - {name: page, model: imagen4, prompt: A page, references: [{step: hero, row: all}]}
"""


@pytest.fixture
def account(sandbox: Sandbox) -> dict[str, Any]:
    return sandbox.new_account("genova")


@pytest.fixture
def keys(account: dict[str, Any]) -> dict[str, str]:
    """An account of the sandbox as the environment names it."""
    return {f"GENOVA_{value}".upper(): account[value] for value in ("api_key", "base_url", "plan")}


class Desk:
    """A folder with a campaign's file, and the commands that are typed in it."""

    def __init__(self, folder: Path, keys: dict[str, str]) -> None:
        self.file = folder / "mugs.yaml"
        self.file.write_text(MUGS)
        self.store = folder / "store"
        self._folder = folder
        self._keys = keys

    def type(self, command: str, *words: str, file: str = "mugs.yaml") -> Any:
        return self.look(command, str(self._folder / file), *words, "--without-prefect")

    def look(self, *words: str) -> Any:
        """Type a command about the store."""
        environment = {"COLUMNS": "160", "PREFECT_API_URL": "http://127.0.0.1:9/api", **self._keys}
        return genmedia(*words, "--folder", str(self.store), "--project", str(Path.cwd()), **environment)


@pytest.fixture
def desk(tmp_path: Path, keys: dict[str, str]) -> Desk:
    return Desk(tmp_path, keys)


def test_a_plan_tells_what_is_to_buy_and_why_and_its_exit_code_whether_there_is_something(desk: Desk) -> None:
    before, applied, after = desk.type("plan"), desk.type("apply", "--yes"), desk.type("plan")

    assert (before.returncode, applied.returncode, after.returncode) == (10, 0, 0), applied.stderr
    assert "3 items: 3 to buy" in before.stdout
    assert "hero-M-1" in before.stdout
    assert "genova: 3 to buy for at most 3 credits" in before.stdout
    assert "3 bought; charged: genova 3 credits." in applied.stdout
    assert "3 items: 3 reused" in after.stdout
    assert "Nothing is to buy." in after.stdout


def test_the_plan_as_json_has_every_item_with_its_reason_and_its_key(desk: Desk) -> None:
    told = json.loads(desk.type("plan", "--json").stdout)

    assert [(one["name"], one["outlook"], one["why"], one["price"]) for one in told["items"]] == [
        ("hero-M-1", "to buy", "new", 1),
        ("hero-M-2", "to buy", "new", 1),
        ("page", "to buy", "new", 1),
    ]
    assert [len(one["key"]) for one in told["items"]] == [64, 64, 0]


def test_a_file_that_is_wrong_ends_with_2_and_all_its_faults(desk: Desk) -> None:
    desk.file.write_text(MUGS.replace("row.product", "row.produkt").replace("imagen4", "imagen5"))

    done = desk.type("plan")

    assert done.returncode == 2
    assert "mugs.yaml:4:47, step hero: names row.produkt, which is not there" in done.stderr
    assert "mugs.yaml:5:25, step page, model: is 'imagen5', and can be" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plan_that_cannot_be_paid_for_is_shown_with_the_reason(desk: Desk) -> None:
    desk.file.write_text(MUGS + "max_credits: {genova: 2}\n")

    planned, applied = desk.type("plan"), desk.type("apply", "--yes")

    assert (planned.returncode, applied.returncode) == (2, 2)
    assert (
        "It cannot be bought so: genova: what is not bought yet would cost 3 credits, more than the 2 allowed." in planned.stdout
    )
    assert "3 items: 3 to buy" in applied.stdout


def test_nothing_is_bought_where_nobody_agrees(desk: Desk) -> None:
    done = desk.type("apply")

    assert done.returncode == 2
    assert "nobody answers here; --yes says yes" in done.stderr
    assert "Nothing was bought." in done.stderr


def test_a_saved_plan_is_carried_out_as_it_is_also_a_second_time(desk: Desk) -> None:
    saved = desk.type("plan", "--out", str(desk.file.with_name("plan.json")))

    first, second = (desk.type("apply", "--yes", file="plan.json") for _ in range(2))

    assert (saved.returncode, first.returncode, second.returncode) == (10, 0, 0), first.stderr
    assert "3 bought" in first.stdout
    assert "3 items: 3 reused" in second.stdout


def test_a_saved_plan_is_stale_where_a_person_has_asked_for_a_retake_meanwhile(desk: Desk) -> None:
    desk.type("plan", "--out", str(desk.file.with_name("plan.json")))
    desk.type("apply", "--yes", file="plan.json")
    asked = desk.look("retake", "mugs/page", "--why", "too dark")

    shown, applied = desk.type("plan", file="plan.json"), desk.type("apply", "--yes", file="plan.json")

    assert asked.returncode == 0, asked.stderr
    assert (shown.returncode, applied.returncode) == (2, 2)
    assert "page: is asked for anew by a person, of which the plan knew nothing" in applied.stderr
    assert "2 reused, 1 bought" in desk.type("apply", "--yes").stdout


def test_a_saved_plan_is_stale_where_what_is_bought_is_bought_otherwise(desk: Desk) -> None:
    desk.type("plan", "--out", str(desk.file.with_name("plan.json")))
    desk.file.write_text(MUGS.replace("prompt: A page", "prompt: A page, attempts: 5"))

    applied = desk.type("apply", "--yes", file="plan.json")

    assert applied.returncode == 2
    assert "is otherwise by now in what it costs, or in how it is bought, paid for, labelled" in applied.stderr


def test_a_file_that_somebody_took_out_of_the_store_is_fetched_again_and_nothing_is_bought(desk: Desk) -> None:
    desk.type("plan", "--out", str(desk.file.with_name("plan.json")))
    desk.type("apply", "--yes")
    lost = next(one for one in desk.store.rglob("*.png") if "hero-M-1" in str(one) and ".genmedia" not in one.parts)
    lost.unlink()

    planned, applied = desk.type("plan"), desk.type("apply", "--yes", file="plan.json")

    assert (planned.returncode, applied.returncode) == (10, 0), applied.stderr
    assert "3 items: 1 to fetch again, 2 reused" in planned.stdout
    assert "1 resumed, 2 reused; nothing charged." in applied.stdout
    assert lost.exists()
    assert desk.type("plan").returncode == 0


def test_a_plan_that_cannot_be_saved_says_so_in_a_line(desk: Desk) -> None:
    done = desk.type("plan", "--out", str(desk.file.parent / "nowhere" / "plan.json"))

    assert done.returncode == 2
    assert "nowhere/plan.json: cannot be written: No such file or directory" in done.stderr


def test_the_rest_of_a_saved_plan_goes_on_without_a_new_plan_where_a_part_of_it_failed(
    desk: Desk, sandbox: Sandbox, account: dict[str, Any]
) -> None:
    desk.type("plan", "--out", str(desk.file.with_name("plan.json")))
    sandbox.fault(account, "capture_failure", times=1)

    first, second = (desk.type("apply", "--yes", file="plan.json") for _ in range(2))

    assert (first.returncode, second.returncode) == (1, 0), second.stderr
    assert "1 failed" in first.stdout
    assert "1 bought" in first.stdout
    assert "1 reused" in second.stdout.splitlines()[0]
    assert "2 to buy" in second.stdout.splitlines()[0]
    assert "2 bought" in second.stdout


@pytest.mark.parametrize(
    ("measure", "takes", "take", "budget", "planned"),
    [
        ("pause", "", "", 2, "3 items: 2 to buy, 1 over the budget"),
        ("fewer takes", ", takes: 2", ", take: 1", 3, "3 items: 3 to buy"),
    ],
)
def test_a_saved_plan_that_is_short_goes_on_with_as_much_less_after_an_interruption(
    desk: Desk, sandbox: Sandbox, account: dict[str, Any], measure: str, takes: str, take: str, budget: int, planned: str
) -> None:
    file = MUGS.replace(' on oak"', f' on oak"{takes}').replace("row: all", f"row: all{take}")
    desk.file.write_text(f"{file}budget: {{genova: {budget}, when_short: [{measure}]}}\n")
    sandbox.fault(account, "capture_failure", times=1)

    saved = desk.type("plan", "--out", str(desk.file.with_name("plan.json")))
    first, second, third = (desk.type("apply", "--yes", file="plan.json") for _ in range(3))
    shown = desk.type("plan", file="plan.json")

    assert planned in saved.stdout
    assert (saved.returncode, first.returncode, second.returncode, third.returncode) == (10, 1, 0, 0), second.stderr
    assert f"As its plan says, {measure}: " in second.stdout
    assert len(sandbox.jobs(account)) == budget + 1, "one failed; what the plan leaves out is left out"
    assert "It was carried out: nothing of it is left to do." in shown.stdout


def test_what_failed_before_its_first_purchase_is_applied_again_as_it_was(desk: Desk) -> None:
    store = desk.file.with_name("store")
    store.write_text("no folder")
    before = desk.type("apply", "--yes")
    store.unlink()

    again = desk.type("apply", "--yes")

    assert before.returncode in (1, 2, 3)
    assert "3 bought" in again.stdout, again.stderr


def test_a_saved_plan_can_be_shown_fresh_used_or_stale(desk: Desk) -> None:
    plan = str(desk.file.with_name("plan.json"))
    desk.type("plan", "--out", plan)

    fresh = desk.type("plan", file="plan.json")
    desk.file.write_text(MUGS.replace("A page", "A leaf"))
    stale, as_json = desk.type("plan", file="plan.json"), desk.type("plan", "--json", file="plan.json")
    desk.file.write_text(MUGS)
    desk.type("apply", "--yes", file="plan.json")
    used = desk.type("plan", file="plan.json")

    assert (fresh.returncode, stale.returncode, used.returncode) == (10, 2, 0)
    assert all("genova: 3 to buy for at most 3 credits" in one.stdout for one in (fresh, stale, used))
    assert f"It is as it was made: genmedia apply {plan}" in fresh.stdout
    assert "page: asks for something else now: new" in stale.stdout
    assert json.loads(as_json.stdout)["stale"] == ["page: asks for something else now: new"]
    assert "It was carried out: nothing of it is left to do." in used.stdout


def test_the_hash_of_a_plan_is_that_of_what_is_asked_for_and_of_its_price(desk: Desk) -> None:
    def hash_of(text: str) -> str:
        desk.file.write_text(text)
        return json.loads(desk.type("plan", "--json").stdout)["hash"]

    first = hash_of(MUGS)

    assert hash_of("# a comment\n" + MUGS.replace("campaign: mugs", "campaign:   mugs")) == first
    assert len({first, hash_of(MUGS.replace("on oak", "on ash")), hash_of(MUGS.replace("A page", "A leaf"))}) == 3


def test_what_a_person_should_look_at_stands_in_the_plan(desk: Desk) -> None:
    desk.file.write_text(MUGS.replace("{sku: M-2, product: vase}", "{sku: M-2, product: Mug}") + "matrix: {tone: [a]}\n")

    told, shown = json.loads(desk.type("plan", "--json").stdout), desk.type("plan")

    warnings = ["no step uses tone of the matrix", "hero-M-2: differs only by spaces or capitals from hero-M-1"]
    assert told["warnings"] == warnings
    assert all(one in shown.stdout for one in warnings)
    assert shown.stderr == ""


def test_a_run_gives_values_to_the_variables_of_the_file_and_a_saved_plan_keeps_them(desk: Desk) -> None:
    desk.file.write_text(MUGS.replace("rows:", "variables: {ground: oak}\nrows:").replace("on oak", "on {{ ground }}"))
    words = ("--set", "ground=black walnut=x")

    planned = desk.type("plan", *words, "--out", str(desk.file.with_name("plan.json")))
    twice, wrong = desk.type("plan", *words, *words), desk.type("plan", "--set", "grund")
    again, applied = desk.type("apply", *words, file="plan.json"), desk.type("apply", "--yes", file="plan.json")

    assert (planned.returncode, applied.returncode) == (10, 0), applied.stderr
    assert desk.type("plan", *words).returncode == 0
    assert desk.type("plan").returncode == 10
    assert "--set ground: is given 2 times" in twice.stderr
    assert "--set grund: needs a value, as in --set product=cup" in wrong.stderr
    assert "a saved plan has the values that it was made with" in again.stderr


def test_a_saved_plan_is_refused_as_stale_with_the_reason_where_it_would_do_something_else(desk: Desk) -> None:
    desk.type("plan", "--out", str(desk.file.with_name("plan.json")))
    desk.file.write_text(MUGS.replace("on oak", "on walnut").replace("{sku: M-2, product: vase}", "{sku: M-3, product: lamp}"))

    done = desk.type("apply", "--yes", file="plan.json")

    assert done.returncode == 2
    assert "is stale, and is not carried out" in done.stderr
    assert "hero-M-1: asks for something else now" in done.stderr
    assert "hero-M-2: is gone" in done.stderr
    assert "hero-M-3: is new" in done.stderr
    assert desk.type("plan", "--json", file="mugs.yaml").returncode == 10


def test_a_campaign_with_a_review_goes_on_when_it_is_applied_again_after_a_verdict(desk: Desk) -> None:
    desk.file.write_text(MUGS.replace('on oak"', 'on oak", review: true').replace("{step: hero, row: all}", "{step: hero}"))

    applied, waits, standing = desk.type("apply", "--yes"), desk.type("plan"), desk.look("status", "mugs")
    decided = [
        desk.look("keep", "mugs/hero-M-1", "--as", "Ann"),
        desk.look("retake", "mugs/hero-M-2", "--prompt", "A vase on elm", "--why", "too dark"),
    ]
    after, again = desk.type("plan"), desk.type("apply", "--yes")
    left = desk.look("status", "mugs")

    assert [one.returncode for one in (applied, waits, standing, *decided, after, again)] == [4, 4, 0, 0, 0, 10, 4], (
        applied.stderr
    )
    assert "Waiting for review in" in applied.stdout
    assert f"2 items wait for review: hero-M-1, hero-M-2. Decide with genmedia review --folder {desk.store}" in applied.stdout
    assert "4 items: 2 to review, 2 after review" in waits.stdout
    assert "Nothing is to buy until people have decided" in waits.stdout
    assert "2 items: 2 to review" in standing.stdout
    assert "4 items: 1 reused, 2 to buy, 1 after review" in after.stdout
    assert "1 item waits for review: hero-M-2" in again.stdout
    assert "3 items: 2 stored, 1 to review" in left.stdout


def test_a_verdict_that_campaigns_share_is_told_where_it_was_not_given(desk: Desk) -> None:
    reviewed = MUGS.replace('on oak"', 'on oak", review: true').replace("{step: hero, row: all}", "{step: hero}")
    desk.file.write_text(reviewed)
    desk.type("apply", "--yes")
    desk.look("reject", "mugs/hero-M-1", "--why", "no handle", "--as", "Ann")
    desk.look("keep", "mugs/hero-M-2", "--as", "Ben")
    desk.file.with_name("autumn.yaml").write_text(reviewed.replace("campaign: mugs", "campaign: autumn"))

    planned, as_json = desk.type("plan", file="autumn.yaml"), desk.type("plan", "--json", file="autumn.yaml")
    own = desk.type("plan")
    desk.type("apply", "--yes", file="autumn.yaml")
    standing, first = desk.look("status", "autumn"), desk.look("status", "mugs")

    assert planned.returncode == 10
    assert "4 items: 1 rejected, 1 reused, 1 left out, 1 to buy" in planned.stdout
    rejected, kept = "rejected by Ann: no handle (shared with the campaign mugs)", "kept by Ben (shared with the campaign mugs)"
    assert rejected in planned.stdout
    assert {one["name"]: one["why"] for one in json.loads(as_json.stdout)["items"]} == {
        "hero-M-1": rejected,
        "hero-M-2": kept,
        "page-M-1": "made of something that was rejected",
        "page-M-2": "new",
    }
    assert "rejected by Ann: no handle" in own.stdout
    assert "shared" not in own.stdout, "nobody else has asked for it yet"
    assert "3 items: 1 rejected, 2 stored" in standing.stdout
    assert rejected in standing.stdout
    assert kept in standing.stdout
    assert "rejected by Ann: no handle (shared with the campaign autumn)" in first.stdout
    assert [standing.returncode, first.returncode] == [0, 0]


def test_a_verdict_on_an_old_name_says_what_the_item_is_called_now_and_its_price_is_counted_once(desk: Desk) -> None:
    desk.file.write_text(MUGS.replace('on oak"', 'on oak", review: true').replace("{step: hero, row: all}", "{step: hero}"))
    desk.type("apply", "--yes")
    desk.file.write_text(desk.file.read_text().replace("hero", "still"))
    desk.type("apply", "--yes")

    done = desk.look("reject", "mugs/hero-M-1", "--why", "no handle", "--as", "Ann")
    standing = desk.look("status", "mugs")

    assert done.stdout.startswith("reject  mugs/hero-M-1/")
    assert done.stdout.endswith(" (also mugs/still-M-1)\n")
    assert "charged: genova 2 credits" in standing.stdout
    assert "still-M-1" in desk.type("plan").stdout


def test_a_retakes_prompt_is_plain_text_whatever_braces_it_has(desk: Desk, sandbox: Sandbox, account: dict[str, Any]) -> None:
    desk.file.write_text(MUGS.replace('on oak"', 'on oak", review: true').replace("{step: hero, row: all}", "{step: hero}"))
    desk.type("apply", "--yes")
    braces = "A {{ row.product }} on {elm}, {prompt} {% if %} %s {0}"
    desk.look("retake", "mugs/hero-M-1", "--prompt", braces, "--why", "no oak", "--as", "Ann")

    done = desk.type("apply", "--yes")

    assert done.returncode == 4, done.stderr
    jobs = sandbox.jobs(account)
    assert [job["request"]["prompt"] for job in jobs if job["request"]["prompt"].startswith("A {")] == [braces]


def test_a_saved_plan_is_carried_out_further_once_people_have_decided(desk: Desk) -> None:
    desk.file.write_text(MUGS.replace('on oak"', 'on oak", review: true').replace("{step: hero, row: all}", "{step: hero}"))
    desk.type("plan", "--out", str(desk.file.with_name("plan.json")))
    desk.type("apply", "--yes", file="plan.json")
    desk.look("keep", "mugs/hero-M-1", "mugs/hero-M-2")

    done = desk.type("apply", "--yes", file="plan.json")

    assert done.returncode == 0, done.stderr
    assert "2 reused, 2 bought" in done.stdout


def test_a_plan_tells_what_is_done_as_the_budget_is_short_and_what_fallbacks_may_cost(desk: Desk) -> None:
    written = MUGS.replace("A page,", "A page, fallback: {model: nano_banana_pro},")
    desk.file.write_text(written + "budget: {genova: 2, when_short: [fewer takes, pause]}\n")

    planned, as_json, applied, again = (
        desk.type(*words) for words in (("plan",), ("plan", "--json"), ("apply", "--yes"), ("apply", "--yes"))
    )

    assert (planned.returncode, applied.returncode, again.returncode) == (10, 0, 0), applied.stderr
    assert "3 items: 2 to buy, 1 over the budget" in planned.stdout
    assert "The budget is short, pause: a later run buys page (1 item)." in planned.stdout
    assert json.loads(as_json.stdout)["decided"] == ["the budget is short, pause: a later run buys page (1 item)"]
    assert "2 bought, 1 not bought; charged: genova 2 credits." in applied.stdout
    assert "genova: 1 to buy for 1 credit, and at most 2 credits with every fallback" in again.stdout
    assert "2 reused, 1 bought; charged: genova 1 credit." in again.stdout


def test_a_verdict_on_an_item_that_waits_in_two_editions_is_asked_to_name_its_file(desk: Desk) -> None:
    one = MUGS.replace('on oak"', 'on oak", review: true').replace(
        "rows:", 'edition: "{{ turn }}"\nvariables: {turn: "1"}\nrows:'
    )
    desk.file.write_text(one)
    for turn in ("1", "2"):
        assert desk.type("apply", "--yes", "--set", f"turn={turn}").returncode == 4

    asked = desk.look("keep", "mugs/hero-M-1", "--as", "Ann")
    paths = sorted(word.strip(",") for word in asked.stderr.split() if word.startswith("mugs/hero-M-1/"))
    decided = desk.look("keep", paths[0], "--as", "Ann")
    other = desk.look("keep", "mugs/hero-M-1", "--as", "Ann")

    assert asked.returncode == 2
    assert "waits for review more than once, such as in two editions; name the file" in asked.stderr
    assert len(paths) == 2
    assert (decided.returncode, other.returncode) == (0, 0)
    assert paths[1] in other.stdout


def test_a_place_that_holds_another_campaigns_delivery_is_told_by_the_plan_and_before_anything_is_bought(desk: Desk) -> None:
    place = desk.file.with_name("out")
    place.mkdir()
    (place / "manifest.json").write_text('{"campaign": "jugs", "files": []}')
    desk.file.write_text(MUGS + f'deliver: {{to: {place}, names: "{{step}}-{{n}}.{{ext}}", steps: [page]}}\n')

    planned, applied = desk.type("plan"), desk.type("apply", "--yes")

    for done in (planned, applied):
        assert done.returncode != 0
        assert "jugs" in done.stderr
        assert "Traceback" not in done.stderr
    assert "The journal knows no campaign" in desk.look("status").stdout


def test_only_the_rows_that_are_named_are_planned_and_bought_and_all_later_reuses_them(desk: Desk) -> None:
    planned, applied = desk.type("plan", "--row", "M-2"), desk.type("apply", "--yes", "--row", "M-2", "--row", "M-2")
    unknown, all_later = desk.type("plan", "--row", "M-22"), desk.type("apply", "--yes")

    assert (planned.returncode, applied.returncode, unknown.returncode, all_later.returncode) == (10, 0, 2, 0), applied.stderr
    assert "1 item, of the row M-2: 1 to buy" in planned.stdout
    assert "hero-M-1" not in planned.stdout
    assert "1 bought; charged: genova 1 credit." in applied.stdout
    assert "row M-22: is none of this campaign; there are M-2, M-1" in unknown.stderr
    assert "3 items: 2 to buy, 1 reused" in all_later.stdout


def test_a_saved_plan_is_for_the_rows_that_it_was_made_with(desk: Desk) -> None:
    plan = str(desk.file.with_name("plan.json"))
    desk.type("plan", "--row", "M-1", "--out", plan)

    shown, other = desk.type("plan", file="plan.json"), desk.type("apply", "--yes", "--row", "M-2", file="plan.json")
    applied, again = desk.type("apply", "--yes", file="plan.json"), desk.type("plan", file="plan.json")
    desk.file.write_text(MUGS.replace("sku: M-1", "sku: M-3"))
    gone = desk.type("apply", "--yes", file="plan.json")

    assert json.loads(Path(plan).read_text())["rows"] == ["M-1"]
    assert "1 item, of the row M-1: 1 to buy" in shown.stdout
    assert other.returncode == 2
    assert "--row: is for a campaign's file; a saved plan has the rows that it was made with" in other.stderr
    assert "1 bought" in applied.stdout
    assert again.returncode == 0
    assert gone.returncode == 2
    assert "row M-1: is none of this campaign" in gone.stderr


@pytest.mark.parametrize("kept", ["mugs.yaml", "notes.json"])
def test_a_plan_is_saved_over_a_saved_plan_and_over_no_other_file(desk: Desk, kept: str) -> None:
    notes = desk.file.with_name("notes.json")
    notes.write_text('{"notes": 1}')
    plan, other = desk.file.with_name("plan.json"), desk.file.with_name(kept)
    before = other.read_text()

    refused = desk.type("plan", "--out", str(other))
    saved = [desk.type("plan", "--out", str(plan)).returncode for _ in range(2)]

    assert refused.returncode == 2
    assert f"--out {other}: is there and is no saved plan; name another file" in refused.stderr
    assert "3 items" not in refused.stdout
    assert other.read_text() == before
    assert saved == [10, 10]


def test_a_plan_that_cannot_be_bought_is_not_announced_as_one_to_apply(desk: Desk) -> None:
    desk.file.write_text(MUGS + "max_credits: {genova: 2}\n")
    plan = str(desk.file.with_name("plan.json"))

    done = desk.type("plan", "--out", plan)

    assert done.returncode == 2
    assert "genmedia apply" not in done.stdout
    assert f"Saved in {plan}; it cannot be carried out as it is." in done.stdout


@pytest.mark.parametrize(
    ("damaged", "faults"),
    [
        ({}, [f"{one}: is missing" for one in ("file", "items", "less", "hash", "retakes")]),
        ({"rows": 7, "costs": []}, ["rows: should be a list", "costs: should be names with values", "file: is missing"]),
        ({"items": [{"name": "hero-M-1", "price": "dear"}]}, ["item 1 (hero-M-1), price: should be a number"]),
    ],
)
def test_a_damaged_saved_plan_is_refused_with_everything_that_is_wrong_in_it(
    desk: Desk, damaged: dict[str, Any], faults: list[str]
) -> None:
    plan = desk.file.with_name("plan.json")
    plan.write_text(json.dumps({PLAN_KEY: FORMAT, **damaged}))

    shown, applied = desk.type("plan", file="plan.json"), desk.type("apply", "--yes", file="plan.json")

    for done in (shown, applied):
        assert done.returncode == 2
        assert "fault of genmedia" not in done.stderr
        assert f"{plan}: is damaged; make it anew with genmedia plan FILE --out {plan}" in done.stderr
        assert all(one in done.stderr for one in faults), done.stderr


def test_what_was_refused_is_listed_with_what_the_provider_said_and_what_is_made_of_it_as_missing(
    desk: Desk, sandbox: Sandbox, account: dict[str, Any]
) -> None:
    sandbox.fault(account, "refused", times=1)
    applied = desk.type("apply", "--yes")

    planned, again = desk.type("plan"), desk.type("apply", "--yes")
    told = {one["name"]: one for one in json.loads(desk.type("plan", "--json").stdout)["items"]}

    assert applied.returncode == 1
    assert (planned.returncode, again.returncode) == (0, 0)
    refused = next(one for name, one in told.items() if name != "page" and one["outlook"] == "refused before")
    assert "violates our content policy" in refused["why"]
    assert told["page"]["why"] == "made of something that was refused"
    for done in (planned, again):
        assert refused["name"] in done.stdout
        assert "Content policy violation" in done.stdout
        assert "made of something that was refused" in done.stdout
        assert (
            "Nothing is to buy.\n2 items are missing for good: refused by the provider, or made of something that was."
            in done.stdout
        )


def test_what_is_in_doubt_is_listed_with_what_to_do_and_nothing_is_made_of_it_where_a_person_has_to_speak_first(
    tmp_path: Path, keys: dict[str, str], sandbox: Sandbox
) -> None:
    lossy = sandbox.new_account("algovera")
    desk = Desk(tmp_path, {**keys, "ALGOVERA_API_KEY": lossy["api_key"], "ALGOVERA_BASE_URL": lossy["base_url"]})
    head = "campaign: mugs\nsteps:\n"
    hero = "  - {name: hero, base_model: stable, seed: 7, prompt: A mug}\n"
    fed = "  - {name: page, model: imagen4, prompt: A page, references: [{step: hero}]}\n"
    leaf = "  - {name: leaf, model: imagen4, prompt: A leaf, references: [{step: page}]}\n"
    desk.file.write_text(head + hero)
    sandbox.fault(lossy, "lose_answer", times=1)
    desk.type("apply", "--yes")

    desk.file.write_text(head + hero.replace("A mug", "A mug, if_in_doubt: abandon") + fed + leaf)
    left_alone = desk.type("plan")
    desk.file.write_text(head + hero + fed + leaf)
    planned, applied = desk.type("plan"), desk.type("apply", "--yes")

    assert left_alone.returncode == 10
    assert "3 items: 1 in doubt, 2 to buy" in left_alone.stdout, "a run gives up the one, so that the next one makes all"
    assert (planned.returncode, applied.returncode) == (0, 0)
    assert "3 items: 3 in doubt" in planned.stdout
    assert "genmedia journal resolve" in planned.stdout
    assert planned.stdout.count("made of something that is in doubt") == 2
    assert "genova:" not in planned.stdout
    assert (
        "Nothing is to buy.\n3 items wait for a word about what is in doubt: genmedia journal --in-doubt lists it."
        in planned.stdout
    )
    assert applied.stdout == planned.stdout
