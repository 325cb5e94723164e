"""Users on both ends of a link: the kernel says who they are, and a replica serves its router's only."""

import os
from pathlib import Path

import pytest
from handoff_support import FakeReactor, Recorders
from svckit.environment import settings_from
from svckit.handoff import peers
from svckit.handoff.codec import Hello, decode
from svckit.handoff.peers import uid_of_peer
from svckit.handoff.replica import HandoffReplica
from svckit.handoff.socketfile import bind, connect
from svckit.settings import BadOptions, Settings


def test_both_ends_see_our_user(folder: Path) -> None:
    with bind(folder / "a.sock") as listener, connect(folder / "a.sock") as link:
        accepted, _ = listener.accept()
        with accepted:
            assert uid_of_peer(link) == uid_of_peer(accepted) == os.getuid()


@pytest.mark.parametrize(
    ("router", "peer", "served"),
    [(None, 4711, True), (20_000, 20_000, True), (20_000, os.getuid(), True), (20_000, 4711, False), (20_000, 65_534, False)],
)
def test_who_is_served(folder: Path, monkeypatch: pytest.MonkeyPatch, router: int | None, peer: int, served: bool) -> None:
    """Our own user is, as that is who asks whether the container is healthy."""
    monkeypatch.setattr(peers, "uid_of_peer", lambda link: peer)
    reactor = FakeReactor()
    settings = Settings(service="s", replica="a", state=folder, router_uid=router)
    replica = HandoffReplica(settings, Recorders(), folder, reactor)  # type: ignore[arg-type]
    replica.startService()
    with connect(replica.path) as link:
        reactor.settle()
        said = link.recv(1000)
        assert (isinstance(decode(said), Hello) if served else said == b"") is True
        assert len(replica._links) == served
    replica.stopService()
    reactor.settle()


def test_the_router_s_user_comes_from_the_environment() -> None:
    assert settings_from("s", {"PORTICO_ROUTER_UID": "20000"}).router_uid == 20_000
    assert settings_from("s", {"PORTICO_ROUTER_UID": ""}).router_uid is None
    assert settings_from("s", {}).router_uid is None
    with pytest.raises(BadOptions, match=r"PORTICO_ROUTER_UID.*'router'"):
        settings_from("s", {"PORTICO_ROUTER_UID": "router"})
