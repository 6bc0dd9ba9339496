"""The files of a campaign that a store holds, as items of a delivery."""

from collections import Counter
from collections.abc import Collection, Iterable

from genmedia.campaign.delivery.wish import Item
from genmedia.campaign.marks import Marks
from genmedia.errors import SettingsError
from genmedia.provenance.reading import Asset, in_order

_NAMED = 20
"""Most campaigns or steps that are named in a message."""


def stored_items(
    assets: Iterable[Asset], campaign: str, *, steps: Collection[str] = (), marks: Marks | None = None
) -> list[Item]:
    """Find the files of a campaign, those included that were bought for another one and are used by this one.

    A file may be named by the labels of its purchase, such as `{client}`, and by its place in the run, such as `{photo}` or `{seed}`.

    Args:
        assets: All files of the store.
        campaign: Name of the campaign.
        steps: Names of its steps whose files are meant; empty for all.
        marks: A person's marks: what is marked reject or retake is left out.

    Raises:
        SettingsError: There is no such campaign or step.
    """
    some = in_order(assets)
    found = [item for asset in some for item in _items_of(asset, campaign)]
    if not found:
        names = Counter(name for asset in some for name, _ in asset.sidecar.used_by)
        raise SettingsError(f"no file in the store is of a campaign {campaign}", money="", advice=_those("campaigns", names))
    if unknown := sorted({*steps} - {item.step for item in found}):
        names = Counter(item.step for item in found)
        raise SettingsError(f"no file of {campaign} is of a step {unknown[0]}", money="", advice=_those("steps", names))
    given = {(one.submission_key, one.output, one.sha256): one.mark for one in marks.assets} if marks else {}
    items: list[Item] = []
    for item in found:
        mark = given.get((item.sidecar.submission_key, item.sidecar.output.id, item.sidecar.file.sha256), "")
        if mark in ("reject", "retake") or (steps and item.step not in steps):
            continue
        items.append(
            Item(path=item.path, sidecar=item.sidecar, step=item.step, values=item.values, title=item.title, verdict=mark)
        )
    return items


def _items_of(asset: Asset, campaign: str) -> Iterable[Item]:
    """Yield an item for each step of a campaign that a file is of."""
    told = asset.sidecar
    place = {one.name: one.value or str(one.number) for one in told.place if one.name != "step"}
    if told.campaign == campaign:
        yield Item(path=asset.path, sidecar=told, step=told.step, values={**told.labels, **place})
    for use in told.uses:
        if use.campaign == campaign:
            yield Item(path=asset.path, sidecar=told, step=use.step, values=dict(use.labels))


def _those(what: str, names: Counter[str]) -> str:
    shown = ", ".join(name for name, _ in names.most_common(_NAMED))
    return f"The {what} are {shown}{', and more' if len(names) > _NAMED else ''}." if names else "The store has no files."
