"""Display of a flow run in the Prefect UI: tags, a log line for each step, plan, results, a contact sheet; not more, for each costs time."""

import asyncio
import base64
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.client.orchestration import get_client
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from blocks import AssetStore
from genmedia.campaign.forecast import tell_time
from genmedia.campaign.prospect import Prospect
from genmedia.campaign.review import Waiting
from genmedia.errors import StoreError
from genmedia.forms.prompts import prompt_of
from genmedia.gallery.contact_sheet import MOST_TILES, columns_of, make_contact_sheet
from genmedia.jobs.job import priced
from genmedia.journal import StoredAsset
from genmedia.journal.order import FREE
from genmedia.purchasing.budget import Outlook
from genmedia.purchasing.result import Result
from genmedia.store import Store
from genmedia.text.plain import for_markdown

FORM = "Resume, in the menu ⋮ of the run's page, opens a form"
"""Where people find the form in which they decide."""

PLANNED = 200
"""Most steps of a plan that are shown."""


async def tag_flow_run(*names: str) -> None:
    """Add tags to the flow run that calls this; the tags it has from its deployment stay."""
    async with get_client() as client:
        await client.update_flow_run(flow_run.id, tags=sorted({*flow_run.tags, *names}))


async def name_flow_run(name: str) -> None:
    """Rename the flow run that calls this, so that its name says what it did."""
    async with get_client() as client:
        await client.update_flow_run(flow_run.id, name=name)


async def publish_plan(name: str, prospect: Prospect, marked: str, links: str) -> None:
    """Show the purchases planned and those that exist, by provider in the log and item by item in the first artifact of the run.

    Args:
        name: Name of the campaign.
        prospect: What the run would do.
        marked: Sentence about the marks that the run was given; empty without marks.
        links: Markdown about where the files are to be seen.
    """
    foreseen = prospect.foreseen
    by_provider: list[list[str]] = []
    for provider, plan in prospect.plans.items():
        fates = Counter(one.outlook for one in foreseen if one.provider == provider)
        later = fates[Outlook.AFTER_REVIEW]
        left, cost = fates.pop(Outlook.TO_BUY, 0) + later, plan.told if plan.may_cost else "-"
        others = ", ".join(f"{count} {fate}" for fate, count in fates.items())
        told = f"{left} to buy for {cost}" if left else "nothing to buy"
        get_run_logger().info("%s: %s", provider, "; ".join(filter(None, (told, others))))
        by_provider.append([provider, f"{left}", cost, others or "-"])
    if free := Counter(one.outlook for one in foreseen if one.unit == FREE):
        told = ", ".join(f"{count} {fate}" for fate, count in free.items())
        get_run_logger().info("on this machine, free of charge: %s", told)
        by_provider.append(["this machine", "0", "free", told])
    if marked:
        get_run_logger().info("%s", marked)
    costs = {step: priced(cost, plan.unit) for plan in prospect.plans.values() for step, cost in plan.prices.items()}
    items = [
        [one.name, f"{one.provider} {one.operation}", prospect.why.get(one.name) or one.outlook, costs.get(one.name, "-")]
        for one in sorted(foreseen, key=lambda one: one.outlook is Outlook.REUSED)  # what there is already comes last
    ]
    parts = [
        f"# {for_markdown(name)}: the plan",
        for_markdown(_about(prospect)),
        links,
        _table(["provider", "to buy", "for", "the others"], by_provider),
        for_markdown(marked),
        _table(["item", "operation", "why", "price"], items[:PLANNED]),
        f"And {len(items) - PLANNED} more." if len(items) > PLANNED else "",
    ]
    text = "\n\n".join(filter(None, parts))
    await acreate_markdown_artifact(
        markdown=text, key=f"{key_of(name)}-plan", description="What this run buys, reuses and may cost"
    )


def _about(prospect: Prospect) -> str:
    edition = f"Edition {prospect.edition}." if prospect.edition else ""
    if prospect.seconds is not None:
        return f"{edition} It takes about {tell_time(prospect.seconds)}, as such jobs took before.".strip()
    untimed = len(prospect.untimed)
    return (
        f"{edition} {f'How long it takes is not known: {untimed} of the jobs never ran here before.' if untimed else ''}".strip()
    )


