"""Paths inside and outside of a jail (`--chroot`)."""

from pathlib import Path

__all__ = ["inside"]


def inside(path: Path, jail: Path) -> Path:
    """What an absolute path outside is called in the jail.

    A path that leads into the jail loses the jail's own; any other is the same name in there, whatever it leads to.
    """
    for each in (path, path.parent.resolve() / path.name):
        for root in (jail, jail.resolve()):
            if each.is_relative_to(root):
                return Path("/") / each.relative_to(root)
    return path
