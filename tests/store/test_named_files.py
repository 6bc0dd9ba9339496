"""Files as people name them: one parser for every place where one may stand."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from genmedia.campaign.plan import plan_steps
from genmedia.jobs.job import Account
from genmedia.media.conversion import conversion
from genmedia.providers.generio.client import Template
from genmedia.providers.generio.steps import Flows, GenerioStep, load_material
from genmedia.providers.generio.templates import TemplateInput
from genmedia.providers.genova.client import GenovaClient
from genmedia.providers.inputs import ResolvedInput
from genmedia.providers.steps import Operation
from genmedia.store import Place, Store
from genmedia.store.named_files import Files, files_at_hand, look_at, path_below
from genmedia.transport.origins import Origins
from genmedia.transport.session import Session
from tests.photos import encode, photo
from tests.sandboxes import Sandbox

ASSET = "launch/look 1/output_image.png"


@pytest.fixture(params=["folder", "bucket"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    root = str(tmp_path / "store") if request.param == "folder" else f"memory://named-{uuid4().hex}"
    async with Store.lease(Place(root)) as store:
        picture = tmp_path / "it.png"
        photo().save(picture)
        await store.files.put(picture, ASSET)
        yield store


async def look(names: list[str], store: Store, http: Session | None = None) -> Files:
    async with files_at_hand(names, store, http) as files:
        return await look_at(files)


async def test_a_file_on_this_machine_is_meant_by_its_path_its_address_and_either_in_quotes(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "my photo.png"
    photo().save(path)
    names = ["my photo.png", str(path), path.as_uri(), "~/my photo.png"]

    files = await look([TemplateInput(file=f' "{name}"\n').file or "" for name in names], store)

    assert files.wrong == {}
    assert [(one.path, one.asset, one.facts.media_type) for one in files.found.values()] == [(path, "", "image/png")] * 4


async def test_an_asset_is_meant_by_its_name_its_path_in_the_gallery_and_the_stores_address_of_it(store: Store) -> None:
    names = [f"store:{ASSET}", ASSET] + ([] if store.label.startswith("/") else [store.files.address(ASSET)])

    files = await look(names, store)

    assert files.wrong == {}
    assert {(one.asset, one.origin, one.facts.width) for one in files.found.values()} == {(ASSET, f"store:{ASSET}", 96)}
    assert {path_below(name, store) for name in [*names, store.files.address(ASSET)]} == {ASSET}


async def test_a_path_on_this_machine_comes_before_the_same_in_the_gallery(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ASSET).parent.mkdir(parents=True)
    photo().save(tmp_path / ASSET)

    files = await look([ASSET], store)

    assert files.found[ASSET].path == tmp_path / ASSET


async def test_what_is_wrong_with_each_name_is_told_by_that_name(store: Store, tmp_path: Path) -> None:
    names = {
        "gone.png": "is not there",
        "store:gone.png": "is not there",
        "store:../it.png": "is not there",
        "../it.png": "is not there",
        "s3://elsewhere/gone.png": f"is not there: the store is {store.label}",
        "file://elsewhere/a.png": "is on another machine",
        str(tmp_path): "is a folder",
        "a\0b.png": "names no file",
        "\ud800.png": "names no file",
        "store:\ud800.png": "names no file",
        "": "names no file",
        "https://example.com/a.png": "cannot be fetched: nothing is fetched here",
    }

    assert (await look([*names], store)).wrong == names


@pytest.fixture
async def genova(sandbox: Sandbox) -> AsyncIterator[GenovaClient]:
    account = sandbox.new_account("genova")
    async with GenovaClient.lease(Account("genova", account["base_url"], account["account"]), account["api_key"]) as client:
        yield client


async def test_an_address_is_fetched_and_held_while_it_is_needed(sandbox: Sandbox, genova: GenovaClient, tmp_path: Path) -> None:
    url = f"{sandbox.media_url}/samples/photo.jpg?signature=abc"
    async with Store.lease(str(tmp_path)) as store:
        async with files_at_hand([url], store, genova.http) as files:
            (one,) = (await look_at(files)).found.values()
            assert one.facts.media_type == "image/jpeg"
            assert one.path.is_file()
            assert one.origin == url.partition("?")[0]
        assert not one.path.exists()
        gone = f"{sandbox.media_url}/files/none.jpg"
        assert "404" in (await look([gone], store, genova.http)).wrong[gone]


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/a.png", "http://example.com/a.png", "https://169.254.169.254/latest", "https://user:word@example.com/"],
)
async def test_an_address_is_fetched_within_the_rules_only(tmp_path: Path, url: str) -> None:
    """As an account that is not a sandbox's has them."""
    base = "https://api.example.com"
    async with AsyncExitStack() as held:
        store = await held.enter_async_context(Store.lease(str(tmp_path)))
        http = Session("genova", base, headers={}, secrets=(), origins=Origins(base), explain=lambda _: ("", ""))
        held.push_async_callback(http.aclose)

        wrong = (await look([url], store, http)).wrong[url]

    assert "may not be fetched" in wrong


TAKES = {"photo": ["image/png", "image/jpeg"], "tiff": ["image/png", "image/jpeg", "image/tiff"], "png": ["image/png"]}


@pytest.mark.parametrize(
    ("form", "takes", "sent"),
    [
        ("HEIF", "photo", "image/jpeg"),
        ("TIFF", "photo", "image/jpeg"),
        ("TIFF", "tiff", "image/tiff"),
        ("BMP", "png", "image/png"),
        ("WEBP", "photo", "image/png"),
    ],
)
@pytest.mark.parametrize("clear", [False, True])
async def test_a_picture_that_a_template_does_not_take_goes_as_what_it_takes(
    tmp_path: Path, form: str, takes: str, sent: str, clear: bool
) -> None:
    made = photo()
    if clear:
        if form == "BMP":
            pytest.skip("BMP is never transparent")
        made.putalpha(100)
        sent = "image/tiff" if sent == "image/tiff" else "image/png"
    (tmp_path / "it").write_bytes(encode(made, form))
    template = Template.model_validate(
        {"id": "a", "name": "a", "input_types": TAKES[takes], "output_types": ["model/gltf-binary"]}
    )
    step = GenerioStep.model_validate({"name": "model", "template": "a", "input": {"file": str(tmp_path / "it")}})
    operation = Flows().operation(step, template, None)
    assert isinstance(operation, Operation)
    async with Store.lease(str(tmp_path / "store")) as store, files_at_hand([str(tmp_path / "it")], store, None) as files:
        (planned,) = plan_steps([step], {"model": operation}, await look_at(files), {})
        (given,) = planned.inputs
        assert isinstance(given, ResolvedInput)
        async with load_material(given, operation, store) as loaded:
            assert loaded.media_type == sent
            assert loaded.file
            (found,) = (await look([str(loaded.file)], store)).found.values()

    assert found.facts.media_type == sent
    assert (found.facts.mode == "RGBA") is clear


def test_what_was_sent_before_is_sent_under_the_same_name() -> None:
    """The names stand in submission keys."""
    assert conversion("image/webp", "RGB", TAKES["photo"]) == "png"
    assert conversion("image/jpeg", "CMYK", ["image/jpg"]) == ""
    assert conversion("model/gltf-binary", "", TAKES["photo"]) == ""
