"""The gallery over HTTP, without Prefect: who gets what, what is new, and what a person puts into the store."""

import json
import sqlite3
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from genmedia.errors import SettingsError
from genmedia.gallery import access as sign_in
from genmedia.gallery import serving, uploading
from genmedia.gallery.access import Access
from genmedia.gallery.address import SERVED_AT, gallery_address
from genmedia.gallery.forget import find_traces, forget
from genmedia.gallery.page import look_around
from genmedia.gallery.serving import Galleries
from genmedia.journal import Journal
from genmedia.provenance.reading import read_assets
from genmedia.provenance.rebuild import rebuild_journal
from genmedia.store import Place, Store
from genmedia.store.named_files import files_at_hand, look_at
from tests.buckets import Buckets
from tests.example_assets import draw_gallery, pack_glb, picture, pyramid, write_asset

KEY = "genmedia:the password of this server"
ORIGIN = "http://127.0.0.1:4200"


@dataclass(frozen=True)
class Kept:
    """A saved store."""

    place: Place

    @property
    def journal_url(self) -> str:
        return self.place.journal_url(f"sqlite:///{self.place.folder or '/nowhere'}/.genmedia/journal.db")

    def get_store(self) -> AbstractAsyncContextManager[Store]:
        return Store.lease(self.place)

    def get_journal(self) -> AbstractAsyncContextManager[Journal]:
        return Journal.lease(self.journal_url)


@asynccontextmanager
async def served(
    place: Place | Path, *, signed_in: bool = True, access: Access | None = None, decided: Callable[[], None] = lambda: None
) -> AsyncGenerator[httpx.AsyncClient]:
    """A browser's requests to a server that shows one store, named `default`."""

    async def names() -> list[str]:
        return ["default"]

    async def find(name: str) -> Kept:
        if name != "default":
            raise SettingsError(f"no store is saved as {name!r}")
        return Kept(place if isinstance(place, Place) else Place(str(place)))

    galleries = Galleries(access or Access(KEY, kept_as="elsewhere"), names, find, runs="/runs/", decided=decided)
    app = Starlette(routes=[Mount("/gallery", galleries)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"{ORIGIN}/gallery/") as client:
        if signed_in:
            answer = await client.post("default/", data={"password": KEY}, headers={"origin": ORIGIN})
            assert answer.status_code == 303
        yield client
    await galleries.aclose()


async def shown(client: httpx.AsyncClient) -> dict[str, Any]:
    """What the page is told, once it is opened."""
    assert (await client.get("default/")).status_code == 200
    script = (await client.get("default/.genmedia/gallery-data.js")).text
    return json.loads(json.loads(script.removeprefix("globalThis.galleryData = ").removesuffix(";\n")))


async def put_up(client: httpx.AsyncClient, name: str, content: bytes, **headers: str) -> httpx.Response:
    return await client.post(
        "default/.genmedia/uploads", params={"name": name}, content=content, headers={"origin": ORIGIN, **headers}
    )


def test_a_served_gallery_has_an_address_for_each_store_campaign_and_asset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SERVED_AT, raising=False)
    assert gallery_address("default") == ""  # nobody serves one
    monkeypatch.setenv(SERVED_AT, "http://127.0.0.1:4200/gallery")
    assert gallery_address("default") == "http://127.0.0.1:4200/gallery/default/"
    assert gallery_address("a/b", campaign="tea & cake") == "http://127.0.0.1:4200/gallery/a%2Fb/#campaign=tea+%26+cake"
    assert gallery_address("default", asset="tea/cup #1.png") == "http://127.0.0.1:4200/gallery/default/#open=tea%2Fcup+%231.png"


