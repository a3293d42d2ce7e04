"""What programs did, as bins of cocotb-coverage: two crosses.

`work`: a command that ended well, on how many live tokens, behind which pruning, on which memory.
`ends`: how programs ended, at which command, on which memory. One cross of all would ask for every
refusal on every number of tokens, which the checks in front of the units do not depend on.
"""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from cocotb_coverage.coverage import CoverageDB, CoverCross, CoverPoint

from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.program import ErrorCode

HEADER, UNKNOWN = "header", "unknown"
"""Where a program ended before its first command, and at one without an opcode."""

COMMANDS = [HEADER, *(opcode.name for opcode in Opcode), UNKNOWN]
TOKENS = ["none", "one", "few", "many", "full"]
"""Live ones: none before the first SET_TOKENS, few up to half of what the hardware holds."""
KEPT = ["all", "some", "prefix"]
"""By the PRUNEs behind the last SET_TOKENS; a prefix has no token that was chosen."""
STALLS = ["none", "fixed", "random"]
"""A memory as fast as it can be, slower by a fixed time, or with pauses at random."""
ERRORS = [error.name for error in ErrorCode]


@CoverPoint("programs.command", vname="command", bins=[opcode.name for opcode in Opcode])
@CoverPoint("programs.tokens", vname="tokens", bins=TOKENS)
@CoverPoint("programs.kept", vname="kept", bins=KEPT)
@CoverPoint("programs.stalls", vname="stalls", bins=STALLS)
@CoverCross(
    "programs.work",
    items=["programs.command", "programs.tokens", "programs.kept", "programs.stalls"],
)
def sample_work(command: str, tokens: str, kept: str, stalls: str) -> None:
    """A command that ended well."""


@CoverPoint("programs.last", vname="command", bins=COMMANDS)
@CoverPoint("programs.error", vname="error", bins=ERRORS)
@CoverPoint("programs.memory", vname="stalls", bins=STALLS)
@CoverCross("programs.ends", items=["programs.last", "programs.error", "programs.memory"])
def sample_end(command: str, error: str, stalls: str) -> None:
    """A program that ended at a command."""


CROSSES = ("programs.work", "programs.ends")
"""What is reported; the points are their sides."""


def write_bins(path: Path) -> None:
    """All samples of this process."""
    CoverageDB().export_to_xml(str(path))


def read_bins(path: Path) -> Counter[str]:
    """Samples by bin, such as "work: LOAD, full, all, random"."""
    counts: Counter[str] = Counter()
    for cross in CROSSES:
        for one in ElementTree.parse(path).getroot().find(cross.replace(".", "/")):
            counts[_name(cross, _words(one.attrib["bin"]))] += int(one.attrib["hits"])
    return counts


def all_bins() -> Counter[str]:
    """Every bin, without a sample."""
    crosses = {cross: CoverageDB()[cross].detailed_coverage for cross in CROSSES}
    return Counter({_name(cross, words): 0 for cross, bins in crosses.items() for words in bins})


def _name(cross: str, words: Iterable[str]) -> str:
    return f"{cross.rpartition('.')[2]}: {', '.join(words)}"


def _words(text: str) -> list[str]:
    """Of a tuple, as cocotb-coverage writes it."""
    return re.findall(r"'(.*?)'", text)
