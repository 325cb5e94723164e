"""The true address of the client reaches the service, whatever stands between."""

import time
import uuid

import pytest

from .support.deployments import sites
from .support.site import Site, json_lines


@pytest.mark.parametrize("site", sites("in-process", compose=False) + sites("handoff", compose=False), indirect=True)
def test_a_service_sees_the_client_s_address(site: Site) -> None:
    mark = f"/static/{uuid.uuid4().hex}"
    assert site.get(mark, headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 404
    deadline = time.monotonic() + 10
    while True:
        seen = [event["client"] for event in json_lines(site.log()) if event.get("uri") == mark and "client" in event]
        if seen or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert seen == [site.client]


@pytest.mark.parametrize("site", sites("tcp", compose=False), indirect=True)
def test_a_server_reached_by_tcp_is_told_the_client_s_address(site: Site) -> None:
    asked = site.get("/app/asked?x=y", headers={"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "gopher"}).json()
    assert asked["fields"]["X-Forwarded-For"] == f"192.0.2.1, {site.client}"
    assert asked["client"] == site.client
    assert asked["url"] == f"{site.url}/app/asked?x=y"
