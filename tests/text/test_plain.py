"""Texts that others wrote, in a Markdown that shows them as they are."""

import pytest

from genmedia.text.plain import for_markdown


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a cup | a mug", r"a cup \| a mug"),
        ("`code`", r"\`code\`"),
        ("<img src=x onerror=alert(1)>", r"\<img src=x onerror=alert(1)\>"),
        ("&lt;b&gt; & co", r"\&lt;b\&gt; & co"),
        ("[free credits](javascript:alert(1))", r"\[free credits\](javascript:alert(1))"),
        ("![x](https://cdn.example/x.png)", r"!\[x\](https://cdn.example/x.png)"),
        ("**loud** ~~gone~~ _soft_ __init__", r"\*\*loud\*\* \~\~gone\~\~ \_soft\_ \_\_init\_\_"),
        ("# no heading\n\n- no list", r"\# no heading - no list"),
        ("C:\\new", r"C:\\new"),
        ("input_image run_0a1b https://a.example/x_y-z", "input_image run_0a1b https://a.example/x_y-z"),
    ],
)
def test_a_text_is_shown_in_markdown_as_it_is(text: str, told: str) -> None:
    assert for_markdown(text) == told
