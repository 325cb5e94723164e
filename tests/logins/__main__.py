"""`python -m tests.logins`: logins at full length, in a compose deployment of their own. Needs a Docker engine, and root."""

import argparse
import sys
from itertools import chain

from ..support.compose import Compose, events, log_of
from ..support.site import Site, first_password, free_port
from .clients import OFFERS, Offer
from .runs import Part, add_user, of_guesses, of_logins, of_refusals, of_secrets, offering, replicas


def main() -> int:
    """Exit status 0 if nobody was refused who knows the password, and nobody else let in."""
    parser = argparse.ArgumentParser(prog="python -m tests.logins", description=__doc__)
    parser.add_argument("--logins", type=int, default=500, help="by curl and requests, in all (500)")
    parser.add_argument("--chromium", type=int, default=45, help="logins by Chromium beside them (45)")
    parser.add_argument("--guesses", type=int, default=10_000, help="wrong logins (10,000)")
    parser.add_argument("--project", default="portico-logins", help="name of the compose project")
    chosen = parser.parse_args()
    compose = Compose(chosen.project, free_port())
    compose.environment["PORTICO_WIPE_ROUTER"] = "1"  # so that its memory is looked at, too
    compose.down()
    failed = False
    try:
        compose.up()
        site = Site("127.0.0.1", compose.port, first_password(log_of(compose.container("authsvc"))))
        user, other = add_user(compose), add_user(compose)

        def log_in(offer: Offer, times: int, by_chromium: int) -> Part:
            known = add_user(compose)  # one of its own, to find in the log
            return of_logins(
                site, known, offer, times, by_chromium, lambda: chain(*(events(each) for each in compose.containers("authsvc")))
            )

        def otherwise(name: str) -> Part:
            with offering(compose, OFFERS[name]):
                return log_in(OFFERS[name], chosen.logins // 5, chosen.chromium // 3)

        with replicas(compose):
            for part in (
                lambda: log_in(OFFERS["as it comes"], chosen.logins - chosen.logins // 5 * 2, chosen.chromium // 3),
                lambda: otherwise("MD5 first"),
                lambda: otherwise("Basic alone"),
                lambda: of_refusals(compose, site, user),
                lambda: of_guesses(compose, site, user, other, chosen.guesses),
                lambda: of_secrets(compose, site, user, images=True),
            ):
                text, wrong = part()
                print(text, *(f"WRONG: {each}" for each in wrong), "", sep="\n", flush=True)
                failed = failed or bool(wrong)
    finally:
        compose.down()
        compose.client.close()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
