"""Files that appear in a service's folder under names that are no text."""

import os
from pathlib import Path

import msgspec
import pytest
from portico.balancing import Balancer
from portico.config import Handoff, Limits
from portico.poller import Poller
from portico.service import RoutedService
from portico.targets.handoff import SCAN_INTERVAL, HandoffTarget
from svckit.handoff import socketfile

from .support.reactor import HandReactor
from .support.wires import Answers, Logged, as_reactor


@pytest.mark.parametrize(
    ("name", "linked"), [(b"one.sock", 1), ("\u00e9.sock".encode(), 1), (b"\xff.sock", 0), (b"a\nb.sock", 0)]
)
def test_only_names_that_can_be_shown_are_linked(
    reactor: HandReactor, poller: Poller, answers: Answers, logged: Logged, folder: Path, name: bytes, linked: int
) -> None:
    service = RoutedService("static", Limits(), as_reactor(reactor), answers)
    target = service.target = HandoffTarget(
        service, folder, (), 2.0, poller, as_reactor(reactor), lambda arrival: None, logged.log, Balancer(Handoff())
    )
    listener = socketfile.bind(folder / os.fsdecode(name))
    target.start()
    reactor.advance(SCAN_INTERVAL)
    assert len(target._links) == linked
    assert msgspec.json.encode(target.status())  # it says nothing yet, and is shown by its file's name
    target.close()
    listener.close()
