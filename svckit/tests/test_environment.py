"""Settings from the environment."""

import os
import socket
from pathlib import Path

import pytest
from svckit.environment import folder_of, replica_prefix, settings_from
from svckit.settings import BadOptions


def test_every_variable_has_a_default() -> None:
    settings = settings_from("static", {})
    assert settings.service == "static"
    assert settings.replica == f"{socket.gethostname()}-{os.getpid()}"
    assert settings.replica.startswith(replica_prefix())
    assert (settings.state, settings.auth, settings.drain_time) == (Path("/state"), None, 10.0)
    assert settings.hand_back_timeout == 30.0
    assert dict(settings.options) == {}
    assert folder_of("static", {}) == Path("/run/portico/static")


def test_every_variable_is_heard() -> None:
    environment = {
        "PORTICO_RUN": "/r",
        "PORTICO_STATE": "/s",
        "PORTICO_AUTH": "/a",
        "PORTICO_DRAIN_TIME": "2.5",
        "PORTICO_HAND_BACK_TIMEOUT": "60",
        "PORTICO_REPLICA": "one",
        "PORTICO_OPTION_ROOT": "/srv",
        "PORTICO_OPTION_MAX_SIZE": "10",
        "PORTICO_OPTIONS": "not one",
        "HOME": "/root",
    }
    settings = settings_from("static", environment)
    assert (settings.state, settings.auth, settings.drain_time) == (Path("/s"), Path("/a"), 2.5)
    assert settings.hand_back_timeout == 60.0
    assert settings.replica == "one"
    assert dict(settings.options) == {"root": "/srv", "max_size": "10"}
    assert folder_of("static", environment) == Path("/r/static")


def test_empty_means_not_said() -> None:
    settings = settings_from("static", {"PORTICO_REPLICA": "", "PORTICO_AUTH": ""})
    assert settings.replica.startswith(replica_prefix())
    assert settings.auth is None


def test_a_time_may_be_nothing() -> None:
    settings = settings_from("static", {"PORTICO_DRAIN_TIME": "0", "PORTICO_HAND_BACK_TIMEOUT": "0"})
    assert (settings.drain_time, settings.hand_back_timeout) == (0.0, 0.0)


@pytest.mark.parametrize("name", ["PORTICO_DRAIN_TIME", "PORTICO_HAND_BACK_TIMEOUT"])
@pytest.mark.parametrize("value", ["soon", "", "10s", "-1", "nan", "inf", "-inf"])
def test_a_time_is_a_number_of_seconds(name: str, value: str) -> None:
    with pytest.raises(BadOptions, match=f"{name}.*seconds.*{value!r}"):
        settings_from("static", {name: value})


def test_the_process_has_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_RUN", "/elsewhere")
    monkeypatch.setenv("PORTICO_DRAIN_TIME", "3")
    assert folder_of("static") == Path("/elsewhere/static")
    assert settings_from("static").drain_time == 3.0
