"""What a journal keeps when its disk fills up, and what it refuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from model.files.journal import Journal
from rtl_gen.errors import UserError

FILL = """
import resource, sys
from pathlib import Path
from model.files.journal import Journal
journal = Journal(Path(sys.argv[1]))
journal.append({"index": 0})
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 10_000))
try:
    journal.append({"index": 1, "text": "x" * 200})
except ValueError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
journal.append({"index": 2})
"""


def test_a_full_disk_costs_the_entries_that_did_not_fit(tmp_path: Path):
    path = tmp_path / "new" / "journal.jsonl"
    found = subprocess.run(
        [sys.executable, "-c", FILL, path], capture_output=True, check=True, text=True
    )
    assert found.stdout == f"cannot write {path} (File too large): choose another place\n"
    assert path.stat().st_size > 100
    assert Journal(path).entries == [{"index": 0}, {"index": 2}]


def test_a_journal_is_a_file(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, message in (
        (pipe, "it is no file"),
        (tmp_path, "it is a folder"),
        (tmp_path / "pipe" / "below", "Not a directory"),
    ):
        with pytest.raises(UserError, match=message):
            Journal(path)
