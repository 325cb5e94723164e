"""The site: what its requests, and those that go the quick way, have in common."""

from typing import TYPE_CHECKING, Any

from svckit.reactors import Reactor
from svckit.web import GuardedSite
from twisted.web.resource import IResource

from .intake import Intake
from .quick import QuickChannel
from .request import UploadRequest
from .together import Together
from .tus.desk import Desk

if TYPE_CHECKING:
    from svckit.auth import Reception

__all__ = ["UploadSite"]


class UploadSite(GuardedSite):
    """The site of one intake."""

    protocol = QuickChannel
    all_ours: object = None
    """The router's patterns, where by them all below our prefix is ours."""

    def __init__(
        self,
        resource: IResource,
        reactor: Reactor,
        intake: Intake,
        desk: Desk,
        writers: "Reception | None" = None,
        splices: bool = True,
        together: Together | None = None,
        **kw: Any,
    ) -> None:
        """`writers` lets in whoever may write; None: anyone may. `splices`: whether bodies may go past Python.

        `together` publishes small files; None: they are nothing special.
        """
        self.splices, self.together = splices, together
        super().__init__(resource, reactor, requestFactory=UploadRequest, **kw)
        self.reactor, self.intake, self.desk, self.writers = reactor, intake, desk, writers
