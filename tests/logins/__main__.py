"""`python -m tests.logins`: logins at full length, in a compose deployment of their own. Needs a Docker engine, and root."""

import argparse
import sys

from ..support.compose import Compose, log_of
from ..support.site import Site, first_password, free_port
from .runs import add_user, of_guesses, of_logins, of_refusals, of_secrets, replicas


def main() -> int:
    """Exit status 0 if nobody was refused who knows the password, and nobody else let in."""
    parser = argparse.ArgumentParser(prog="python -m tests.logins", description=__doc__)
    parser.add_argument("--logins", type=int, default=500, help="by curl and requests (500)")
    parser.add_argument("--chromium", type=int, default=25, help="logins by Chromium beside them (25)")
    parser.add_argument("--guesses", type=int, default=10_000, help="wrong logins (10,000)")
    parser.add_argument("--project", default="portico-logins", help="name of the compose project")
    chosen = parser.parse_args()
    compose = Compose(chosen.project, free_port())
    compose.down()
    failed = False
    try:
        compose.up()
        site = Site("127.0.0.1", compose.port, first_password(log_of(compose.container("authsvc"))))
        user, other = add_user(compose), add_user(compose)
        with replicas(compose):
            for part in (
                lambda: of_logins(compose, site, user, chosen.logins, chosen.chromium),
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
