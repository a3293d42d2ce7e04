"""pytest on the project's tests, also the long ones, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_pytest(
    words: Sequence[str], *, workers: int, environment: Mapping[str, str] | None = None
) -> int:
    """What pytest ends with; its words, which are progress, go to standard error."""
    side_by_side = ["-n", str(workers), "--dist=worksteal"] if workers > 1 else []
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--long"]
    return subprocess.run(
        [*command, *side_by_side, *words],
        cwd=ROOT,
        env=os.environ | (environment or {}),
        stdout=sys.stderr,
        check=False,
    ).returncode
