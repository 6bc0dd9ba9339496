"""Providers are found by one line each, or by the entry point of an installed package; what two claim is refused with both."""

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from genmedia.errors import SettingsError
from genmedia.providers.registry import BUILT_IN, kinds, providers


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """A folder that packages are installed in."""
    monkeypatch.syspath_prepend(tmp_path)
    for found in (providers, kinds):
        found.cache_clear()
    yield tmp_path
    for found in (providers, kinds):
        found.cache_clear()


def install(site: Path, provider: str, package: str, tag: str) -> None:
    facts = site / f"{package}-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
    (facts / "entry_points.txt").write_text(f"[genmedia.providers]\n{provider} = {package}\n")
    (site / package).mkdir()
    (site / package / "__init__.py").touch()
    (site / package / "steps.py").write_text(
        "from genmedia.providers.algovera.steps import Pictures\n"
        f"class Others(Pictures):\n    provider, tag = {provider!r}, {tag!r}\n"
        f"KINDS, TITLE = (Others(),), {provider.title()!r}\n"
    )
    sys.modules.pop(f"{package}.steps", None)


def test_the_providers_of_this_project_are_there() -> None:
    assert set(BUILT_IN) <= set(providers())
    assert {kind.provider for kind in kinds()} >= set(BUILT_IN)


def test_a_package_brings_one(site: Path) -> None:
    install(site, "fifth", "genmedia_fifth", "fifth_model")

    assert providers()["fifth"].title == "Fifth"
    assert ("fifth", "fifth_model") in [(kind.provider, kind.tag) for kind in kinds()]


def test_a_package_that_calls_its_provider_as_one_of_these_is_refused(site: Path) -> None:
    install(site, "flora", "genmedia_other_flora", "other")

    with pytest.raises(
        SettingsError, match=r"two providers are called flora: genmedia\.providers\.flora\.steps and genmedia_other"
    ):
        providers()


def test_a_package_whose_steps_would_be_taken_for_anothers_is_refused(site: Path) -> None:
    install(site, "sixth", "genmedia_sixth", "technique")

    with pytest.raises(SettingsError, match="two kinds of steps have the field technique: flora and sixth"):
        kinds()
