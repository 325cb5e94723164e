"""The login before a WebSocket: asked for once, with the opening request, at the auth service.

What is answered instead of 101 is as for any protected page (`svckit.auth.reception`).

A browser sends a user's login along whatever page opens the WebSocket, so a stranger's page could speak for the user. Where
the option `origins` lets in everybody, a login lets in the pages of the site itself and clients that are no browsers.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from svckit.settings import Settings
from twisted.internet.interfaces import IAddress, IReactorTime

from .handshake import Handshake
from .mounts import Mount
from .refusals import Refusal

__all__ = ["Login", "is_own_page", "login_for"]

Login = Callable[[Handshake, IAddress], Awaitable[Handshake | Refusal]]
"""Gives a handshake its user and takes the credentials out of it, or says why it is not let in."""


def login_for(settings: Settings, mounts: Iterable[Mount], reactor: IReactorTime) -> Login | None:
    """The login of a service, if one of its mounts wants one."""
    if settings.auth is None or not any(mount.login for mount in mounts):
        return None
    from svckit.auth import Asked, NoEntry, receive  # only where it is wanted: it brings in twisted.cred and twisted.web
    from svckit.auth.reception import address_text

    reception = receive(settings.auth, reactor, service=settings.service)

    async def log_in(handshake: Handshake, peer: IAddress) -> Handshake | Refusal:
        request = handshake.request
        brought = [value.encode("latin-1") for value in request.fields.get("authorization", ())]
        asked = Asked(request.method.encode("ascii"), request.target.encode("ascii"), brought, address_text(peer))
        found = await reception.user_of(asked)
        if isinstance(found, NoEntry):
            headers = tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in found.headers)
            return Refusal(found.status, f"{found.text}.", headers)
        return _as_user(handshake, found.decode("utf-8", "replace"))

    return log_in


def _as_user(handshake: Handshake, user: str) -> Handshake:
    """Without the credentials: a conversation may last for days, and its request is kept for as long."""
    fields = {name: values for name, values in handshake.request.fields.items() if name != "authorization"}
    return replace(handshake, request=replace(handshake.request, fields=fields), user=user)


def is_own_page(handshake: Handshake) -> bool:
    """Whether it is the site's own page that opens this, or no browser."""
    if handshake.origin is None:
        return True
    return handshake.origin.partition("://")[2].lower() == handshake.request.fields["host"][0].lower()
