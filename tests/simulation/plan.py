"""What chance may do in one schedule."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Plan:
    """What chance may do in one schedule; drawn from its seed.

    Attributes:
        wishes: For each process, the numbers of what it wants.
        open_jobs: Number of jobs that may be open.
        per_window: Number of requests in a window; None for any.
        cap: Most that the account may spend in all; None for no limit.
        failing: Share of jobs that fail.
        kill: Chance that a process is killed, at each point where it touches the world.
        stop: Chance that it is stopped there.
        late: Chance that it hears late of a commit.
        lost: Chance that it hears of a lost connection in place of a commit, which is there.
        unheard: Chance that an answer is lost, at each request; those that follow likewise.
        unsent: Chance that a request is lost.
        busy: Chance of a 429.
        broken: Chance of an error 500, after the work.
        slow: Chance that an answer comes late, or not within the time for it.
        watches: True if a process holds the account's desk open beside the buyers, and harvests.
        inherited: True if a program of an older release left a job behind that it bound and was about to start.
    """

    provider: str
    wishes: tuple[tuple[int, ...], ...]
    open_jobs: int
    per_window: int | None
    cap: float | None
    failing: float
    kill: float
    stop: float
    late: float
    lost: float
    unheard: float
    unsent: float
    busy: float
    broken: float
    slow: float
    watches: bool
    inherited: bool

    @property
    def quiet(self) -> bool:
        """True if nothing can go wrong."""
        rates = self.failing, self.kill, self.stop, self.lost, self.unheard, self.unsent, self.busy, self.broken, self.slow
        return not any(rates) and self.cap is None

    @classmethod
    def draw(cls, chance: Random) -> "Plan":
        """Draw a plan."""
        provider = chance.choice(("flora", "flora", "generio", "generio", "algovera"))
        processes = chance.choice((2, 2, 3))
        number = chance.choice((1, 2, 2, 3))
        wishes = tuple(tuple(sorted(chance.sample(range(number), chance.randint(1, number)))) for _ in range(processes))

        def rate(*of: float) -> float:
            return chance.choice(of)

        return cls(
            provider,
            wishes,
            open_jobs=chance.choice((1, 1, 2, 3)),
            per_window=chance.choice((None, None, 12, 30)),
            cap=chance.choice((None, None, 1.0, 2.0)),
            failing=rate(0, 0, 0.2),
            kill=rate(0, 0.002, 0.005, 0.01),
            stop=rate(0, 0.002, 0.005, 0.01),
            late=rate(0, 0, 0.02),
            lost=rate(0, 0, 0.01),
            unheard=rate(0, 0.05, 0.15),
            unsent=rate(0, 0, 0.05),
            busy=rate(0, 0, 0.05),
            broken=rate(0, 0, 0.05),
            slow=rate(0, 0.05, 0.2),
            watches=chance.random() < 0.6,
            inherited=provider == "generio" and chance.random() < 0.3,
        )
