"""The page of a delivery in a real browser, opened from the disk."""

from pathlib import Path

from playwright.sync_api import Browser

from tests.commands import genmedia
from tests.end_to_end.browser.galleries import opened
from tests.example_assets import film, pack_glb, picture, pyramid, write_asset

TITLE = "<img src=x onerror=alert(1)> & co"


def test_pictures_are_shown_text_is_text_and_no_script_runs(chromium: Browser, tmp_path: Path) -> None:
    root = tmp_path / "media"
    small = picture("teal", (48, 32), "WEBP")
    write_asset(root, "mugs/hero/a.png", picture("teal"), thumbnail=small, request={"prompt": "<script>alert(2)</script> a mug"})
    write_asset(root, "mugs/square/b.png", picture("red", (300, 300)), labels={"client": "Acmé"})
    write_asset(root, "mugs/film/c.mp4", film(root / "c.mp4"), "video/mp4", thumbnail=small)
    write_asset(root, "mugs/model/d.glb", pack_glb(*pyramid()), "model/gltf-binary")
    words = ("--folder", str(root), "--to", str(tmp_path / "out"), "--names", "{step}/file.{ext}", "--title", TITLE)
    done = genmedia("deliver", "mugs", *words, PREFECT_API_URL="")
    assert done.returncode == 0, done.stderr

    noise: list[str] = []
    with opened(tmp_path / "out/index.html", chromium, noise, java_script_enabled=False) as page:
        assert page.locator("figure").count() == 4
        assert page.locator("figure strong").all_inner_texts() == [TITLE] * 4
        page.get_by_text("Prompt").click()
        assert page.locator("details p").inner_text() == "<script>alert(2)</script> a mug"
        links = [page.locator("a.picture").nth(number).get_attribute("href") or "" for number in range(4)]
        assert all((tmp_path / "out" / link).is_file() for link in links)
        boxes = [page.locator("a.picture").nth(number).bounding_box() for number in range(4)]
        assert len({(box["width"], box["height"]) for box in boxes if box}) == 1, "each has the same frame, whatever its shape"
    with opened(tmp_path / "out/index.html", chromium, noise) as page:
        shown = page.locator("img").evaluate_all(
            "(all) => Promise.all(all.map((one) => one.decode().then(() => one.naturalWidth)))"
        )
        assert sorted(shown) == [48, 48, 300]
        page.set_viewport_size({"width": 360, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
