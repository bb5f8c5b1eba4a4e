"""Accounts of ByteChips. Every amount is a whole number of 1e-8 chips.

A house account, whose name begins with `house:`, is the other side of every transaction. It has no balance of its own
but the sum of its entries: a row that everybody locks would make all payments wait for each other.
"""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from storage.columns import Instant
from storage.tables.base import BigId, Json, metadata

transactions = Table(
    "transactions",  # double entry: each has two entries whose amounts sum to 0
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kind", String(10), nullable=False),  # payment, top_up, coupon
    # What it settles, such as `job:<id>`: nothing is settled twice.
    Column("settles", String(200), nullable=False, unique=True),
    Column("account_from", String(100), nullable=False),
    Column("account_to", String(100), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False, server_default=""),
    Column("currency_amount", Float, nullable=False, server_default="0"),
    Column("exchange_rate", Float, nullable=False, server_default="0"),
    Column("description", Text, nullable=False, server_default=""),
    Column("notes", Text, nullable=False, server_default=""),
    Column("related", Json, nullable=False),  # type, id, name and what else describes it
    Column("hash", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
)

entries = Table(
    "entries",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("transaction_id", ForeignKey("transactions.id"), nullable=False, index=True),
    Column("account", String(100), nullable=False),  # an account's id, or a house account
    Column("amount", BigInteger, nullable=False),  # positive: received
    Column("balance", BigInteger),  # after this entry; none of a house account
    # Copies of the transaction's; a house account's entries go without the last three.
    Column("kind", String(10), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("description", String(200), nullable=False, server_default=""),
    Column("subject_id", String(36), nullable=False, server_default=""),  # the job or coupon that it is about
    Column("template_id", String(200), nullable=False, server_default=""),
    # Lists are filtered, sorted and counted, and days summed, by reading nothing but the index.
    Index(
        "ix_entries_account",
        "account",
        "id",
        "kind",
        "created_at",
        "amount",
        "balance",
        "description",
        "subject_id",
        "template_id",
    ),
)

balances = Table(
    "balances",  # each is the sum of an account's entries, kept for the lock and the speed
    metadata,
    Column("account", String(100), primary_key=True),
    Column("amount", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False, server_default=""),  # of its newest transaction
)

reservations = Table(
    "reservations",  # what live jobs may yet cost
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("account", String(100), nullable=False, index=True),
    Column("amount", BigInteger, nullable=False),
)

coupons = Table(
    "coupons",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("code", String(100), nullable=False, unique=True),
    Column("amount", BigInteger, nullable=False),
    Column("uses", Integer, nullable=False),  # how many accounts may redeem it
    Column("used", Integer, nullable=False, server_default="0"),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
)
