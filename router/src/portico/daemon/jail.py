"""What must be in a jail (`--chroot`) besides the daemon's own folders: little, as all modules are loaded before."""

import os
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from ..config import Tcp
from .check_files import READ_FILES, READ_OPTIONS, in_process_options
from .options import PorticoOptions, ServiceOptions
from .plan import Plan

__all__ = ["Need", "needs"]

RESOLVER = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf")
"""What names of tcp services are looked up with."""


class Need(NamedTuple):
    """A file or folder that is to be in the jail as it is outside."""

    path: Path
    why: str
    private: bool = False
    """For the daemon's user only."""
    public: bool = False
    """Comes with Portico, and is for everybody, with whichever umask it was installed."""


def needs(plan: Plan) -> Iterator[Need]:
    """Everything that is copied."""
    yield Need(Path("/etc/localtime"), "times in the log")
    if plan.config_file is not None:
        yield Need(plan.config_file, "SIGHUP reads it again", private=True)
    if plan.config is not None:
        for listener in plan.config.listeners if plan.part is not None else ():
            for path in () if listener.tls is None else (listener.tls.certificate, listener.tls.key):
                if path is not None:
                    yield Need(_absolute(path, plan), f"certificates of {listener.address}", private=True)
        if any(isinstance(service, Tcp) for service in plan.config.services.values()):
            for name in RESOLVER:
                yield Need(Path(name), "names of tcp services")
        if isinstance(plan.part, PorticoOptions):
            for name, options in in_process_options(plan.config).items():
                yield from _of_service(name, options, plan)
    if isinstance(plan.part, ServiceOptions):
        yield from _of_service(str(plan.part["what"] or plan.part["name"]), plan.part.given, plan)


def _of_service(name: str, given: Mapping[str, Any], plan: Plan) -> Iterator[Need]:
    for key in (*READ_OPTIONS, *READ_FILES):
        path = given.get(key)
        if isinstance(path, str) and path and not (key == "root" and name == "uploads"):
            yield Need(_absolute(path, plan), f"{name}: {key}", private=key in READ_FILES)
    if name == "static":
        yield from (Need(path, f"{name}: comes with it", public=True) for path in _with_package("staticsvc", given))


def _with_package(package: str, given: Mapping[str, Any]) -> Iterator[Path]:
    """The folders of static that are used where nothing else is named."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return
    here = Path(next(iter(spec.submodule_search_locations)))
    if not given.get("pages"):
        yield here / "pages"
    if not given.get("root"):
        yield here / "files" if (here / "files").is_dir() else here.parent.parent / "files"


def _absolute(path: str, plan: Plan) -> Path:
    return Path(os.path.normpath(Path("/") / plan.rundir / path))
