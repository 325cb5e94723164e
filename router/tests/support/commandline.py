"""The command line, called in this process or as one of its own."""

import sys

import pytest
from portico.cli import main

CONFIG = """
listeners = [{address = "127.0.0.1:%d"}]
routes = [{prefix = "/", service = "web"}]
services.web = {target = "tcp", address = "127.0.0.1:9"}
"""
PORTICO = (sys.executable, "-c", "from portico.cli import main; main()")


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code
