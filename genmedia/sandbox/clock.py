"""The sandbox's one clock: nominal seconds, which can run faster than real ones."""

import time

FASTEST = 100_000.0
"""The largest scale that a sandbox is run at."""


class Clock:
    """Lets a rehearsal of hours pass in minutes without anything on the wire looking different.

    Every latency, expiry, window and timestamp of the sandbox is in nominal seconds; with scale S one real second is S nominal ones.

    Args:
        scale: Nominal seconds per real second, above 0.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self._scale = scale
        self._nominal = time.time()
        self._real = time.monotonic()

    @property
    def scale(self) -> float:
        """Nominal seconds per real second."""
        return self._scale

    def now(self) -> float:
        """The nominal time as a Unix timestamp in seconds; it never goes back."""
        return self._nominal + (time.monotonic() - self._real) * self._scale

    def real(self, seconds: float) -> float:
        """How many real seconds the given nominal ones last at the present scale."""
        return seconds / self._scale

    def set_scale(self, scale: float) -> None:
        """Change the pace from this moment on, without a jump."""
        self._rebase(0.0)
        self._scale = scale

    def advance(self, seconds: float) -> None:
        """Jump forward by nominal seconds."""
        self._rebase(seconds)

    def _rebase(self, ahead: float) -> None:
        self._nominal = self.now() + ahead
        self._real = time.monotonic()
