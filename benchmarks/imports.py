"""Time to import the library and to print its help, as ratios to the time to import Prefect, measured in alternation in one run."""

import subprocess
import sys
from statistics import median
from time import perf_counter

ROUNDS = 5
LIMIT = 1 / 3


HELP = ("-m", "genmedia", "--help")


def seconds(*words: str) -> float:
    """Time in seconds that a fresh interpreter takes for a command, its own start included."""
    begun = perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - begun


def main() -> int:
    """Print the ratios; returns 1 when one is above its limit."""
    modules = ("sys", "prefect", "genmedia", "genmedia.cli.app", "genmedia.providers.flora.client")
    commands = {f"import {module}": ("-c", f"import {module}") for module in modules} | {"genmedia --help": HELP}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, words in commands.items():
            times[name].append(seconds(*words))
    start = median(times.pop("import sys"))
    whole = median(times.pop("import prefect")) - start
    ratios = {name: (median(taken) - start) / whole for name, taken in times.items()}
    print(f"import prefect: {whole:.2f} s beside the {start:.2f} s that Python takes to start")
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.2f} of that (limit {LIMIT:.2f})")
    return int(max(ratios.values()) > LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
