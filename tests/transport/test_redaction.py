"""Keys and signed links stay out of whatever people and files get to see."""

import io
import logging

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genmedia.transport.redaction import HIDDEN, bare_url, redact

KEY = "sk_live_0123456789abcdef"


@given(st.text(), st.text(), st.integers(1, 4))
def test_a_secret_is_hidden_wherever_it_stands(before: str, after: str, times: int) -> None:
    assert KEY not in redact(f"{before}{KEY}{after}" * times, [KEY])


@given(st.text(alphabet=st.characters(exclude_categories=["P", "S"])))
def test_a_text_without_secrets_is_left_as_it_is(text: str) -> None:
    assert redact(text, [KEY]) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"Authorization: Bearer {KEY}", f"Authorization: Bearer {HIDDEN}"),
        (f'{{"apiKey": "{KEY}", "model": "x"}}', f'{{"apiKey": "{HIDDEN}", "model": "x"}}'),
        (f"https://a.example/x?api_key={KEY}&n=1", f"https://a.example/x?api_key={HIDDEN}&n=1"),
        (f"{{'X-API-Key': '{KEY}'}}", f"{{'X-API-Key': '{HIDDEN}'}}"),
        ("password = hunter2 now", f"password = {HIDDEN} now"),
        ("the token ran out", "the token ran out"),
        ("api_key: k3y-of-4-stranger", f"api_key: {HIDDEN}"),
        ("token: abcdefghijklmnopqrstuvwxyz", f"token: {HIDDEN}"),
        ("answered 401 invalid_api_key: Your API key is wrong", "answered 401 invalid_api_key: Your API key is wrong"),
        ("token: is missing", "token: is missing"),
        ("password: Too short.", "password: Too short."),
    ],
)
def test_a_field_that_is_named_like_a_secret_is_hidden_though_nobody_told_its_value(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_an_empty_secret_hides_nothing() -> None:
    assert redact("plain", [""]) == "plain"


def test_a_secret_as_short_as_a_word_is_hidden_where_it_stands_by_itself_and_eats_no_other_word() -> None:
    assert redact("key 'cat' is wrong; scatter, concatenate", ["cat"]) == f"key '{HIDDEN}' is wrong; scatter, concatenate"


@pytest.mark.parametrize(
    ("url", "bare"),
    [
        ("https://a.example/b/c.png?X-Amz-Signature=abc#part", "https://a.example/b/c.png"),
        ("https://user:word@a.example:8443/b", "https://a.example:8443/b"),
        ("http://a.example:port/x", "an unreadable address"),
    ],
)
def test_a_bare_address_has_no_user_no_query_and_no_fragment(url: str, bare: str) -> None:
    assert bare_url(url) == bare


async def test_what_httpx_logs_has_no_query() -> None:
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logger = logging.getLogger("httpx")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client:
            await client.get(f"https://a.example/x?api_key={KEY}")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    assert "https://a.example/x" in log.getvalue()
    assert KEY not in log.getvalue()


def test_httpcore_does_not_print_headers_even_when_everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    assert not logging.getLogger("httpcore.http11").isEnabledFor(logging.DEBUG)
