import io
import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Frame, Locator, Page, expect

from tests.end_to_end.browser.galleries import CHROMIUM, PLAYED, choice, opened, tile
from tests.example_assets import draw_gallery, film, pack_glb, picture, pyramid, times, write_asset

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=\"document.title='taken'\">"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two campaigns: a chain of two steps with a video and a text, and one older picture with a hostile name."""
    root = tmp_path / "my media"
    lit = write_asset(
        root,
        "coffee/light/lit #1.png",
        picture("orange"),
        thumbnail=picture("orange", form="WEBP"),
        operation="technique:relight-technique",
        inputs=[{"id": "input_image", "sha256": "c" * 64, "from": "photos/cup.jpg"}],
        times=times(10),
    )
    fed = [{"id": "input_image", "sha256": lit, "from": "step light, output_image"}]
    write_asset(
        root,
        "coffee/clip/clip.mp4",
        film(tmp_path / "film.mp4"),
        "video/mp4",
        thumbnail=picture("grey", form="WEBP"),
        operation="technique:product-motion",
        inputs=[*fed, {"id": "prompt", "text": "slowly & calmly </script>", "from": "the chain"}],
        times=times(11),
        cost={"price": 0.5, "charged": 0.25, "unit": "USD"},
        output={"id": "output_video", "kind": "video"},
    )
    both: dict[str, Any] = {
        "submission_key": "d" * 64,
        "inputs": fed,
        "operation": "technique:art-directors-critique",
        "times": times(12),
    }
    write_asset(
        root, "coffee/critique/critique.txt", b"Warmer light.\nLess table.", "text/plain", output={"id": "critique"}, **both
    )
    write_asset(root, "coffee/critique/redesign.png", picture("navy"), output={"id": "redesign"}, **both)
    write_asset(root, "older/blur/blurred.png", picture("teal"), campaign=HOSTILE, times=times(1))
    (root / "coffee" / "torn.png").write_bytes(picture("teal"))
    (root / "coffee" / "torn.png.json").write_text('{"schema": "genmedia.sidecar')
    return root


@pytest.fixture
def noise() -> list[str]:
    """What the page should not have done: errors it wrote, and requests for anything but files."""
    return []


@pytest.fixture
def page(root: Path, chromium: Browser, noise: list[str]) -> Generator[Page]:
    with opened(draw_gallery(root), chromium, noise) as page:
        yield page


def test_every_picture_is_shown_from_the_disk(page: Page) -> None:
    for image in page.locator("main img").all():
        image.scroll_into_view_if_needed()
    widths = page.locator("main img").evaluate_all(
        "(images) => Promise.all(images.map((image) => image.decode().then(() => image.naturalWidth)))"
    )
    assert len(widths) == 4
    assert all(widths)


def test_a_video_plays_when_pointed_at_and_stops_after(page: Page) -> None:
    tile(page, "coffee/clip/clip.mp4").hover()
    video = page.locator("main video")
    assert video.evaluate(PLAYED) > 0
    assert video.evaluate("(video) => video.muted")
    page.locator("h1").hover()
    expect(video).to_have_count(0)


def test_a_video_plays_with_controls_in_the_large_view(page: Page) -> None:
    tile(page, "coffee/clip/clip.mp4").locator(".frame").click()
    video = page.locator("#stage video")
    assert video.evaluate("(video) => video.controls")
    video.evaluate("(video) => video.play()")
    assert video.evaluate(PLAYED) > 0
    assert video.evaluate("(video) => video.readyState") >= 2


def test_an_input_is_the_asset_that_is_named_also_where_others_are_equal_or_its_bytes_were_changed(
    tmp_path: Path, chromium: Browser, noise: list[str]
) -> None:
    same, came_as = picture("teal"), "e" * 64
    digest = write_asset(tmp_path, "one/hero/a.png", same, times=times(1), request={"seed": 0})
    write_asset(tmp_path, "two/hero/b.png", same, times=times(9), request={"seed": 1})
    embedded = {"sha256": "f" * 64, "original_sha256": came_as, "bytes": 9, "media_type": "image/png"}
    write_asset(
        tmp_path,
        "one/hero/d.png",
        picture("red"),
        file={**embedded, "path": "one/hero/d.png"},
        times=times(2),
        request={"seed": 2},
    )
    fed = [
        {"id": "image", "sha256": digest, "asset": "one/hero/a.png"},
        {"id": "style", "sha256": came_as, "from": "step hero"},
    ]
    write_asset(tmp_path, "two/clip/c.png", picture("navy"), inputs=fed, times=times(5), request={"seed": 3})

    with opened(draw_gallery(tmp_path), chromium, noise) as page:
        tile(page, "two/clip/c.png").locator(".frame").click()
        parents = [one.get_attribute("title") for one in page.locator("#facts .kin").all()]
        page.keyboard.press("Escape")
        tile(page, "one/hero/d.png").locator(".frame").click()
        children = [one.get_attribute("title") for one in page.locator("#facts .kin").all()]

    assert parents == ["one/hero/a.png", "one/hero/d.png"]
    assert children == ["two/clip/c.png"]


def test_a_click_shows_where_an_asset_came_from(page: Page) -> None:
    tile(page, "coffee/light/lit #1.png").locator(".frame").click()
    facts = page.locator("#facts")
    for known in (
        *("light", "coffee", "flora", "output_image", "relight-technique", "3 credits", "cup.jpg", "29 s", "j57abc"),
        *("1 Mar 2026, 13:10:31", "image/png", "96 \N{MULTIPLICATION SIGN} 64", "coffee/light/lit #1.png"),
    ):
        expect(facts).to_contain_text(known)
    assert page.locator("#stage img").evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 96
    sidecar = page.get_by_role("link", name="Sidecar")
    assert (sidecar.get_attribute("href") or "").endswith("lit%20%231.png.json")
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()
    expect(tile(page, "coffee/light/lit #1.png").locator(".frame")).to_be_focused()


def test_an_input_leads_to_the_asset_it_was_and_back(page: Page) -> None:
    tile(page, "coffee/clip/clip.mp4").locator(".frame").click()
    expect(page.locator("#facts")).to_contain_text("slowly & calmly </script>")
    page.locator("#facts").get_by_role("button", name="light").click()
    expect(page.locator("#name")).to_have_text("light")
    page.locator("#facts").get_by_role("button", name="clip").click()
    expect(page.locator("#facts")).to_contain_text("product-motion")


def test_what_was_asked_for_is_told_and_the_other_takes_are_a_click_away(root: Path, chromium: Browser, noise: list[str]) -> None:
    for take in (1, 2):
        asked = {"prompt": "a cup <b>by the window</b>", "seed": 7, "inputs": [{"id": "image", "sha256": "c" * 64}]}
        write_asset(root, f"coffee/paint/{take}.png", picture("teal"), take=take, request=asked, times=times(12 + take))
    with opened(draw_gallery(root), chromium, noise) as page:
        tile(page, "coffee/paint/1.png").locator(".frame").click()
        facts = page.locator("#facts")
        expect(facts.locator("dd").get_by_text("a cup <b>by the window</b>", exact=True)).to_be_visible()
        facts.get_by_text("The whole request").click()
        expect(facts.locator("pre")).to_contain_text('"seed": 7')
        page.get_by_role("button", name="paint · take 2").click()
        expect(facts).to_contain_text("coffee/paint/2.png")
        page.get_by_role("button", name="Compare takes").click()
        expect(page.locator("#panes figure")).to_have_count(2)
        page.locator("#panes figure").nth(0).get_by_role("button", name="Details").click()
        expect(page.locator("#compare")).to_be_hidden()
        expect(facts).to_contain_text("coffee/paint/1.png")


def test_a_file_in_quarantine_is_shown_with_its_reason_and_no_way_to_open_it(
    root: Path, chromium: Browser, noise: list[str]
) -> None:
    evidence = {"provider": "genova", "account": "genova|https://genova.example|default", "operation": "image", "remote_id": "j1"}
    evidence |= {"submission_key": "e" * 64, "attempt": 1, "take": 1, "output": "result", "sha256": "a" * 64, "bytes": 12}
    (root / "quarantine").mkdir()
    (root / "quarantine" / "odd-1").write_text("<script>document.title = 'taken'</script>")
    (root / "quarantine" / "odd-1.json").write_text(json.dumps(evidence | {"what": "the picture is cut short"}))
    with opened(draw_gallery(root), chromium, noise) as page:
        choice(page, "Status", "quarantined").click()
        expect(page.locator(".tile")).to_have_count(1)
        expect(page.locator(".tile")).to_contain_text("the picture is cut short")
        page.locator(".tile .frame").click()
        expect(page.locator("#stage")).to_contain_text("kept in quarantine")
        expect(page.locator("#facts .warning")).to_have_text("the picture is cut short")
        links = page.locator("#facts a").evaluate_all("(links) => links.map((link) => link.getAttribute('href'))")
        assert links == ["quarantine/odd-1.json"]


def test_arrow_keys_and_buttons_turn_the_pages_round(page: Page) -> None:
    tile(page, "coffee/light/lit #1.png").locator(".frame").click()
    position = page.locator("#position")
    expect(position).to_have_text("1 of 5")
    page.keyboard.press("ArrowRight")
    expect(position).to_have_text("2 of 5")
    page.get_by_role("button", name="Next").click()
    expect(position).to_have_text("3 of 5")
    expect(page.locator("#stage pre")).to_have_text("Warmer light.\nLess table.")
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    expect(position).to_have_text("5 of 5")
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#detail")).to_be_hidden()


def test_the_head_adds_what_was_charged_once_a_job_by_provider_and_unit(root: Path, chromium: Browser, noise: list[str]) -> None:
    for provider, cost in (("genova", {"charged": 1.0, "unit": "credits"}), ("generio", {"unit": "credits"})):
        account = f"{provider}|https://{provider}.example|default"
        write_asset(root, f"cups/{provider}/cup.png", picture("teal"), provider=provider, account=account, cost=cost)
    with opened(draw_gallery(root), chromium, noise) as page:
        told = "flora 9 credits · flora 0.25 USD · generio unknown · genova 1 credit"
        expect(page.locator("#counts")).to_have_text(f"7 assets · 3 campaigns · {told}")


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("coffee", "4 of 5 assets · 1 campaign · flora 6 credits · flora 0.25 USD"),
        ("Product-Mo", "1 of 5 assets · 1 campaign · flora 0.25 USD"),
        ("coffee critique", "2 of 5 assets · 1 campaign · flora 3 credits"),
    ],
)
def test_the_filter_narrows_by_campaign_step_and_technique(page: Page, words: str, left: str) -> None:
    page.get_by_role("searchbox").fill(words)
    expect(page.locator("#counts")).to_have_text(left)
    expect(page.locator(".tile")).to_have_count(int(left[0]))


def test_the_buttons_for_marks_stay_within_their_column(page: Page) -> None:
    ends = {
        name: page.locator(name).evaluate("(element) => element.getBoundingClientRect().right")
        for name in ("#own", "#export", "#import")
    }

    assert max(ends["#export"], ends["#import"]) <= ends["#own"]


def test_a_filter_that_nothing_fits_says_so(page: Page) -> None:
    page.get_by_role("searchbox").fill("no such thing")
    expect(page.locator("#nothing")).to_have_text("Nothing here fits the filter.")
    expect(page.locator(".head")).to_have_count(0)


def test_a_hostile_name_is_shown_as_it_is(page: Page) -> None:
    expect(page.locator("h2").filter(has_text="onerror")).to_have_text(HOSTILE)
    expect(page).to_have_title("my media")


def test_what_was_left_out_is_counted_and_named(page: Page) -> None:
    page.get_by_text("1 file left out").click()
    expect(page.locator("#left-out")).to_contain_text("coffee/torn.png.json")


def test_code_that_is_not_the_pages_own_does_not_run(page: Page, noise: list[str]) -> None:
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.taken = 1' }))")
    assert page.evaluate("window.taken") is None
    refused = page.evaluate("fetch('http://127.0.0.1:9/').then(() => false, () => true)")
    assert refused
    assert len(noise) >= 2
    assert all(re.search("Content Security Policy|Fetch API cannot load", line) for line in noise), noise
    noise.clear()


# Models


def with_model(root: Path, content: bytes) -> Path:
    """The root, and a model in it that was made last."""
    write_asset(
        root,
        "chairs/model/chair.glb",
        content,
        "model/gltf-binary",
        thumbnail=picture("teal", (480, 360), "WEBP"),
        operation="model_generate_fromprompt",
        times=times(30),
        output={"id": "chair"},
        cost={"unit": "credits"},
    )
    return root


def stage_of(page: Page) -> Locator:
    tile(page, "chairs/model/chair.glb").locator(".frame").click()
    return page.locator("#stage")


def pixels(stage: Locator) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(stage.screenshot())) as shot:
        return np.asarray(shot.convert("RGB"))


def viewer_in(page: Page) -> Frame:
    return next(frame for frame in page.frames if frame.url.endswith("viewer.html"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_model_is_drawn_on_the_pages_own_ground_and_turns_when_dragged(
    root: Path, chromium: Browser, noise: list[str], scheme: str
) -> None:
    with_model(root, pack_glb(*pyramid()))
    with opened(draw_gallery(root), chromium, noise, color_scheme=scheme, reduced_motion="reduce") as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        stage = stage_of(page)
        expect(page.locator(".turning")).to_be_visible()
        expect(stage.locator("img")).to_be_hidden()
        before = pixels(stage)
        middle = before[before.shape[0] // 2 - 5, before.shape[1] // 2]
        assert middle[0] > middle[1] + 40  # the pyramid is red
        assert (before[3, 3].mean() > 200) == (scheme == "light")
        box = stage.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 2 + 120, box["y"] + box["height"] / 2 + 40, steps=4)
        page.mouse.up()
        while (pixels(stage) == before).all():
            pass  # the frame draws when the browser lets it; the test's own deadline ends this
        assert len([url for url in asked if "/models/" in url]) == 2


def test_a_model_turns_by_itself_until_it_is_touched(root: Path, chromium: Browser, noise: list[str]) -> None:
    with_model(root, pack_glb(*pyramid()))
    with opened(draw_gallery(root), chromium, noise) as page:
        stage = stage_of(page)
        expect(page.locator(".turning")).to_be_visible()
        first = pixels(stage)
        while (pixels(stage) == first).all():
            pass
        page.frame_locator("#stage iframe").locator("canvas").click()
        while not (pixels(stage) == pixels(stage)).all():
            pass


def test_a_texture_is_drawn_without_a_network(root: Path, chromium: Browser, noise: list[str]) -> None:
    document, binary = pyramid()
    content = picture("lime")
    document["accessors"].append({"bufferView": 2, "componentType": 5126, "count": 5, "type": "VEC2"})
    document["bufferViews"] += [
        {"buffer": 0, "byteOffset": 96, "byteLength": 40},
        {"buffer": 0, "byteOffset": 136, "byteLength": len(content)},
    ]
    document |= {"images": [{"bufferView": 3, "mimeType": "image/png"}], "textures": [{"source": 0}]}
    document["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, "metallicFactor": 0}}]
    document["buffers"] = [{"byteLength": 136 + len(content)}]
    document["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"] = 2
    with_model(root, pack_glb(document, binary + bytes(40) + content))
    with opened(draw_gallery(root), chromium, noise, reduced_motion="reduce") as page:
        stage = stage_of(page)
        expect(page.locator(".turning")).to_be_visible()
        shot = pixels(stage).astype(int)
        middle = shot[shot.shape[0] // 2 - 5, shot.shape[1] // 2]
        assert middle[1] > middle[0] + 40


def test_keys_pressed_on_a_model_turn_the_pages_and_close_them(root: Path, chromium: Browser, noise: list[str]) -> None:
    with_model(root, pack_glb(*pyramid()))
    with opened(draw_gallery(root), chromium, noise, reduced_motion="reduce") as page:
        stage_of(page)
        canvas = page.frame_locator("#stage iframe").locator("canvas")
        expect(page.locator(".turning")).to_be_visible()
        canvas.focus()
        page.keyboard.down("ArrowRight")  # the frame is gone before the key is up
        expect(page.locator("#position")).to_have_text("2 of 6")
        page.keyboard.up("ArrowRight")
        page.get_by_role("button", name="Previous").click()
        expect(page.locator(".turning")).to_be_visible()
        canvas.focus()
        page.keyboard.down("Escape")
        expect(page.locator("#detail")).to_be_hidden()
        page.keyboard.up("Escape")
        expect(page.locator("iframe")).to_have_count(0)
        expect(tile(page, "chairs/model/chair.glb").locator(".frame")).to_be_focused()


def test_a_models_facts_stand_beside_it_and_a_chip_shows_models_only(root: Path, chromium: Browser, noise: list[str]) -> None:
    content = pack_glb(*pyramid())
    with_model(root, content)
    sidecar = root / "chairs/model/chair.glb.json"
    known = json.loads(sidecar.read_text())
    known["file"] |= {"triangles": 12345, "vertices": 6789, "extents": [2, 3.5, 4]}
    sidecar.write_text(json.dumps(known))
    with opened(draw_gallery(root), chromium, noise, reduced_motion="reduce") as page:
        choice(page, "Type", "model").click()
        expect(page.locator(".tile")).to_have_count(1)
        expect(page.locator(".tile")).to_contain_text("12,345 triangles")
        stage_of(page)
        facts = page.locator("#facts")
        for told in ("12,345 \N{MIDDLE DOT} 6,789 vertices", "2 \N{MULTIPLICATION SIGN} 3.5 \N{MULTIPLICATION SIGN} 4 m"):
            expect(facts).to_contain_text(told)


def test_what_draws_a_model_has_no_way_out_of_its_frame(root: Path, chromium: Browser, noise: list[str]) -> None:
    with_model(root, pack_glb(*pyramid()))
    with opened(draw_gallery(root), chromium, noise, reduced_motion="reduce") as page:
        stage_of(page)
        expect(page.locator(".turning")).to_be_visible()
        frame = viewer_in(page)
        assert frame.evaluate("origin") == "null"
        for way in (
            "fetch('http://127.0.0.1:9/')",
            f"fetch('{page.url}')",
            "Promise.resolve().then(() => parent.document.title)",
        ):
            assert frame.evaluate(f"{way}.then(() => false, () => true)"), way
        assert all("Content Security Policy" in line or "Fetch API cannot load" in line for line in noise), noise
        noise.clear()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"glTF of another age", "This viewer cannot show the model"),
        (
            (Path(__file__).parents[2] / "media" / "draco.glb").read_bytes(),
            "This viewer does not unpack draco; the file is whole",
        ),
        ((Path(__file__).parents[2] / "media" / "meshopt.glb").read_bytes(), "This viewer does not unpack meshopt"),
    ],
    ids=["old", "draco", "meshopt"],
)
def test_a_model_that_the_viewer_cannot_read_keeps_its_picture_and_says_why(
    root: Path, chromium: Browser, noise: list[str], content: bytes, says: str
) -> None:
    with_model(root, content)
    with opened(draw_gallery(root), chromium, noise) as page:
        stage = stage_of(page)
        expect(stage).to_contain_text(says)
        expect(stage.locator("img")).to_be_visible()
        noise.clear()


def test_without_webgl_the_picture_of_a_model_stays_and_a_line_says_why(root: Path, chromium: Browser, noise: list[str]) -> None:
    with_model(root, pack_glb(*pyramid()))
    flat = chromium.browser_type.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-3d-apis"])
    with opened(draw_gallery(root), flat, noise) as page:
        stage = stage_of(page)
        expect(stage).to_contain_text("it has no WebGL")
        expect(stage.locator("img")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#detail")).to_be_hidden()
    flat.close()


def test_what_several_campaigns_use_is_found_by_each_and_says_so(root: Path, chromium: Browser, noise: list[str]) -> None:
    uses: list[dict[str, Any]] = [{"campaign": HOSTILE, "step": "cover", "labels": {}, "since": times(2)["stored"]}]
    write_asset(root, "tea/pour/poured.png", picture("olive"), times=times(3), uses=uses)
    with opened(draw_gallery(root), chromium, noise) as page:
        expect(choice(page, "Campaign", "tea")).to_contain_text("1")
        page.locator("#facets [data-value]").evaluate_all(
            "(all, name) => all.find((one) => one.dataset.value === name).click()", HOSTILE
        )
        expect(page.locator("#counts")).to_contain_text("2 of 6 assets")
        tile(page, "tea/pour/poured.png").locator(".frame").click()
        expect(page.locator("#name")).to_have_text("pour")
        expect(page.locator("#facts")).to_contain_text(f"also used by {HOSTILE} · cover")
