"""Logins: what a service needs to ask the auth service, and the wire between the two.

The wire (`commands`, `nonce`, `digest`, `limits`) is used by both sides and belongs to neither.
"""

from .checker import RemoteChecker
from .client import AuthClient
from .digest import DigestCredentials, IDigestCredentials
from .errors import AuthUnavailable, Malformed, StaleNonce
from .hearing import DeafPortal, check_portal
from .protect import Protected, protect

__all__ = [
    "AuthClient",
    "AuthUnavailable",
    "DeafPortal",
    "DigestCredentials",
    "IDigestCredentials",
    "Malformed",
    "Protected",
    "RemoteChecker",
    "StaleNonce",
    "check_portal",
    "protect",
]
