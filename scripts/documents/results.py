"""`make results`: take new measurements from `build/`, write the documents' tables anew."""

from pathlib import Path

from rtl_gen.errors import on_one_line
from rtl_gen.files import replace_file
from scripts.documents.measurements import MEASUREMENTS, ROOT
from scripts.documents.tables import rewritten

PAGES = [ROOT / "docs" / name for name in ("index.md", "results.md", "experiments.md")]


def main() -> None:
    for name, measurement in MEASUREMENTS.items():
        count = measurement.take()
        if count:
            print(f"docs/results/{name}.csv: {count} rows of {measurement.command}")
    for page in PAGES:
        if _rewrite(page):
            print(f"{page.relative_to(ROOT)}: written")


def _rewrite(page: Path) -> bool:
    """Whether a page changed."""
    before = page.read_text()
    after = rewritten(before)
    if after != before:
        with replace_file(page) as file:
            file.write(after.encode())
    return after != before


if __name__ == "__main__":
    with on_one_line():
        main()
