"""Templates in texts that people write, and in the names of files."""

from typing import Any

import pytest

from genmedia.text.templates import LONGEST, WrongTemplateError, is_template, names_in, render, render_path, unknown

ROW = {"sku": "M-1", "product": "mug", "items": "two", "empty": ""}
VALUES = {"row": ROW, "week": "2026-W48", "number": 7}
ITEM: dict[str, Any] = {
    "row": {"sku": "A/B 1", "items": "3", "title": "Große Öse", "empty": None},
    "step": "hero",
    "n": 2,
    "ext": "png",
    "sizes": [10, 20],
}


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("{{ row.product }} of {{ week }}", "mug of 2026-W48"),
        ("{{ row['sku'] | lower }}", "m-1"),
        ("{{ row.items }}", "two"),
        ("{{ row.empty | default('plain', true) }}", "plain"),
        ("{% if row.empty %}a{% else %}b{% endif %}", "b"),
        ("{{ number + 1 }} {{ number * 3 }} {{ 'a' ~ 'b' }}", "8 21 ab"),
        ("<b>&{{ row.product }}", "<b>&mug"),
        ("plain {text}", "plain {text}"),
    ],
)
def test_a_template_is_filled_with_values_and_nothing_is_escaped(text: str, made: str) -> None:
    assert render(text, VALUES) == made


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{{ row.prodct }}", "names row.prodct, which is not there; there are empty, items, product, sku; did you mean product?"),
        ("{{ wek }}", "names wek, which is not there; there are number, row, week; did you mean week?"),
        ("{{ week.day }}", "asks for week.day, but week has no parts"),
        ("{{ row.product ", "is no template: "),
        ("{% for x in row %}", "is no template: "),
    ],
)
def test_a_name_that_is_not_there_is_told_with_those_that_are(text: str, fault: str) -> None:
    with pytest.raises(WrongTemplateError) as told:
        render(text, VALUES)

    assert str(told.value).startswith(fault)


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ row.__class__ }}",
        "{{ row.keys() }}",
        "{{ week.upper() }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ 'a' * 1000000000 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ range(1000000000) }}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ 'a' | center(1000000000) }}",
        "{{ row | attr('keys') }}",
        "{{ lipsum.__globals__ }}",
        "{{ self }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}{{ os }}",
        "{{ " + "(" * 400 + "1" + ")" * 400 + " }}",
        "{{ " + " ~ ".join(["row.product"] * 9000) + " }}",
        "x" * (LONGEST + 1) + "{{ week }}",
    ],
)
def test_a_template_reads_its_values_and_nothing_else(text: str) -> None:
    with pytest.raises(WrongTemplateError):
        render(text, VALUES)


def test_a_text_that_grows_without_end_is_refused() -> None:
    with pytest.raises(WrongTemplateError, match=f"makes more than {LONGEST} characters"):
        render("{% for a in many %}{% for b in many %}xxxxxxxxxx{% endfor %}{% endfor %}", {"many": list(range(1000))})


def test_the_names_that_a_template_reads_are_known_before_there_are_values() -> None:
    text = "{% set own = 1 %}{{ own }} {{ row.product }} {{ row['sku'] }} {{ ratio }}"

    assert names_in(text) == {("row",), ("row", "product"), ("row", "sku"), ("ratio",)}
    assert {fault for name in names_in(text) if (fault := unknown(name, VALUES))} == {
        "names ratio, which is not there; there are number, row, week"
    }


def test_a_filter_that_is_not_there_is_told_before_there_are_values() -> None:
    with pytest.raises(WrongTemplateError, match="No filter named 'loud'"):
        names_in("{{ row.product | loud }}")


def test_only_what_has_a_mark_is_a_template() -> None:
    assert [is_template(text) for text in ("a {photo}", "a {{ b }}", "{% if a %}", "{# note #}")] == [False, True, True, True]


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("{% for one in sizes %}{{ loop.index }}:{{ one * n }} {% endfor %}", "1:20 2:40 "),
        ("{{ row.empty }}-", "-"),
        ("{{ row.title|lower|replace(' ', '_') }}", "große_öse"),
    ],
)
def test_lists_are_gone_through_and_what_is_none_gives_nothing(text: str, made: str) -> None:
    assert render(text, ITEM) == made


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{row.sku}/{step}-{n}.{ext}", "A-B-1/hero-2.png"),
        ("{{ row.title }}.{ext}", "Grosse-Oese.png"),
        ("Woche 48/{step}.{ext}", "Woche-48/hero.png"),
        ("{row.items}{% if n > 1 %}/{n}{% endif %}", "3/2"),
        ("{% for one in sizes %}{{ one }}/{% endfor %}{step}", "10/20/hero"),
        ("con/NUL.{ext}", "con-/NUL-.png"),
        ("{step}. /{step}...", "hero/hero"),
    ],
)
def test_a_path_is_made_of_values_that_every_file_system_takes(template: str, path: str) -> None:
    assert render_path(template, ITEM) == path


@pytest.mark.parametrize("value", ["../../etc/passwd", "/etc/passwd", "a\0b\nc", "..", "C:\\x", "a\u202eb", "*?<>|", "x" * 5000])
def test_a_value_stays_within_its_part_of_a_path(value: str) -> None:
    path = render_path("made/{value}-1.png", {"value": value})

    assert path.startswith("made/")
    assert path.count("/") == 1
    assert ".." not in path
    assert path.isascii()
    assert path.isprintable()
    assert len(path) < 160
    assert path.endswith("1.png")


@pytest.mark.parametrize("template", ["/{step}", "../{step}", "{step}/", "{row.empty}/x", "", "a//b", "..", "{step}/../x"])
def test_a_path_that_leaves_its_folder_or_has_a_part_without_a_name_is_refused(template: str) -> None:
    with pytest.raises(WrongTemplateError, match="has to be a name"):
        render_path(template, ITEM)


def test_a_path_that_is_too_long_is_refused() -> None:
    with pytest.raises(WrongTemplateError, match="more than 700"):
        render_path("/".join(["{long}"] * 9), {"long": "x" * 150})
