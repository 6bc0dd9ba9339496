"""The journal's tables. A change here needs a step in `migrations/versions`; a test compares the two."""

import sqlalchemy as sa

from genmedia.jobs.job import LARGEST_AMOUNT

tables = sa.MetaData()

LIVE = ("intended", "bound", "in_doubt", "stored", "content_refused")
"""The states in which an attempt answers for its submission."""

OPEN = LIVE[:3]
"""The states in which an attempt has not ended and its files are not stored yet."""

submissions = sa.Table(
    "submissions",
    tables,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("account", sa.String, nullable=False),
    sa.Column("operation", sa.String, nullable=False),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("take", sa.Integer, nullable=False),
    sa.Column("created_at", sa.String, nullable=False),
)

attempts = sa.Table(
    "attempts",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key", sa.String(64), sa.ForeignKey("submissions.key"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("account", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("owner", sa.String),
    sa.Column("remote_id", sa.String),
    # Fingerprint that equal jobs share in the list of the provider; null where the provider can be asked by something better.
    sa.Column("echo", sa.String(64)),
    sa.Column("campaign", sa.String, nullable=False, server_default=""),
    sa.Column("run", sa.String, nullable=False, server_default=""),
    sa.Column("labels", sa.Text, nullable=False, server_default="{}"),
    # Step, inputs and place for the sidecars of its files, for the process that stores them.
    sa.Column("origin", sa.Text, nullable=False, server_default="{}"),
    sa.Column("price", sa.Float),
    # Amount that it counts as until its charge is known: its price, or the amount assumed for the account.
    sa.Column("reserved", sa.Float),
    sa.Column("charged", sa.Float),
    # Price in its run's plan; an amount reserved above that uses up what the run may spend beyond its plan.
    sa.Column("planned", sa.Float),
    sa.Column("unit", sa.String, nullable=False),
    # True once a run has reported its cost: of all runs that wait for the job, one does.
    sa.Column("reported", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("intended_at", sa.String, nullable=False),
    # Time by the provider's clock, which is never set back.
    sa.Column("asked_at", sa.String),
    # Amount of the account that the provider said was used before; null if it does not say.
    sa.Column("used", sa.Float),
    sa.Column("used_at", sa.String),
    sa.Column("bound_at", sa.String),
    sa.Column("ended_at", sa.String),
    # Time at which its job was seen ended: from then on it is not open at the provider, though its files may still be fetched.
    sa.Column("over_at", sa.String),
    # What the last look saw of its job, as JSON, and its time in seconds since 1970; see `journal/looks.py`.
    sa.Column("seen", sa.Text),
    sa.Column("seen_at", sa.Float),
    # The kind of job that it is, for which running times are learned, and the seconds that it ran; see `journal/durations.py`.
    sa.Column("work", sa.String, nullable=False, server_default=""),
    sa.Column("ran", sa.Float),
    # Time at which a webhook told that its job has ended, in seconds since 1970: a hint to look, which a job takes once.
    sa.Column("hinted_at", sa.Float),
    # A fingerprint of the key that bought it, and the credentials block that held the key; null and empty where that was not written down.
    sa.Column("key_print", sa.String(16)),
    sa.Column("block", sa.String, nullable=False, server_default=""),
    # Last answer of the provider about the job, cut to a length; for a claim for a refund.
    sa.Column("last_answer", sa.Text),
    sa.UniqueConstraint("key", "number"),
    # Not a number and infinite are larger than every number in PostgreSQL, and text is in SQLite: the upper bound refuses them.
    *(
        sa.CheckConstraint(f"{name} >= 0 AND {name} <= {LARGEST_AMOUNT}", name=f"{name}_is_an_amount")
        for name in ("price", "reserved", "charged", "planned")
    ),
)
# The rule that decides a race between processes: at most one attempt of a submission is neither failed nor refused.
_live = attempts.c.state.in_(LIVE)
sa.Index("one_live_attempt", attempts.c.key, unique=True, sqlite_where=_live, postgresql_where=_live)
# If two equal jobs were submitted at once, a lost answer could be that of either.
_unbound = sa.and_(attempts.c.state == "intended", attempts.c.echo.is_not(None))
sa.Index("one_unbound_echo", attempts.c.account, attempts.c.echo, unique=True, sqlite_where=_unbound, postgresql_where=_unbound)
_open = attempts.c.state.in_(OPEN)
sa.Index("open_attempts", attempts.c.intended_at, sqlite_where=_open, postgresql_where=_open)
# With all columns of a sum, so that it is answered from an index alone.
_cost = attempts.c.state, attempts.c.charged, attempts.c.reserved
sa.Index("spending", attempts.c.account, attempts.c.unit, attempts.c.intended_at, *_cost)
sa.Index("spending_of_runs", attempts.c.account, attempts.c.unit, attempts.c.run, *_cost)
sa.Index("spending_of_campaigns", attempts.c.account, attempts.c.unit, attempts.c.campaign, *_cost)
# Budgets of labels are for a month; most purchases of most journals have no labels.
_labelled = attempts.c.labels != "{}"
sa.Index(
    "spending_of_labels",
    attempts.c.unit,
    attempts.c.intended_at,
    attempts.c.labels,
    attempts.c.account,
    *_cost,
    sqlite_where=_labelled,
    postgresql_where=_labelled,
)
sa.Index("endings", attempts.c.account, attempts.c.ended_at)
_at_work = sa.and_(_open, attempts.c.over_at.is_(None))
sa.Index("slots", attempts.c.account, sqlite_where=_at_work, postgresql_where=_at_work)
_timed = attempts.c.ran.is_not(None)
sa.Index("running_times", attempts.c.work, attempts.c.id, attempts.c.ran, sqlite_where=_timed, postgresql_where=_timed)
sa.Index("remote_jobs", attempts.c.account, attempts.c.remote_id)

assets = sa.Table(
    "assets",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("path", sa.String, nullable=False, unique=True),
    sa.Column("attempt", sa.Integer, sa.ForeignKey("attempts.id"), nullable=False, index=True),
    sa.Column("output", sa.String, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False, index=True),
    # SHA-256 of the file as the provider gave it; it differs if the store has written into the file.
    sa.Column("came_as", sa.String(64), nullable=False, index=True),
    sa.Column("sidecar", sa.Text, nullable=False),
    # Number of the output in its job, from 1: two outputs may have one id.
    sa.Column("number", sa.Integer, nullable=False, server_default="1"),
    # Time at which a person removed it for good: it is neither fetched nor bought again. Null while it is kept.
    sa.Column("forgotten_at", sa.String),
)

uses = sa.Table(
    "uses",
    tables,
    sa.Column("key", sa.String(64), sa.ForeignKey("submissions.key"), primary_key=True),
    sa.Column("campaign", sa.String, primary_key=True),
    sa.Column("step", sa.String, primary_key=True),
    sa.Column("labels", sa.Text, nullable=False, server_default="{}"),
    sa.Column("since", sa.String, nullable=False),
)

waiters = sa.Table(
    "interests",
    tables,
    sa.Column("attempt", sa.Integer, sa.ForeignKey("attempts.id"), primary_key=True),
    sa.Column("run", sa.String, primary_key=True),
    sa.Column("owner", sa.String, nullable=False),
    sa.Column("since", sa.String, nullable=False),
)

verdicts = sa.Table(
    "verdicts",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    # The output that it is about: its submission, attempt, name and number; and the file that was looked at, where it was then. A store may
    # tell of purchases that this journal does not know.
    sa.Column("key", sa.String(64), nullable=False, index=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("output", sa.String, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("path", sa.String, nullable=False),
    sa.Column("campaign", sa.String, nullable=False, index=True),
    sa.Column("step", sa.String, nullable=False),
    # Null for a comment.
    sa.Column("verdict", sa.String(16)),
    sa.Column("who", sa.String, nullable=False),
    sa.Column("at", sa.String, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    # Prompt and seed of a retake; empty and null for those that there were.
    sa.Column("prompt", sa.Text, nullable=False),
    sa.Column("seed", sa.BigInteger),
)

wanted = sa.Table(
    "wanted",
    tables,
    # A submission on which a campaign waits for a verdict, and the time at which a run of it did first.
    sa.Column("key", sa.String(64), sa.ForeignKey("submissions.key"), primary_key=True),
    sa.Column("campaign", sa.String, primary_key=True),
    sa.Column("since", sa.String, nullable=False),
)

owners = sa.Table(
    "owners",
    tables,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
)

_bound = attempts.c.state == "bound"
sa.Index("looks", attempts.c.account, attempts.c.seen_at, sqlite_where=_bound, postgresql_where=_bound)

_hinted = attempts.c.hinted_at.is_not(None)
sa.Index("hints", attempts.c.account, sqlite_where=_hinted, postgresql_where=_hinted)

watchers = sa.Table(
    "watchers",
    tables,
    sa.Column("account", sa.String, primary_key=True),
    # With the fingerprint of a key: the process that looks at the account's jobs, for all that have this key; and the end of its lease,
    # in seconds since 1970.
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("until", sa.Float, nullable=False),
)

requests = sa.Table(
    "requests",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("account", sa.String, nullable=False, index=True),
    # Requests that a process may send, and the time, in seconds since 1970, at which they are free again.
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("until", sa.Float, nullable=False),
)

line = sa.Table(
    "line",
    tables,
    # A process that waits for what is wanted of an account, its rank, and the time, in seconds since 1970, until which it waits.
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("account", sa.String, nullable=False, index=True),
    sa.Column("wanted", sa.String(16), nullable=False),
    sa.Column("rank", sa.Float, nullable=False),
    sa.Column("until", sa.Float, nullable=False),
)

limits = sa.Table(
    "limits",
    tables,
    sa.Column("account", sa.String, primary_key=True),
    # Requests in a minute that were learned at a time, in seconds since 1970, and the time until which the provider wants none.
    sa.Column("per_minute", sa.Float, nullable=False),
    sa.Column("learned_at", sa.Float, nullable=False),
    sa.Column("held_until", sa.Float, nullable=False),
)

caps = sa.Table(
    "caps",
    tables,
    sa.Column("account", sa.String, primary_key=True),
    sa.Column("scope", sa.String(16), primary_key=True),
    sa.Column("amount", sa.Float, nullable=False),
    # Unit of the cap: a cap in one unit cannot be compared with purchases in another.
    sa.Column("unit", sa.String, nullable=False, server_default="credits"),
)

holds = sa.Table(
    "holds",
    tables,
    sa.Column("account", sa.String, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("held_at", sa.String, nullable=False),
    # Null while the hold is in force; failures before this time no longer count.
    sa.Column("released_at", sa.String),
)

balances = sa.Table(
    "balances",
    tables,
    sa.Column("account", sa.String, primary_key=True),
    sa.Column("seen_at", sa.String, nullable=False),
    sa.Column("balance", sa.Float, nullable=False),
    # Sums of the journal at that time.
    sa.Column("charged", sa.Float, nullable=False),
    sa.Column("open", sa.Float, nullable=False),
)
