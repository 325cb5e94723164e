"""The service's options, with their defaults; in a container from the environment, PORTICO_OPTION_<NAME>."""

from dataclasses import dataclass

from svckit.auth import SCHEMES
from svckit.auth.digest import ALGORITHMS
from svckit.auth.limits import MAX_REALM, NONCE_LIFETIME
from svckit.settings import BadOptions, Settings

from .accounts import ACCOUNT_TIME
from .jobs import JOB_LIMIT, JOB_THREADS
from .passwords import QUEUE_LIMIT

__all__ = ["Options", "options_from"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The service's own options."""

    realm: str = "portico"
    """The realm that the first user is made for; `authsvc user add --realm` makes users for others."""
    admin_password_file: str = ""
    """File with the first user's password; without one a random password is made and shown in the log, once."""
    database: str = ""
    """URL of a PostgreSQL, `postgresql://USER@HOST/NAME`; empty: a SQLite file in the state folder."""
    database_file: str = ""
    """File with that URL in its first line, for one that has a password."""
    database_threads: int = JOB_THREADS
    """Threads that look into the database, each with a connection of its own."""
    database_queue: int = JOB_LIMIT
    """Look-ups that may wait for one of them; one more gets 503."""
    account_time: float = ACCOUNT_TIME
    """Seconds for which a look-up of a user is good, and so until a change of passwords, users or groups holds."""
    nonce_lifetime: float = NONCE_LIFETIME
    """Seconds for which a Digest nonce is good; the same for all replicas."""
    nonce_keys_file: str = ""
    """File with the keys of nonces, for hosts that share them; empty: one is made in the state folder."""
    nonce_bound: bool = False
    """Whether a nonce is good for the client's address alone that it was made for; the same for all replicas."""
    schemes: str = ",".join(SCHEMES)
    """What clients of HTTP are offered, in this order; no other scheme is taken."""
    digest_algorithms: str = ",".join(ALGORITHMS)
    """What Digest offers, in this order. Clients that take the first cannot log in users of an htdigest file (MD5) otherwise
    than with `MD5,SHA-256`."""
    rules: str = ""
    """File that says which groups may do what (see `rules`); empty: every user may do everything."""
    user_tries: int = 10
    """Wrong logins of a user at once, before they have to wait."""
    user_pause: float = 5.0
    """Seconds for each further one."""
    address_tries: int = 30
    """Wrong logins from an address at once, before it has to wait; an IPv6 client counts by its /64."""
    address_pause: float = 1.0
    """Seconds for each further one."""
    hash_threads: int = 2
    """Threads that check passwords, 19 MiB each."""
    hash_queue: int = QUEUE_LIMIT
    """Different logins that may wait for one of them; one more gets 503."""

    @property
    def algorithms(self) -> tuple[str, ...]:
        """`digest_algorithms`, one by one."""
        return _names(self.digest_algorithms)

    @property
    def offered(self) -> tuple[str, ...]:
        """`schemes`, one by one."""
        return _names(self.schemes)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


_MORE_THAN_NOTHING = (
    "nonce_lifetime",
    "database_threads",
    "database_queue",
    "hash_threads",
    "hash_queue",
    "user_tries",
    "user_pause",
    "address_tries",
    "address_pause",
)


def options_from(settings: Settings) -> Options:
    """The options of a replica, checked.

    Raises:
        svckit.settings.BadOptions: one is unknown or wrong.
    """
    options = settings.options_as(Options)
    if not 1 <= len(options.realm.encode("utf-8")) <= MAX_REALM:
        raise BadOptions(f"{settings.service}: realm has 1 to {MAX_REALM} bytes")
    for name in _MORE_THAN_NOTHING:
        if getattr(options, name) <= 0:
            raise BadOptions(f"{settings.service}: {name} is more than 0")
    if options.account_time < 0:
        raise BadOptions(f"{settings.service}: account_time is 0 or more")
    for name, chosen, known in (
        ("digest_algorithms", options.algorithms, tuple(ALGORITHMS)),
        ("schemes", options.offered, SCHEMES),
    ):
        if len(set(chosen)) < len(chosen) or set(chosen) - set(known):
            raise BadOptions(f"{settings.service}: {name} is one or more of {', '.join(known)}, with commas between")
    if options.database and options.database_file:
        raise BadOptions(f"{settings.service}: database and database_file: only one of them")
    return options
