"""Templates that people write: what they read, what they refuse, and the names of files that they make."""

from typing import Any

import pytest

from genmedia.text.templates import WrongTemplateError, render, render_path

VALUES: dict[str, Any] = {
    "row": {"sku": "A/B 1", "items": "3", "title": "Große Öse", "empty": None},
    "step": "hero",
    "n": 2,
    "ext": "png",
    "sizes": [10, 20],
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ row.title }} of {{ step }}\n", "Große Öse of hero\n"),
        ("{{ row.items }}, {{ row['sku'] }}", "3, A/B 1"),
        ("{{ row.empty }}-", "-"),
        ("{% for one in sizes %}{{ loop.index }}:{{ one * n }} {% endfor %}", "1:20 2:40 "),
        ("{{ row.title|lower|replace(' ', '_') }}", "große_öse"),
        ("{% if row.empty is none %}none{% endif %}", "none"),
        ("a {brace} that is text", "a {brace} that is text"),
    ],
)
def test_a_text_is_filled_in(template: str, text: str) -> None:
    assert render(template, VALUES) == text


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("{{ row.skuu }}", "skuu is unknown; the names are row.sku, row.items, row.title, row.empty, step, n, ext, sizes"),
        ("{{ nobody }}", "nobody is unknown"),
        ("{% if nobody == 1 %}x{% endif %}", "nobody is unknown"),
        ("{{ row.empty.x }}", "x is unknown"),
        ("{{ sizes[9] }}", "9 is unknown"),
        ("{% if x %}", "is no template"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ 'a'|nosuch }}", "is no template: No filter named 'nosuch'"),
    ],
)
def test_a_template_that_cannot_be_filled_in_is_told_with_the_names_that_there_are(template: str, fault: str) -> None:
    for fill in (render, render_path):
        with pytest.raises(WrongTemplateError) as caught:
            fill(template, VALUES)
        assert fault in str(caught.value)


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ row.__class__ }}",
        "{{ row['__class__'] }}",
        "{{ step.join.__globals__ }}",
        "{{ step|attr('__class__') }}",
        "{{ row.keys() }}",
        "{{ range(10) }}",
        "{{ lipsum() }}",
        "{{ 'x' * 1000000000 }}",
        "{{ 9 ** 9999999 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '%1000000000d'|format(1) }}",
        "{{ 'x'|center(1000000000) }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{% include '/etc/passwd' %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    ],
)
def test_a_template_reads_its_values_and_reaches_for_nothing_else(template: str) -> None:
    with pytest.raises(WrongTemplateError):
        render(template, VALUES)


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
    assert render_path(template, VALUES) == path


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
        render_path(template, VALUES)


def test_a_path_that_is_too_long_is_refused() -> None:
    with pytest.raises(WrongTemplateError, match="more than 700"):
        render_path("/".join(["{long}"] * 9), {"long": "x" * 150})
