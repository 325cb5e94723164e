"""Which counts of which nonces have been used: in the database, where all replicas of the auth service look.

One row for each right answer to a Digest challenge, put there by one statement that says whether it was new. So an answer is
good once, whichever services and replicas see it, whatever was started again meanwhile, and on all hosts that share a
PostgreSQL. What has expired is swept away, and a mark remembers up to when: a nonce from before is never good again.
"""

from typing import Any

from sqlalchemy import BigInteger, Engine, LargeBinary, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from .database import writing
from .tables import MARK_FLOOR, marks, nonce_counts

__all__ = ["COUNT_LIMIT", "SWEEP_INTERVAL", "Counts"]

COUNT_LIMIT = 1_000_000
"""Rows, some 60 bytes each. When a sweep finds more, the older half goes and its nonces are not good any more."""

SWEEP_INTERVAL = 30.0
"""Seconds between two sweeps of one replica."""


class Counts:
    """The table of one database. Every method blocks for a transaction, and may be called from any thread."""

    def __init__(self, engine: Engine) -> None:
        self._writing = writing(engine)
        insert: Any = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        minted = bindparam("minted", type_=BigInteger)
        floor = select(marks.c.value).where(marks.c.mark == MARK_FLOOR).scalar_subquery()
        row = select(bindparam("nonce", type_=LargeBinary), bindparam("count", type_=BigInteger), minted).where(minted >= floor)
        new = insert(nonce_counts).from_select(["nonce", "count", "minted"], row)
        self._use = new.on_conflict_do_nothing().returning(nonce_counts.c.count)  # built once, as it is used often

    def use(self, nonce: bytes, count: int, minted: int) -> bool:
        """Use up `count` of a nonce minted at `minted` (milliseconds since 1970). False: it was used, or is too old."""
        with self._writing.begin() as connection:
            return connection.scalar(self._use, {"nonce": nonce, "count": count, "minted": minted}) is not None

    def sweep(self, before: int, limit: int = COUNT_LIMIT) -> int:
        """Forget the nonces minted before `before` (milliseconds since 1970), and more of them if too many are left.

        Returns how many counts are left.
        """
        floor = marks.c.mark == MARK_FLOOR
        with self._writing.begin() as connection:
            before = max(before, connection.scalar(select(marks.c.value).where(floor).with_for_update()) or 0)
            number = select(func.count()).select_from(nonce_counts).where(nonce_counts.c.minted >= before)
            left = connection.scalar(number) or 0
            if left > limit:
                by_age = select(nonce_counts.c.minted).where(nonce_counts.c.minted >= before)
                before = 1 + (connection.scalar(by_age.order_by(nonce_counts.c.minted).offset(left // 2).limit(1)) or before)
                number = select(func.count()).select_from(nonce_counts).where(nonce_counts.c.minted >= before)
                left = connection.scalar(number) or 0
            connection.execute(update(marks).where(floor).values(value=before))
            connection.execute(delete(nonce_counts).where(nonce_counts.c.minted < before))
            return left