async def test_a_second_look_reads_what_changed_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        write_asset(tmp_path, f"tea/cup/{name}.png", picture("red"), labels={"of": name})
    async with Store.lease(str(tmp_path)) as store:
        read: list[str] = []
        whole = store.files.read

        async def reading(path: str, most: int | None = None) -> bytes:
            read.append(path)
            return await whole(path, most)

        monkeypatch.setattr(store.files, "read", reading)
        contents = await read_assets(store)
        seen = await look_around(store, contents)
        assert len(read) == 3

        (tmp_path / "tea/cup/a.png").unlink()
        write_asset(tmp_path, "tea/cup/b.png", picture("red"), labels={"of": "d"})  # as long as it was
        write_asset(tmp_path, "tea/cup/d.png", picture("blue"))
        later = await read_assets(store, contents)
        now = await look_around(store, later, seen)

    assert read[3:] == ["tea/cup/b.png.json", "tea/cup/d.png.json"]
    assert {entry["path"]: entry.get("labels") for entry in now.assets} == {
        "tea/cup/b.png": {"of": "d"},
        "tea/cup/c.png": {"of": "c"},
        "tea/cup/d.png": {},
    }
    assert [one["name"] for one in now.left_out] == ["tea/cup/a.png.json"]
    same = {entry["path"]: entry for entry in seen.assets}["tea/cup/c.png"]
    assert any(entry is same for entry in now.assets)


async def test_nothing_is_shown_to_whoever_does_not_have_the_password(tmp_path: Path) -> None:
    write_asset(tmp_path, "tea/cup/a.png", picture("red"))
    async with served(tmp_path, signed_in=False) as client:
        page = await client.get("default/")
        assert (page.status_code, "<form" in page.text) == (401, True)
        assert (await client.get("nobody/")).status_code == 401  # nor whether there is such a store
        for path in ("default/tea/cup/a.png", "default/.genmedia/live", "default/.genmedia/gallery-data.js"):
            answer = await client.get(path)
            assert (answer.status_code, answer.text) == (401, "The password is missing.")
        assert (await put_up(client, "a.png", picture("red"))).status_code == 401
        assert (await client.post("default/", data={"password": "guessed"})).status_code == 401
        assert (await client.post("default/", content=b"password=" + b"x" * 10_000)).status_code == 413
        stranger = b64encode(b"genmedia:guessed").decode()
        assert (await client.get("default/", headers={"authorization": f"Basic {stranger}"})).status_code == 401
        assert not client.cookies
        assert not (tmp_path / "uploads").exists()

        own = b64encode(KEY.encode()).decode()
        assert (await client.get("default/tea/cup/a.png", headers={"authorization": f"Basic {own}"})).content == picture("red")


async def test_the_password_is_given_once_and_what_the_browser_keeps_does_not_tell_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_asset(tmp_path, "tea/cup/a.png", picture("red"))
    async with served(tmp_path, signed_in=False) as client:
        answer = await client.post("default/", data={"password": KEY}, headers={"origin": ORIGIN})
        assert (answer.status_code, answer.headers["location"]) == (303, "/gallery/default/")
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=strict", "Path=/gallery"} <= set(cookie.split("; "))
        assert not any(part in cookie for part in (KEY, "password", b64encode(KEY.encode()).decode()))
        assert (await client.get("default/tea/cup/a.png")).status_code == 200

        (name,) = client.cookies
        ends, _, proof = client.cookies[name].partition(".")
        client.cookies.clear()
        for forged in (f"{int(ends) + 1}.{proof}", f"{ends}.", f"{ends}.{proof[:-1]}é", "", "."):
            asked = await client.get("default/tea/cup/a.png", headers={b"cookie": f"{name}={forged}".encode()})
            assert asked.status_code == 401, forged
        monkeypatch.setattr(sign_in, "time", lambda: float(ends) + 1)
        assert (await client.get("default/", headers={"cookie": f"{name}={ends}.{proof}"})).status_code == 401


