"""Python's looks for garbage, made seldom."""

import gc

COLLECT_AFTER = 50_000
"""Number of new objects after which Python looks for cycles of garbage, instead of its own 700: thousands of works hold objects until their
end, and each look goes through all of these. The first of 10,000 jobs was at the provider after 1.2 s so, and after 3.1 s before. A command
that imports much answers sooner, too."""


def collect_seldom() -> None:
    """Have this process look for garbage seldom, unless whoever runs it has switched that off."""
    first, *others = gc.get_threshold()
    if 0 < first < COLLECT_AFTER:
        gc.set_threshold(COLLECT_AFTER, *others)