def tell_places(name: str, place: str, assets: AssetStore) -> str:
    """Return where the files of a campaign are to be seen, as Markdown: its gallery, while one is served, and where it delivers to."""
    gallery = assets.in_gallery(campaign=name)
    shown = [f"[Open in the gallery]({gallery})."] if gallery else []
    return " ".join([*shown, *([f"Its files are delivered to {for_markdown(place)}."] if place else [])])


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *([for_markdown(one) for one in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


class Markdown(str):
    """A text that is Markdown on purpose, such as a link to a file; text of others in it is escaped already."""

    __slots__ = ()


async def publish_table(rows: Sequence[Mapping[str, Any]], *, key: str, description: str) -> None:
    """Publish a table as an artifact of the run that calls this: Prefect's page shows each cell as Markdown, so texts are escaped for it.

    Args:
        rows: Rows, each with its cells by the title of the column.
        key: Key of the artifact.
        description: Description of the table, as Markdown.
    """
    table = [
        {
            title: for_markdown(cell) if isinstance(cell, str) and not isinstance(cell, Markdown) else cell
            for title, cell in row.items()
        }
        for row in rows
    ]
    await acreate_table_artifact(table=table, key=key, description=description)


def key_of(name: str) -> str:
    """Turn a name into a key that Prefect accepts for an artifact."""
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")


async def publish_results(
    name: str, results: Sequence[Result], assets: AssetStore, store: Store, *, with_sheet: bool = True
) -> None:
    """Publish a table with a row for each step, and a contact sheet of all results; both link to the gallery, while one is served.

    The sheet is a picture inside a Markdown artifact of at most 200 kB, so that it is shown without any server of ours. A run whose parts
    have sheets needs none.
    """
    gallery, key = assets.in_gallery(campaign=name), key_of(name)
    link = f"[Open in the gallery]({gallery})" if gallery else ""
    rows = [_row(name, result, assets, store) for result in results]
    await publish_table(rows, key=f"{key}-results", description=f"{for_markdown(name)} {link}".strip())
    if not with_sheet:
        return
    shown = [(result, asset) for result in results for asset in result.assets if asset.forgotten_at is None]
    found = "1 result" if len(shown) == 1 else f"{len(shown)} results"
    told = f"# {for_markdown(name)}\n\n{found} in {for_markdown(store.label)}. {link}"
    if sheet := await sheet_of([(one.name, one.assets) for one in results], store):
        await acreate_markdown_artifact(
            markdown=f"{told}\n\n{sheet}\n", key=f"{key}-contact-sheet", description="Every result of the last run"
        )


async def publish_waiting(waiting: Waiting, assets: AssetStore, sheet: str) -> None:
    """Publish what people have to decide on, with its prompts, its contact sheet, and a link to the gallery, while one is served."""
    name = waiting.campaign
    gallery = assets.in_gallery(campaign=name)
    rows = [[one.name, prompt_of(one.assets[0].sidecar.request) or "-"] for one in waiting.items[:PLANNED]]
    parts = [
        f"# {for_markdown(name)}: {for_markdown(waiting.told)}",
        f"To decide: {FORM}{f'; or do it [in the gallery]({gallery})' if gallery else ''}.",
        f"{waiting.held} items that are made of them wait for that." if waiting.held else "",
        sheet,
        _table(["item", "prompt"], rows),
    ]
    text = "\n\n".join(filter(None, parts))
    await acreate_markdown_artifact(markdown=text, key=f"{key_of(name)}-review", description="What waits for review")


async def sheet_of(items: Iterable[tuple[str, Sequence[StoredAsset]]], store: Store) -> str:
    """Return a contact sheet of the files of items, each with the item's name, as Markdown; empty if there is none."""
    try:
        shown = [(name, some, asset) for name, some in items for asset in some if asset.forgotten_at is None]
        pictures = [
            (
                name if len(some) == 1 else f"{name} · {asset.output}",
                await store.thumbnail(asset.sha256) if number <= MOST_TILES else None,
            )
            for number, (name, some, asset) in enumerate(shown, 1)
        ]
    except (StoreError, OSError) as error:
        get_run_logger().warning("There is no contact sheet: %s", error)
        return ""
    if not pictures:
        return ""
    columns = columns_of([asset.sidecar.place for *_, asset in shown])
    sheet = base64.b64encode(await asyncio.to_thread(make_contact_sheet, pictures, columns=columns)).decode()
    return f"![Contact sheet](data:image/webp;base64,{sheet})"


def _row(name: str, result: Result, assets: AssetStore, store: Store) -> dict[str, Any]:
    return {
        "step": result.name,
        "operation": result.operation,
        "status": result.status,
        "seconds": "" if result.seconds is None else round(result.seconds, 1),
        "charged": "unknown" if result.charged is None else result.charged,
        "unit": f"{result.provider} {result.unit}".strip(),
        "error": result.error,
        "note": result.note,
        "warnings": "; ".join(result.warnings),
        "files": Markdown(
            " ".join(_link(name, asset.path, assets, store) for asset in result.assets if asset.forgotten_at is None)
        ),
        "run": result.job_id,
    }


def _link(campaign: str, path: str, assets: AssetStore, store: Store) -> str:
    """Markdown link to a file in the gallery; the file's own address if no gallery is served."""
    shown = assets.in_gallery(campaign=campaign, asset=path)
    return f"[{for_markdown(path.rpartition('/')[2])}]({shown})" if shown else for_markdown(store.files.address(path))
