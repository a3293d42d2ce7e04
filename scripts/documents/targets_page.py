"""The page of make's targets, from their table."""

from scripts.documents.markdown import table
from scripts.targets import TARGETS

_INTRODUCTION = """\
# Make targets

Each target calls the commands beside it; `make help` lists them in a terminal. A variable that no
target of the call takes is refused with the nearest name, before anything runs. Switches are `1`,
`yes`, `true`, `on` or `0`, `no`, `false`, `off`. Where several values stand in quotes, blanks part
them. Variables of the environment count, too, after those of the command line; an empty one is
none.

"""


def page() -> str:
    """Every target: what it does, what it runs, its variables with an example each."""
    rows = (
        [
            f"`make {name}`",
            target.does,
            "; ".join(f"`{command}`" for command in target.commands),
            " ".join(f"`{one.shown(key)}`" for key, one in target.variables.items()),
        ]
        for name, target in TARGETS.items()
    )
    return _INTRODUCTION + table(["target", "does", "runs", "variables"], rows)
