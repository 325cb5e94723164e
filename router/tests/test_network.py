"""The network that is gone."""

from pathlib import Path

from portico.network import LOOK_INTERVAL, LOOKS, NetworkWatch

from .support.reactor import HandReactor
from .support.wires import as_reactor


def watch(reactor: HandReactor, folder: Path, *interfaces: str) -> tuple[NetworkWatch, list[str]]:
    for name in interfaces:
        (folder / name).mkdir()
    lost: list[str] = []
    made = NetworkWatch(as_reactor(reactor), lambda: lost.append("lost"), folder)
    made.start()
    return made, lost


def test_it_is_lost_when_the_last_other_interface_has_gone(reactor: HandReactor, tmp_path: Path) -> None:
    _, lost = watch(reactor, tmp_path, "lo", "eth0", "eth1")
    reactor.advance(LOOK_INTERVAL)
    (tmp_path / "eth0").rmdir()
    reactor.advance(LOOK_INTERVAL)
    assert lost == []
    (tmp_path / "eth1").rmdir()
    for _ in range(LOOKS):
        assert lost == []
        reactor.advance(LOOK_INTERVAL)
    assert lost == ["lost"]
    reactor.advance(LOOK_INTERVAL)
    assert lost == ["lost"]
    assert not reactor.getDelayedCalls()


def test_one_that_comes_back_in_time_was_never_lost(reactor: HandReactor, tmp_path: Path) -> None:
    _, lost = watch(reactor, tmp_path, "eth0")
    for _ in range(LOOKS):
        (tmp_path / "eth0").rmdir()
        for _ in range(LOOKS - 1):
            reactor.advance(LOOK_INTERVAL)
        (tmp_path / "eth0").mkdir()
        reactor.advance(LOOK_INTERVAL)
    assert lost == []


def test_without_a_network_there_is_nothing_to_lose(reactor: HandReactor, tmp_path: Path) -> None:
    _, lost = watch(reactor, tmp_path, "lo")
    reactor.advance(LOOK_INTERVAL)
    assert lost == []
    assert not reactor.getDelayedCalls()


def test_stopped_it_looks_no_more(reactor: HandReactor, tmp_path: Path) -> None:
    made, lost = watch(reactor, tmp_path, "lo", "eth0")
    made.stop()
    (tmp_path / "eth0").rmdir()
    for _ in range(LOOKS + 1):
        reactor.advance(LOOK_INTERVAL)
    assert lost == []


def test_the_real_folder_has_a_loopback_interface() -> None:
    from portico.network import INTERFACES

    assert (INTERFACES / "lo").exists()
