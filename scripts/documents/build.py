"""`make docs`: the site in `build/docs/`; a warning is an error.

python -m scripts.documents.build [option of `mkdocs build` ...]
"""

import os
import sys

from mkdocs.__main__ import cli

THEME_REMARK = "NO_MKDOCS_2_WARNING"
"""Stops the theme's remark on MkDocs 2, which constraints.txt keeps out."""


def main(*options: str) -> None:
    os.environ[THEME_REMARK] = "1"
    cli(["build", "--strict", *options])


if __name__ == "__main__":
    main(*sys.argv[1:])
