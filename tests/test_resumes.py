"""A short version of `python -m tests.resumes`: tuspy, a way that breaks, and replicas that come and go."""

import tempfile
from pathlib import Path

from .resumes.runs import make_file, upload
from .resumes.stage import stage


def test_tuspy_goes_on_whatever_happens(tmp_path: Path) -> None:
    digest = make_file(tmp_path / "source", 30_000_000)
    with tempfile.TemporaryDirectory(prefix="resumes-") as name, stage(Path(name), tmp_path / "root") as made:
        run = upload(made, "tuspy", tmp_path / "source", digest, cuts=4)
        assert (run.same, run.left, run.cuts, run.replicas) == (True, 0, 4, [1, 3, 1]), f"{run}\n{made.log}"
