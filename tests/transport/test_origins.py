"""Which addresses a key may be sent to, and which may be fetched."""

import socket

import pytest

from genmedia.errors import ForbiddenAddressError, SettingsError
from genmedia.transport.origins import Origins, check_base_url, is_loopback, origin_of, public_addresses

FLORA = Origins("https://app.flora.ai")
SANDBOX = Origins("http://127.0.0.1:4280/flora")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://app.flora.ai:443/api?x=1", "https://app.flora.ai"),
        ("http://127.0.0.1:4280/flora", "http://127.0.0.1:4280"),
        ("https://user:word@A.Example/b", "https://a.example"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost", "https://127.8.8.8", "http://[::1]:80"])
def test_the_loopback_is_recognised(url: str) -> None:
    assert is_loopback(url)


@pytest.mark.parametrize("url", ["http://10.0.0.1", "http://localhost.example", "https://app.flora.ai", "http://0.0.0.0"])
def test_what_only_looks_like_the_loopback_is_not(url: str) -> None:
    assert not is_loopback(url)


@pytest.mark.parametrize("url", ["https://app.flora.ai", "https://app.flora.ai/", "http://127.0.0.1:4280/flora/"])
def test_a_base_url_is_https_or_on_the_loopback(url: str) -> None:
    assert check_base_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://app.flora.ai",
        "http://10.0.0.1",
        "https://user:word@app.flora.ai",
        "ftp://127.0.0.1",
        "app.flora.ai",
        "",
        "http://a.example:port/x",
    ],
)
def test_a_key_goes_nowhere_else(url: str) -> None:
    with pytest.raises(SettingsError, match="cannot be a base URL") as refused:
        check_base_url(url)
    assert "word" not in str(refused.value)


def test_a_public_address_may_be_fetched_over_https() -> None:
    FLORA.check("https://8.8.8.8/a.png")


@pytest.mark.parametrize(
    "url",
    [
        "http://8.8.8.8/a.png",
        "ftp://8.8.8.8/a.png",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "/a.png",
        "",
        "http://a.example:port/x",
        "https://",
        "https://8.8.8.8:99999/a.png",
        "https://8.8.8.8:0/a.png",
        "https://xn--/a.png",
        "https://user:word@8.8.8.8/a.png",
        "https://8.8.8.8/\ud800",
        "javascript:1",
    ],
)
@pytest.mark.parametrize("origins", [FLORA, SANDBOX])
def test_nothing_but_https_may_be_fetched(origins: Origins, url: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        origins.check(url)


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.5",
        "127.0.0.1",
        "localhost",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "2130706433",
        "0.1.2.3",
        "192.0.0.8",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.1.1",
        "255.255.255.255",
        "::1",
        "::127.0.0.1",
        "::ffff:10.0.0.5",
        "64:ff9b::10.0.0.5",
        "64:ff9b:1::10.0.0.5",
        "2001:0:1::1",
        "2002:a00:5::1",
        "3fff::1",
        "fc00::1",
        "fe80::1",
        "ff0e::1",
    ],
)
async def test_a_private_address_may_not_be_fetched(host: str) -> None:
    with pytest.raises(ForbiddenAddressError, match="private address"):
        await public_addresses(host, 443)


@pytest.mark.parametrize(
    "url", ["cdn.example", "", "https://", "ftp://a.example", "https://a:99999", "https://me:s3cret@a.example"]
)
def test_what_is_no_origin_cannot_be_named_as_one(url: str) -> None:
    with pytest.raises(SettingsError, match="further origins is none") as refused:
        Origins("https://app.flora.ai", (url,))
    assert "s3cret" not in str(refused.value)


async def test_a_name_that_also_has_a_private_address_may_not_be_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(0, 0, 0, "", (address, 443)) for address in ("8.8.8.8", "10.0.0.5")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(ForbiddenAddressError, match="private address"):
        await public_addresses("cdn.example", 443)


@pytest.mark.parametrize("host", ["8.8.8.8", "2a00:1450:4001:81b::200e", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
async def test_a_public_address_may_be_connected_to(host: str) -> None:
    assert await public_addresses(host, 443)


async def test_a_host_that_is_no_host_name_may_not_be_fetched() -> None:
    with pytest.raises(ForbiddenAddressError, match="no host name"):
        await public_addresses(f"{'a' * 70}.example", 443)


def test_a_sandbox_serves_media_from_its_own_origin_and_from_those_that_it_names_on_this_machine() -> None:
    origins = Origins("http://127.0.0.1:4280/flora")
    origins.check("http://127.0.0.1:4280/files/a.png")
    with pytest.raises(ForbiddenAddressError):
        origins.check("http://127.0.0.1:4281/files/a.png")

    origins.learn("http://127.0.0.1:4281,http://10.0.0.5:9000")

    origins.check("http://127.0.0.1:4281/files/a.png")
    for elsewhere in ("http://127.0.0.1:4282/a.png", "http://127.0.0.2:4281/a.png", "http://10.0.0.5:9000/a.png"):
        with pytest.raises(ForbiddenAddressError):
            origins.check(elsewhere)


def test_who_is_no_sandbox_names_no_origin() -> None:
    origins = Origins("https://app.flora.ai")
    origins.learn("http://127.0.0.1:4281")
    with pytest.raises(ForbiddenAddressError):
        origins.check("http://127.0.0.1:4281/files/a.png")


def test_an_account_on_a_public_host_gives_no_leave_to_read_from_this_machine() -> None:
    with pytest.raises(ForbiddenAddressError):
        FLORA.check("http://127.0.0.1:4281/files/a.png")


def test_a_named_origin_may_be_fetched_whatever_it_is_and_nothing_beside_it() -> None:
    named = Origins("https://app.flora.ai", ("http://10.0.0.5:9000/", "https://10.0.0.6"))
    named.check("http://10.0.0.5:9000/bucket/a.png")
    named.check("https://10.0.0.6:443/a.png")
    for beside in ("http://10.0.0.5:9001/a.png", "http://10.0.0.6/a.png", "http://10.0.0.5:9000@10.0.0.7/a.png"):
        with pytest.raises(ForbiddenAddressError):
            named.check(beside)


def test_the_message_names_the_origin_and_not_the_signature() -> None:
    with pytest.raises(ForbiddenAddressError) as refused:
        FLORA.check("http://cdn.example/a.png?X-Amz-Signature=abcdef")
    assert "http://cdn.example" in str(refused.value)
    assert "abcdef" not in str(refused.value)
