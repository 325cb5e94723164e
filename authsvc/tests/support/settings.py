"""The settings of an auth service, all in one folder."""

from pathlib import Path

from svckit.settings import Settings


def settings_in(folder: Path, replica: str = "one", **options: object) -> Settings:
    return Settings(service="authsvc", replica=replica, state=folder / "state", auth=folder / "auth", options=options)
