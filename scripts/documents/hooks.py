"""What mkdocs calls: pages that are made anew in every build, from the code that they describe."""

from collections.abc import Callable
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from scripts.documents import commands_page, configuration_page, targets_page

ROOT = Path(__file__).parents[2]


def _of_the_top_level(name: str) -> Callable[[], str]:
    """A document that repositories keep beside the README; its links are seen from `docs/`."""
    return lambda: (ROOT / name).read_text().replace("](docs/", "](")


PAGES: dict[str, Callable[[], str]] = {
    "reference/commands.md": commands_page.page,
    "reference/targets.md": targets_page.page,
    "reference/configuration.md": configuration_page.page,
    "contributing.md": _of_the_top_level("CONTRIBUTING.md"),
    "changelog.md": _of_the_top_level("CHANGELOG.md"),
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that no file of `docs/` holds."""
    for path, text in PAGES.items():
        files.append(File.generated(config, path, content=text()))
    return files
