"""Runs pytest on a mutant: `python -m cocotb_tests.mutants.worker MODULE NUMBER WORD...`.

Ends as pytest does, with the words as its command line.
"""

import sys

import pytest

from cocotb_tests.mutants.operators import mutants
from proofs.altered import alter, source_of


def main() -> int:
    module, number, *words = sys.argv[1:]
    alter(module, mutants(source_of(module).read_text())[int(number)].text)
    return int(pytest.main(words))


if __name__ == "__main__":
    sys.exit(main())
