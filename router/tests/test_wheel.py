"""What is in the router's wheel."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROUTER = Path(__file__).resolve().parents[1]


def test_what_twisted_notes_about_its_plugins_is_not_packed(tmp_path: Path) -> None:
    """It stands in the source folder wherever twistd has run from there, and is of that machine."""
    copy = tmp_path / "router"
    shutil.copytree(ROUTER, copy, ignore=shutil.ignore_patterns("tests", "__pycache__", "dropin.cache"))
    (copy / "src/twisted/plugins/dropin.cache").write_bytes(b"")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=copy, check=True, capture_output=True, timeout=60)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert [name for name in names if name.startswith("twisted/")] == ["twisted/plugins/portico_plugin.py"]
    assert "portico/daemon/check.py" in names
