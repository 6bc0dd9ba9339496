"""The journal's tables. A change here needs a step in `migrations/versions`; a test holds the two against each other."""

import sqlalchemy as sa

from genmedia.jobs.job import LARGEST_AMOUNT

tables = sa.MetaData()

LIVE = ("intended", "bound", "in_doubt", "stored", "content_refused")
"""The states in which an attempt answers for its submission."""

OPEN = LIVE[:3]
"""The states in which nobody has what was bought yet."""

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
    # What equal jobs cannot be told apart by where the provider lists them; null where it can be asked by something better.
    sa.Column("echo", sa.String(64)),
    sa.Column("campaign", sa.String, nullable=False, server_default=""),
    sa.Column("run", sa.String, nullable=False, server_default=""),
    sa.Column("labels", sa.Text, nullable=False, server_default="{}"),
    # What the sidecars of its files tell, for whoever stores them.
    sa.Column("origin", sa.Text, nullable=False, server_default="{}"),
    sa.Column("price", sa.Float),
    # What it counts as until it is known what it was charged: its price, or what the account's is assumed to be.
    sa.Column("reserved", sa.Float),
    sa.Column("charged", sa.Float),
    # What its run's plan took it to cost; what is reserved beyond that uses up what the run may spend beyond its plan.
    sa.Column("planned", sa.Float),
    sa.Column("unit", sa.String, nullable=False),
    # Whether a run has told its cost: of all that wait for the job, one does.
    sa.Column("reported", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("intended_at", sa.String, nullable=False),
    # By the provider's clock, which nobody sets back.
    sa.Column("asked_at", sa.String),
    # What the provider said was used of the account, before this; null where it does not say.
    sa.Column("used", sa.Float),
    sa.Column("used_at", sa.String),
    sa.Column("bound_at", sa.String),
    sa.Column("ended_at", sa.String),
    # A fingerprint of the key that bought it, and the credentials block that held the key; null and empty where that was not written down.
    sa.Column("key_print", sa.String(16)),
    sa.Column("block", sa.String, nullable=False, server_default=""),
    # What the provider said of the job last, cut to a bound; for whoever claims a refund.
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
# Of equal jobs that are under way at once, nobody could tell whose job a lost answer spoke of.
_unbound = sa.and_(attempts.c.state == "intended", attempts.c.echo.is_not(None))
sa.Index("one_unbound_echo", attempts.c.account, attempts.c.echo, unique=True, sqlite_where=_unbound, postgresql_where=_unbound)
_open = attempts.c.state.in_(OPEN)
sa.Index("open_attempts", attempts.c.intended_at, sqlite_where=_open, postgresql_where=_open)
# Whole, so that a sum is answered from an index alone.
_cost = attempts.c.state, attempts.c.charged, attempts.c.reserved
sa.Index("spending", attempts.c.account, attempts.c.unit, attempts.c.intended_at, *_cost)
sa.Index("spending_of_runs", attempts.c.account, attempts.c.unit, attempts.c.run, *_cost)
sa.Index("spending_of_campaigns", attempts.c.account, attempts.c.unit, attempts.c.campaign, *_cost)
sa.Index("endings", attempts.c.account, attempts.c.ended_at)
sa.Index("remote_jobs", attempts.c.account, attempts.c.remote_id)

assets = sa.Table(
    "assets",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("path", sa.String, nullable=False, unique=True),
    sa.Column("attempt", sa.Integer, sa.ForeignKey("attempts.id"), nullable=False, index=True),
    sa.Column("output", sa.String, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False, index=True),
    # What the provider gave: another than the file's where the store has written into it.
    sa.Column("came_as", sa.String(64), nullable=False, index=True),
    sa.Column("sidecar", sa.Text, nullable=False),
    # Which of its job's outputs it is, from 1: two may have one id.
    sa.Column("number", sa.Integer, nullable=False, server_default="1"),
    # When a person removed it for good: it is neither fetched nor bought again. Null while it is kept.
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

owners = sa.Table(
    "owners",
    tables,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
)

caps = sa.Table(
    "caps",
    tables,
    sa.Column("account", sa.String, primary_key=True),
    sa.Column("scope", sa.String(16), primary_key=True),
    sa.Column("amount", sa.Float, nullable=False),
    # What it counts: a cap in one unit says nothing of purchases in another.
    sa.Column("unit", sa.String, nullable=False, server_default="credits"),
)

holds = sa.Table(
    "holds",
    tables,
    sa.Column("account", sa.String, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("held_at", sa.String, nullable=False),
    # Null while it holds; failures before it are forgiven.
    sa.Column("released_at", sa.String),
)

balances = sa.Table(
    "balances",
    tables,
    sa.Column("account", sa.String, primary_key=True),
    sa.Column("seen_at", sa.String, nullable=False),
    sa.Column("balance", sa.Float, nullable=False),
    # What the journal said at that time.
    sa.Column("charged", sa.Float, nullable=False),
    sa.Column("open", sa.Float, nullable=False),
)
