"""Decides a proof of a unit that was broken on purpose: `python -m proofs.broken IDENTITY`.

Prints the verdict as JSON. A process of its own, because the unit's module is imported altered.
"""

import json
import subprocess
import sys
from dataclasses import asdict

from proofs.altered import alter, replaced

DEFAULT_SECONDS = 300


def decide_broken(identity: str, broken: tuple[str, str, str]) -> dict:
    """The verdict on the proof with the unit broken, in another process.

    Raises RuntimeError with its output if that fails.
    """
    words = [sys.executable, "-m", "proofs.broken", identity, *broken]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{identity} could not be broken:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


def main() -> None:
    identity, module, old, new = sys.argv[1:]
    alter(module, replaced(module, old, new))
    # Only now, because it imports the units.
    from proofs.catalogue import PROOFS
    from proofs.solver import decide

    print(json.dumps(asdict(decide(PROOFS[identity], seconds=DEFAULT_SECONDS))))


if __name__ == "__main__":
    main()