async def test_a_page_of_another_origin_puts_nothing_into_the_store_and_reads_nothing(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        for origin in ("http://127.0.0.1:9999", "http://evil.example", "null"):
            assert (await put_up(client, "a.png", picture("red"), origin=origin)).status_code == 403
            assert (await client.get("default/.genmedia/live", headers={"origin": origin})).status_code == 403
        data = await client.get("default/.genmedia/gallery-data.js")
        assert data.headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in (await client.get("default/")).headers["content-security-policy"]
    assert not (tmp_path / "uploads").exists()


UNSHOWN = r"""
tea/cup/link.png plain.txt quarantine/bad quarantine/bad.json .genmedia/forgotten/x.json index.html manifest.csv tea tea/cup/
.genmedia/journal.db .genmedia/owners %2e%2e/secret.txt ..%2fsecret.txt tea/../../secret.txt tea/%2e%2e/%2e%2e/secret.txt %2Fetc%2Fpasswd
//etc/passwd tea/cup/a.png%00 \secret
"""


async def test_of_a_store_only_what_the_page_shows_is_served(tmp_path: Path) -> None:
    root = tmp_path / "media"
    red = write_asset(root, "tea/cup/a.png", picture("red"), thumbnail=picture("red", form="WEBP"))
    model = write_asset(root, "tea/cup/chair.glb", pack_glb(*pyramid()), "model/gltf-binary")
    (tmp_path / "secret.txt").write_text("secret")
    write_asset(root, "tea/cup/link.png", picture("blue"))
    (root / "tea/cup/link.png").unlink()
    (root / "tea/cup/link.png").symlink_to(tmp_path / "secret.txt")
    (root / "plain.txt").write_text("has no sidecar")
    (root / "quarantine").mkdir()
    (root / "quarantine/bad").write_bytes(b"<script>")
    evidence = {
        "provider": "flora",
        "account": "flora||a",
        "operation": "x",
        "remote_id": "1",
        "submission_key": "k",
        "attempt": 1,
        "take": 1,
    }
    told = {**evidence, "output": "image", "sha256": "0" * 64, "bytes": 8, "what": "it is no picture"}
    (root / "quarantine/bad.json").write_text(json.dumps(told))
    forgotten = root / ".genmedia/forgotten"
    forgotten.mkdir(parents=True)
    (forgotten / "x.json").write_text((root / "tea/cup/a.png.json").read_text())
    draw_gallery(root)
    async with Store.lease(str(root)) as store, Journal.lease(Kept(Place(str(root))).journal_url) as journal:
        await rebuild_journal(store, journal)

    async with served(root) as client:
        paths = {asset["path"]: asset for asset in (await shown(client))["assets"]}
        assert paths.keys() == {"tea/cup/a.png", "tea/cup/chair.glb", "tea/cup/link.png", "quarantine/bad"}
        assert "sidecar" not in paths["quarantine/bad"]
        for path in ("tea/cup/a.png", "tea/cup/a.png.json", f".genmedia/thumbnails/{red}.webp", f".genmedia/models/{model}.html"):
            answer = await client.get(f"default/{path}")
            assert answer.status_code == 200, path
            assert "sandbox" in answer.headers["content-security-policy"], path
            assert answer.headers["x-content-type-options"] == "nosniff"
        for path in UNSHOWN.split():
            request = client.build_request("GET", f"{ORIGIN}/gallery/default/x")
            request.url = httpx.URL(f"{ORIGIN}/gallery/default/x").copy_with(raw_path=f"/gallery/default/{path}".encode())
            answer = await client.send(request)
            assert answer.status_code >= 300, path
            assert "secret" not in answer.text

        (root / "tea/cup/a.png").unlink()
        (root / "tea/cup/a.png.json").unlink()  # and nobody has looked since
        assert (await client.get("default/tea/cup/a.png")).status_code == 404
        assert (await client.get("default/tea/cup/a.png.json")).status_code == 404


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript", "text/xml"])
async def test_what_a_store_holds_never_runs_as_a_page(tmp_path: Path, kind: str) -> None:
    write_asset(tmp_path, "tea/cup/a.txt", b"<script>alert(1)</script>", kind)
    async with served(tmp_path) as client:
        answer = await client.get("default/tea/cup/a.txt")
        assert answer.headers["content-type"] in ("text/plain; charset=utf-8", "application/octet-stream")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert "allow-scripts" not in answer.headers["content-security-policy"]


async def test_a_part_of_a_video_is_sent_as_players_ask_for_it_and_what_the_browser_has_is_not_sent_again(tmp_path: Path) -> None:
    write_asset(tmp_path, "tea/cup/a.mp4", bytes(range(256)) * 40, "video/mp4")
    async with served(tmp_path) as client:
        part = await client.get("default/tea/cup/a.mp4", headers={"range": "bytes=256-511"})
        assert (part.status_code, part.content, part.headers["content-type"]) == (206, bytes(range(256)), "video/mp4")
        assert part.headers["content-range"] == "bytes 256-511/10240"
        again = await client.get("default/tea/cup/a.mp4", headers={"if-none-match": part.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


async def test_what_is_new_is_told_to_an_open_page_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(serving, "LOOK_SHARE", 0)
    write_asset(tmp_path, "tea/cup/a.png", picture("red"))
    write_asset(tmp_path, "tea/cup/b.png", picture("blue"))
    async with served(tmp_path) as client:
        version = (await shown(client))["live"]["version"]

        async def since(version: str) -> dict[str, Any]:
            return (await client.get("default/.genmedia/live", params={"since": version})).json()

        assert await since(version) == {"version": version}

        write_asset(tmp_path, "tea/cup/c.png", picture("green"))
        for name in ("a.png", "a.png.json"):
            (tmp_path / "tea/cup" / name).unlink()
        told = await since(version)
        assert [asset["path"] for asset in told["assets"]] == ["tea/cup/c.png"]
        assert told["order"] == ["tea/cup/b.png", "tea/cup/c.png"]
        assert await since(told["version"]) == {"version": told["version"]}

        for stale in ("", "of another server-1", told["version"].partition("-")[0]):
            assert [asset["path"] for asset in (await since(stale))["assets"]] == ["tea/cup/b.png", "tea/cup/c.png"]


async def test_an_asset_leads_back_to_the_run_that_bought_it_where_the_journal_knows_one(tmp_path: Path) -> None:
    run = str(uuid4())
    for name in ("a", "b", "c"):
        write_asset(tmp_path, f"tea/cup/{name}.png", picture("red"), output={"id": name, "kind": "image"})
    kept = Kept(Place(str(tmp_path)))
    async with Store.lease(str(tmp_path)) as store, Journal.lease(kept.journal_url) as journal:
        await rebuild_journal(store, journal)
    with sqlite3.connect(tmp_path / ".genmedia/journal.db") as database:
        for name, told in (("a", run), ("b", "javascript:alert(1)")):
            one = "UPDATE attempts SET run = ? WHERE id = (SELECT attempt FROM assets WHERE path = ?)"
            database.execute(one, (told, f"tea/cup/{name}.png"))
    database.close()

    async with served(tmp_path) as client:
        told = await shown(client)

    assert told["live"]["runs"] == "/runs/"
    assert {asset["path"]: asset.get("run") for asset in told["assets"]} == {
        "tea/cup/a.png": run,
        "tea/cup/b.png": None,
        "tea/cup/c.png": None,
    }


async def test_a_picture_that_a_person_puts_up_becomes_an_input_of_the_store(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        answer = await put_up(client, "C:\\photos\\My cup.PNG", picture("red"))
        assert (answer.status_code, answer.json()) == (201, {"path": "uploads/my-cup.png"})
        (asset,) = (await shown(client))["assets"]
        assert (asset["path"], asset["provider"], asset["output"]["id"]) == ("uploads/my-cup.png", "upload", "My cup.PNG")
        assert (await client.get(f"default/{asset['thumbnail']}")).headers["content-type"] == "image/webp"

    async with Store.lease(str(tmp_path)) as store, Journal.lease(Kept(Place(str(tmp_path))).journal_url) as journal:
        async with files_at_hand(["store:uploads/my-cup.png"], store, None) as files:
            looked = await look_at(files)
        assert not looked.wrong
        assert looked.found["store:uploads/my-cup.png"].facts.media_type == "image/png"
        rebuilt = await rebuild_journal(store, journal)
        assert (rebuilt.found, rebuilt.added) == (0, 0)  # nothing was bought

        await forget(store, journal, await find_traces(store, journal, "uploads/my-cup.png"))
    assert [path.name for path in tmp_path.rglob("*.*") if not path.name.startswith("journal.db")] == [
        ".genmedia",
        "publishing.lock",
    ]


async def test_nothing_in_the_store_is_written_over_by_what_is_put_up(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        paths = [(await put_up(client, name, picture(colour))).json()["path"] for name, colour in UPLOADED]
    assert paths[0] == paths[1] == "uploads/cup.png"
    assert len({*paths}) == 5
    assert paths[-1] == "uploads/fruehling.png"
    assert all(path.startswith("uploads/") for path in paths)
    assert (tmp_path / paths[0]).read_bytes() == picture("red")
    assert (tmp_path / paths[2]).read_bytes() == picture("blue")


UPLOADED = [
    ("cup.png", "red"),
    ("cup.png", "red"),
    ("cup.png", "blue"),
    ("../../index.html", "red"),
    ("..", "red"),
    ("Frühling.png", "red"),
]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.png: cannot be used: "),
        ("a.html", b"<script>alert(1)</script>", "a.html: cannot be used: "),
        ("a.png", b"", "a.png: cannot be used: "),
        ("a.png", picture("red") * 20, "a.png: is longer than 0.001 MB."),
    ],
)
async def test_what_is_no_picture_or_too_long_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, told: str
) -> None:
    monkeypatch.setattr(uploading, "LARGEST_BYTES", 1_000)

    async def pieces() -> AsyncIterator[bytes]:  # without a length ahead
        for start in range(0, len(content), 100):
            yield content[start : start + 100]

    async with served(tmp_path) as client:
        answer = await client.post(
            "default/.genmedia/uploads", params={"name": name}, content=pieces(), headers={"origin": ORIGIN}
        )
    assert (answer.status_code, answer.text[: len(told)]) == (422, told)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and ".genmedia" not in path.parts]
    assert not list((tmp_path / ".genmedia/incoming").iterdir())


async def test_a_private_bucket_is_shown_through_this_server_alone(buckets: Buckets, tmp_path: Path) -> None:
    place, made = buckets.new(), tmp_path / "made"
    write_asset(made, "tea/cup/a #1.png", picture("red"), thumbnail=picture("red", form="WEBP"))
    write_asset(made, "tea/cup/b.mp4", bytes(range(256)) * 40, "video/mp4")
    async with Store.lease(place) as store:
        for file in sorted(made.rglob("*")):
            if file.is_file():
                await store.files.put(file, file.relative_to(made).as_posix())

    async with served(place) as client:
        told = await shown(client)
        one, film = sorted(told["assets"], key=lambda asset: asset["path"])
        for address, content in ((one["href"], picture("red")), (one["thumbnail"], picture("red", form="WEBP"))):
            answer = await client.get(f"default/{address}")
            assert (answer.status_code, answer.content) == (200, content)
        part = await client.get(f"default/{film['href']}", headers={"range": "bytes=256-511"})
        assert (part.status_code, part.content) == (206, bytes(range(256)))
        assert (await put_up(client, "cup.png", picture("blue"))).json() == {"path": "uploads/cup.png"}
        now = (await client.get("default/.genmedia/live", params={"since": told["live"]["version"]})).json()
        assert [asset["path"] for asset in now["assets"]] == ["uploads/cup.png"]
        everything = (await client.get("default/")).text + (await client.get("default/.genmedia/gallery-data.js")).text
    assert place.secret not in everything
    assert place.endpoint not in everything


async def say(client: httpx.AsyncClient, *reviews: dict[str, Any], who: str = "Ann", **headers: str) -> httpx.Response:
    """What a person says in the page."""
    told = {"content-type": "application/json", "origin": ORIGIN, **headers}
    return await client.post("default/.genmedia/reviews", content=json.dumps({"who": who, "reviews": reviews}), headers=told)


async def test_a_verdict_stands_in_the_journal_at_once_and_everybody_who_looks_hears_of_it_once(tmp_path: Path) -> None:
    write_asset(tmp_path, "tea/cup/a.png", picture("red"), request={"prompt": "a cup"})
    decided: list[bool] = []
    async with served(tmp_path, decided=lambda: decided.append(True)) as client:
        version = (await shown(client))["live"]["version"]

        async def hear(heard: object) -> dict[str, Any]:
            told = (await client.get("default/.genmedia/live", params={"since": version, "heard": str(heard)})).json()
            return {name: value for name, value in told.items() if name != "version"}

        assert await hear(0) == {}
        assert not (tmp_path / ".genmedia/journal.db").exists(), "who only looks makes no journal"

        assert (await say(client, {"path": "tea/cup/a.png", "verdict": "keep"})).status_code == 204
        assert decided == [True], "who looks after what waits for it is told"
        words = {"why": "<b>no</b> handle", "prompt": "a jug"}
        assert (await say(client, {"path": "tea/cup/a.png", "verdict": "retake", **words}, who="Ben")).status_code == 204
        async with Journal.lease(Kept(Place(str(tmp_path))).journal_url) as journal:
            (review,) = await journal.reviews.standing_in("tea")
        assert (review.opinion.verdict, review.opinion.who, review.opinion.prompt) == ("retake", "Ben", "a jug")

        told = await hear(0)
        assert [(one["who"], one["verdict"], one.get("why")) for one in told["reviews"]] == [
            ("Ann", "keep", None),
            ("Ben", "retake", "<b>no</b> handle"),
        ]
        assert [one["who"] for one in (await hear(told["reviews"][0]["id"]))["reviews"]] == ["Ben"]
        assert await hear(told["heard"]) == {}
        assert len((await hear("no number"))["reviews"]) == 2


@pytest.mark.parametrize(
    ("review", "told"),
    [
        ({"path": "tea/cup/a.png"}, "tea/cup/a.png: there is neither a verdict nor a comment."),
        ({"path": "tea/cup/a.png", "verdict": "maybe"}, "This cannot be said so: reviews.1.verdict "),
        ({"path": "tea/cup/a.png", "verdict": "keep", "prompt": "a jug"}, "tea/cup/a.png: a prompt is for a retake."),
        ({"path": "tea/cup/a.png", "verdict": "keep", "at": "now"}, "This cannot be said so: reviews.1.at "),
        ({"path": "../a.png", "verdict": "keep"}, "../a.png: is no asset that is shown here."),
        ({"path": "quarantine/a", "verdict": "keep"}, "quarantine/a: is no asset that is shown here."),
        (
            {"path": "uploads/mine.png", "verdict": "keep"},
            "uploads/mine.png: nobody decides on what a person put into the store.",
        ),
    ],
)
async def test_what_cannot_be_said_is_refused_with_the_reason_and_nothing_is_written(
    tmp_path: Path, review: dict[str, Any], told: str
) -> None:
    write_asset(tmp_path, "tea/cup/a.png", picture("red"), request={"prompt": "a cup"})
    decided: list[bool] = []
    async with served(tmp_path, decided=lambda: decided.append(True)) as client:
        await put_up(client, "mine.png", picture("blue"))
        answer = await say(client, {"path": "tea/cup/a.png", "verdict": "keep"}, review)
        assert (answer.status_code, answer.text[: len(told)], decided) == (422, told, [])
    async with Journal.lease(Kept(Place(str(tmp_path))).journal_url) as journal:
        assert await journal.reviews.history() == []


async def test_only_the_page_itself_says_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_asset(tmp_path, "tea/cup/a.png", picture("red"))
    good = {"path": "tea/cup/a.png", "verdict": "keep"}
    async with served(tmp_path, signed_in=False) as stranger:
        assert (await say(stranger, good)).status_code == 401
    async with served(tmp_path) as client:
        for origin in ("http://evil.example", "null", "http://127.0.0.1:9999"):
            assert (await say(client, good, origin=origin)).status_code == 403
        for kind in ("text/plain", "application/x-www-form-urlencoded", ""):  # what a form of another page can send
            assert (await say(client, good, **{"content-type": kind})).status_code == 415
        monkeypatch.setattr(serving, "REVIEWS_BYTES", 100)
        assert (await say(client, {**good, "why": "x" * 100})).status_code == 413
        assert (await client.get("default/.genmedia/reviews")).status_code in (404, 405)
    assert not (tmp_path / ".genmedia/journal.db").exists()


async def test_a_journal_that_cannot_be_read_hides_no_asset_and_is_told(tmp_path: Path) -> None:
    write_asset(tmp_path, "tea/cup/a.png", picture("red"))
    (tmp_path / ".genmedia").mkdir()
    (tmp_path / ".genmedia/journal.db").write_text("this is no database, and it is longer than a header of one would be")
    async with served(tmp_path) as client:
        assert len((await shown(client))["assets"]) == 1
        told = (await client.get("default/.genmedia/live")).json()
        assert [one["path"] for one in told["assets"]] == ["tea/cup/a.png"]
        assert "the journal" in told["unheard"]
        assert (await say(client, {"path": "tea/cup/a.png", "verdict": "keep"})).status_code == 502


async def test_a_link_with_the_token_lets_in_and_leaves_nothing_of_it_in_the_address(tmp_path: Path) -> None:
    write_asset(tmp_path, "tea/cup/a.png", picture("red"))
    async with served(tmp_path, signed_in=False, access=Access("the-token", by_link=True)) as client:
        for path in ("default/", "default/tea/cup/a.png", "default/.genmedia/live", "nobody/", ""):
            assert (await client.get(path)).status_code == 403
        for wrong in ("", "the-token ", "the-toke", "guessed"):
            assert (await client.get("default/", params={"token": wrong})).status_code in (403, 429)
        assert not client.cookies
        assert (await say(client, {"path": "tea/cup/a.png", "verdict": "keep"})).status_code in (403, 429)

    async with served(tmp_path, signed_in=False, access=Access("the-token", by_link=True)) as client:
        entered = await client.get("default/", params={"token": "the-token"})
        assert {"HttpOnly", "SameSite=strict"} <= set(entered.headers["set-cookie"].split("; "))
        assert "the-token" not in entered.text + str(entered.headers)
        assert entered.headers["referrer-policy"] == "no-referrer"
        assert "location.origin + location.pathname" in entered.text
        assert (await client.get("default/tea/cup/a.png")).status_code == 200
        assert (await client.post("default/", data={"password": "the-token"}, headers={"origin": ORIGIN})).status_code == 405
        (name,) = client.cookies
        kept = client.cookies[name]

    async with served(tmp_path, signed_in=False, access=Access("the-token", by_link=True)) as client:
        client.cookies.set(name, kept)
        assert (await client.get("default/")).status_code == 403, "the next start of the server knows no cookie of this one"


async def test_whoever_tries_passwords_waits_longer_each_time_and_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(sign_in, "monotonic", lambda: now)
    access = Access(KEY)
    own = {"authorization": f"Basic {b64encode(KEY.encode()).decode()}"}
    async with served(tmp_path, signed_in=False, access=access) as client:

        async def guess(password: str = "guessed") -> httpx.Response:
            return await client.post("default/", data={"password": password}, headers={"origin": ORIGIN})

        assert [(await guess()).status_code for _ in range(4)] == [401] * 4
        for pause in (1, 2, 4, 8, 16, 32, 60, 60):
            answer = await guess(KEY)
            assert (answer.status_code, answer.headers["retry-after"]) == (429, str(pause)), "the right one does not help either"
            assert (await client.get("default/", headers=own)).status_code == 429
            now += pause
            assert (await guess()).status_code == 401
        other = httpx.ASGITransport(client._transport.app, client=("192.0.2.7", 9))  # type: ignore[attr-defined]
        async with httpx.AsyncClient(transport=other, base_url=client.base_url) as elsewhere:
            assert (await elsewhere.get("default/", headers=own)).status_code == 200
        now += 60
        assert (await guess(KEY)).status_code == 303
        assert (await guess()).status_code == 401
        assert (await client.get("default/")).status_code == 200, "who was let in is not kept out"
