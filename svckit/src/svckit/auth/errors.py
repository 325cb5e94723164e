"""How asking the auth service can end, other than with a user."""

from twisted.cred.error import LoginDenied, LoginFailed, UnauthorizedLogin

__all__ = ["AuthUnavailable", "Malformed", "NotAllowed", "StaleNonce", "TooManyTries"]


class AuthUnavailable(Exception):
    """No auth service answered, or it is too busy to check one more password.

    Not a refused login: nobody has looked at the credentials. An HTTP client gets 503 with Retry-After for it.
    """


class StaleNonce(UnauthorizedLogin):
    """The user knows the password, but the nonce may not be used (any more): challenge again with `stale=true`.

    A refusal to every other `twisted.cred` user (RFC 7616 section 3.3).
    """


class TooManyTries(LoginFailed):
    """Too many wrong logins by this user or from this address: nobody has looked at this one. An HTTP client gets 429."""

    def __init__(self, seconds: int) -> None:
        """`seconds` have to pass before the next try."""
        super().__init__(f"too many wrong logins; the next in {seconds} s")
        self.seconds = seconds


class NotAllowed(LoginDenied):
    """This is the user, and the rules do not let them do what they ask for. An HTTP client gets 403."""


class Malformed(ValueError):
    """A header, a credential or a nonce is not what its RFC says; the text names the part and never its value."""
