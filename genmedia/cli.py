"""The command line `genmedia`."""

import signal
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from genmedia import __version__
from genmedia.errors import GenmediaError, SettingsError

app = App(name="genmedia", version=__version__, help="Buy pictures, videos and 3D models: paid once, never lost, always seen.")

ProjectFolder = Annotated[Path | None, Parameter(help="The project's folder; found upwards from here by default.")]


@app.command
def sandbox(
    *,
    port: Annotated[int, Parameter(help="Port of the APIs; 0 takes any free one.")] = 4280,
    media_port: Annotated[int | None, Parameter(help="Port that outputs are served from; the next one by default.")] = None,
    clock_scale: Annotated[float, Parameter(help="How many times faster than real time jobs run.")] = 1.0,
    size: Annotated[int, Parameter(help="Longest side of rendered pictures, in pixels.")] = 768,
    seed: Annotated[int, Parameter(help="Makes durations and failures repeat.")] = 0,
    input_origin: Annotated[tuple[str, ...], Parameter(help="A further origin that inputs may be at.")] = (),
    switch: Annotated[
        tuple[str, ...], Parameter(help="Behaviour of all accounts, such as flora.assets=true or flora.casing=snake.")
    ] = (),
) -> None:
    """Serve all providers on this machine, without a key and without a network."""
    from pydantic import ValidationError  # noqa: PLC0415 # `--help` should not wait for what only one command needs

    from genmedia.sandbox.server import SandboxOptions, run  # noqa: PLC0415

    options = SandboxOptions(
        port=port,
        media_port=media_port,
        clock_scale=clock_scale,
        size=size,
        seed=seed,
        input_origins=input_origin,
        switches=_switches(switch),
    )
    try:
        run(options)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_input=False))
        raise SettingsError(f"a switch cannot be set: {faults}", advice="See `genmedia sandbox --help`.") from None


@app.command
def demo(*, live: bool = False, project: ProjectFolder = None) -> int:
    """Run a chain of techniques on a photograph, in a sandbox; see it in a gallery.

    Args:
        live: Pay with FLORA_API_KEY at FLORA itself, at most 100 credits.
        project: The project's folder.
    """
    from rich.console import Console  # noqa: PLC0415

    from genmedia.demo import run_demo  # noqa: PLC0415
    from genmedia.project import find_project  # noqa: PLC0415

    return run_demo(find_project(project), Console(), live=live)


@app.command
def up(*, project: ProjectFolder = None) -> int:
    """Run Prefect, a sandbox and a worker with all deployments on this machine, until Ctrl-C."""
    from genmedia.project import find_project  # noqa: PLC0415
    from genmedia.up import run_up  # noqa: PLC0415

    return run_up(find_project(project))


def _switches(given: tuple[str, ...]) -> dict[str, dict[str, str | bool]]:
    switches: dict[str, dict[str, str | bool]] = {}
    for one in given:
        name, equals, value = one.partition("=")
        provider, dot, switch = name.partition(".")
        if not (equals and dot and provider and switch and value):
            raise SettingsError(
                f"{one!r} is not a switch", advice="Write it as provider.switch=value, such as flora.assets=true."
            )
        switches.setdefault(provider, {})[switch] = {"true": True, "false": False}.get(value, value)
    return switches


def main() -> None:
    """Run one command; errors are told in a line or two, never as a traceback."""
    # A supervisor's SIGTERM ends a command as Ctrl-C does; a script's background jobs inherit an ignored SIGINT, and so would their children.
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, signal.default_int_handler)
    try:
        sys.exit(app())
    except GenmediaError as error:
        sys.exit(f"genmedia: {error}")
    except KeyboardInterrupt:
        sys.stderr.write("\ngenmedia: stopped. What was bought is in the journal; run the same command again to go on.\n")
        sys.exit(130)
