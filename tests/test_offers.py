"""Each client logs in by each scheme that it knows: what `tests/test_logins.py` cannot change in its containers."""

from pathlib import Path

import pytest

from .logins.clients import OFFERS, User
from .logins.runs import of_logins
from .support.one_process import OneProcess
from .support.site import ROOT, Site, first_password, free_port, json_lines, wait_for_answer


@pytest.mark.parametrize("name", ["MD5 first", "Basic alone"])
def test_clients_take_what_is_offered(name: str, tmp_path: Path) -> None:
    offer, port = OFFERS[name], free_port()
    options = f'\n[in_process.options.authsvc]\nschemes = "{offer.schemes}"\ndigest_algorithms = "{offer.algorithms}"\n'
    (tmp_path / "portico.toml").write_text((ROOT / "router/portico.toml").read_text() + options)
    running = OneProcess.portico(port, tmp_path, tmp_path / "portico.toml")
    try:
        wait_for_answer("127.0.0.1", port)
        site = Site("127.0.0.1", port, first_password(running.log))
        seen, wrong = of_logins(site, User(*site.login), offer, 4, 1, lambda: json_lines(running.log))
    finally:
        running.stop()
    assert wrong == [], seen
