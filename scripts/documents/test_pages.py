"""What the pages tell a reader to type works, and does what they say."""

from pathlib import Path

import pytest

from scripts.documents.blocks import run, steps

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    if list(steps(path.read_text()))
)
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_tells_to_type(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(page)
