"""What importing the library costs beside importing Prefect: a ratio, measured in alternation in one run."""

import subprocess
import sys
from statistics import median
from time import perf_counter

ROUNDS = 5
LIMIT = 1 / 3


def seconds(module: str) -> float:
    """How long a fresh interpreter takes to import a module, beyond its own start."""
    begun = perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return perf_counter() - begun


def main() -> int:
    """Print the ratios; returns 1 when one is above its limit."""
    modules = ("sys", "prefect", "genmedia", "genmedia.cli", "genmedia.providers.flora")
    times: dict[str, list[float]] = {module: [] for module in modules}
    for _ in range(ROUNDS):
        for module in modules:
            times[module].append(seconds(module))
    start = median(times["sys"])
    whole = median(times["prefect"]) - start
    ratios = {module: (median(times[module]) - start) / whole for module in modules[2:]}
    print(f"import prefect: {whole:.2f} s")
    for module, ratio in ratios.items():
        print(f"import {module}: {ratio:.2f} of that (limit {LIMIT:.2f})")
    return int(max(ratios.values()) > LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
