"""Which tests judge a mutant: from the nearest to the widest, or those that reach its line."""

from dataclasses import dataclass, replace
from pathlib import Path

from cocotb_tests.mutants.drawing import HARDWARE, ROOT, Drawn
from cocotb_tests.mutants.reaching import Reaching
from proofs.altered import source_of

_PROGRAMS = ("test_layers", "test_network", "test_cycles", "test_errors", "test_bus_faults")
"""What runs programs on the whole accelerator, preset `tiny`, and reaches every unit."""


@dataclass(frozen=True)
class Stage:
    """Some tests, as words of pytest's command line; `seconds`: after which they hang."""

    name: str
    words: tuple[str, ...]
    seconds: int = 600

    def files(self) -> set[Path]:
        """The modules of its tests, and all others in a folder of tests."""
        named = (ROOT / word.partition("::")[0] for word in self.words)
        return {
            path
            for name in named
            if name.exists()
            for path in (name.rglob("*.py") if name.is_dir() else [name])
        }


_TINY = "tiny and not deit"
_ANY_PROGRAM = f"{_TINY} or errors or faults"
_ICARUS = ("--sim", "icarus")
_LONG = "--long"
_HANGS = 60_000
"""Cycles after which a program hangs: the longest of these tests' takes less than a third."""


def _runs(name: str, *files: str, tests: str, seconds: int = 600) -> Stage:
    """Those `tests` of programs on the whole accelerator that stand in the `files`."""
    paths = (str(ROOT / f"cocotb_tests/network/{file}.py") for file in files)
    return Stage(name, (*paths, "-k", tests, *_ICARUS, f"--limit-cycles={_HANGS}"), seconds)


_CYCLES = _runs("cycles", "test_cycles", tests=_TINY)
_TENSORS = _runs("rtl", "test_layers", "test_network", tests=_TINY)
_WIPE = _runs("wipe", "test_wipe", tests="another_size")
_BESIDE_RTL = {
    "sim_models": _CYCLES,
    "model.program": _TENSORS,
    "model.integer": _TENSORS,
    "model.program.wipe": _WIPE,
}
"""The cycle model, the compiler and the golden model beside the RTL, preset `tiny`, by package or
module. Of the cycle model that is about its own modules; those in its folders make sweeps and
figures."""


def stages(drawn: Drawn, reaching: Reaching | None = None, *, long: bool = False) -> list[Stage]:
    """Tests beside the module, of its name, of its folder, of all; in Python's packages, if that is
    known, those that reach the line; of what the RTL is compared with also runs of it.

    `long`: tests that are marked so, too. What reaches a line may be one in any case.
    """
    package, *folders, name = drawn.module.split(".")
    runs = [_BESIDE_RTL[of] for of in (drawn.module, drawn.package) if of in _BESIDE_RTL]
    if package == HARDWARE:
        found = _of_hardware(folders, name)
    elif reaching is None:
        found = [*_of_python(package, folders, name), *runs]
    else:
        found = [*_of_line(drawn, reaching), *runs]
    return [replace(one, words=(*one.words, _LONG)) if long else one for one in found]


def _of_line(drawn: Drawn, reaching: Reaching) -> list[Stage]:
    tests, seconds = reaching.tests(source_of(drawn.module), drawn.mutant.line)
    words = (*(f"{ROOT}/{test}" for test in tests), _LONG)
    return [Stage("reaching", words, 30 + 4 * round(seconds))] if tests else []


def _of_python(package: str, folders: list[str], name: str) -> list[Stage]:
    inside = "tests" if package == "model" else ""
    root = ROOT / package / inside
    folder = root.joinpath(*folders)
    named = sorted(map(str, folder.glob(f"test_*{name}*.py")))
    found = [Stage("module", tuple(named))] if named else []
    if folders and any(folder.glob("test_*.py")):
        found.append(Stage("folder", (str(folder),)))
    return [*found, Stage("package", (str(root),), 3600)]


def _of_hardware(folders: list[str], name: str) -> list[Stage]:
    beside, benches = ROOT.joinpath(HARDWARE, *folders), ROOT.joinpath("cocotb_tests", *folders)
    found = []
    if folders and any(beside.glob("test_*.py")):
        found.append(Stage("beside", (str(beside),)))
    if folders and any(benches.glob("test_*.py")):
        # The unit's tests have its name or that of its class, whatever the case.
        words = f"{name} or {name.replace('_', '')}"
        found.append(Stage("module", (str(benches), "-k", words, *_ICARUS)))
        found.append(Stage("folder", (str(benches), "-k", f"not ({words})", *_ICARUS)))
    return [*found, _runs("programs", *_PROGRAMS, tests=_ANY_PROGRAM, seconds=3600)]
