"""What several tests of synthesis need."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def refuses() -> Callable[..., None]:
    """Runs a command that has to end with one line that holds a message."""

    def run(message: str, *command: str) -> None:
        result = subprocess.run(
            [sys.executable, "-m", "sparse_vit", *command],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 2
        assert message in result.stderr
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1

    return run
