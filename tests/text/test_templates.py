"""Templates in texts that people write."""

import pytest

from genmedia.text.templates import LONGEST, TemplateFaultError, is_template, names_in, render, unknown

ROW = {"sku": "M-1", "product": "mug", "items": "two", "empty": ""}
VALUES = {"row": ROW, "week": "2026-W48", "number": 7}


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
    with pytest.raises(TemplateFaultError) as told:
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
    with pytest.raises(TemplateFaultError):
        render(text, VALUES)


def test_a_text_that_grows_without_end_is_refused() -> None:
    with pytest.raises(TemplateFaultError, match=f"makes more than {LONGEST} characters"):
        render("{% for a in many %}{% for b in many %}xxxxxxxxxx{% endfor %}{% endfor %}", {"many": list(range(1000))})


def test_the_names_that_a_template_reads_are_known_before_there_are_values() -> None:
    text = "{% set own = 1 %}{{ own }} {{ row.product }} {{ row['sku'] }} {{ ratio }}"

    assert names_in(text) == {("row",), ("row", "product"), ("row", "sku"), ("ratio",)}
    assert {fault for name in names_in(text) if (fault := unknown(name, VALUES))} == {
        "names ratio, which is not there; there are number, row, week"
    }


def test_only_what_has_a_mark_is_a_template() -> None:
    assert [is_template(text) for text in ("a {photo}", "a {{ b }}", "{% if a %}", "{# note #}")] == [False, True, True, True]
