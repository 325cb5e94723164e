"""The static service alone, behind a router in one process, over a folder of a test's own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .one_process import BIN, OneProcess
from .site import free_port, wait_for_answer

__all__ = ["static_site"]

_CONFIGURATION = """
[[listeners]]
address = "127.0.0.1:{port}"

[[routes]]
prefix = "/"
service = "static"

[services.static]
target = "handoff"
options = {{{options}}}
"""


@contextmanager
def static_site(folder: Path, root: Path, options: Mapping[str, str] | None = None) -> Iterator[OneProcess]:
    """Runs while the block does; `folder` is for its state, `options` are TOML values."""
    port = free_port()
    written = {"root": f'"{root}"', **(options or {})}
    text = _CONFIGURATION.format(port=port, options=", ".join(f"{key} = {value}" for key, value in written.items()))
    (folder / "portico.toml").write_text(text)
    command: list[str | Path] = [BIN / "portico", "run", "--in-process", "--state", folder / "state", folder / "portico.toml"]
    running = OneProcess(command, port, folder / "log")
    try:
        wait_for_answer("127.0.0.1", port)
        yield running
    finally:
        running.stop()
