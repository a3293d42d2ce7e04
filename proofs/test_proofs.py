"""Every proof holds, and does not of a unit that is broken; the solver says what is wrong."""

import json

import pytest
from amaranth.hdl import Module, Signal

from proofs.altered import alter, replaced
from proofs.broken import decide_broken
from proofs.catalogue import PROOFS, chosen
from proofs.command import FILE
from proofs.harness import Harness, assume
from proofs.proof import Proof
from proofs.solver import decide
from rtl_gen.common.contract import require
from rtl_gen.errors import UserError

LONG = ("pruning.pruning:cascade",)


@pytest.mark.parametrize(
    "identity",
    [pytest.param(one, marks=[pytest.mark.long] if one in LONG else []) for one in PROOFS],
)
def test_proof(identity):
    verdict = decide(PROOFS[identity])
    assert verdict.holds, verdict


@pytest.mark.parametrize("identity", PROOFS)
def test_proof_notices(identity):
    verdict = decide_broken(identity, PROOFS[identity].broken)
    assert verdict["holds"] is False
    assert verdict["broken"]
    assert verdict["cycles"]


@pytest.mark.parametrize("identity", PROOFS)
def test_what_breaks_a_proof_is_in_the_text(identity):
    assert replaced(*PROOFS[identity].broken)


class Counter(Harness):
    """Counts to five, with three properties of which the second is untrue at a count of 4."""

    def claim(self, m: Module) -> None:
        step, count = self.free(1, "step"), Signal(3)
        memory = Signal(4, reset_less=True)
        with m.If(step & (count != 5)):
            m.d.sync += count.eq(count + 1)
        m.d.sync += memory.eq(memory)
        assume(m, memory != 7)
        require(m, count <= 5, "beyond five")
        require(m, (count != 4) | (memory != self.untrue), "four with that memory")
        require(m, memory != 7, "what is assumed")

    untrue = 9


class TrueCounter(Counter):
    untrue = 7


def proof(harness: type[Harness], depth: int | None = None) -> Proof:
    nothing = ("", "", "")
    return Proof(unit="c", name="n", claim="", harness=harness, depth=depth, broken=nothing)


@pytest.mark.parametrize("depth", [None, 8])
def test_what_is_untrue_comes_with_inputs(depth):
    """Registers without a reset hold anything, and the message is that of the right assertion."""
    verdict = decide(proof(Counter, depth))
    assert verdict.holds is False
    assert verdict.broken == "four with that memory"
    assert sum(cycle["step"] for cycle in verdict.cycles) >= 4
    assert decide(proof(TrueCounter, depth)).holds


def test_depth_counts_from_the_reset():
    """The count is 4 in the fifth cycle behind the reset."""
    assert decide(proof(Counter, 4)).holds
    assert decide(proof(Counter, 5)).holds is False


def test_modules_are_altered_before_they_are_imported_only():
    with pytest.raises(ValueError, match="expected one"):
        replaced("rtl_gen.common.queue", "eq", "ne")
    with pytest.raises(RuntimeError, match="imported already"):
        alter("rtl_gen.common.queue", "")


def test_command(tmp_path, command, capsys):
    assert command("prove", "--unit", "queue", "--out", tmp_path) == 0
    assert "proved" in capsys.readouterr().out
    (row,) = json.loads((tmp_path / FILE).read_text())["proofs"]
    assert row["holds"]
    assert (row["unit"], row["method"]) == ("common.queue", "induction")


def test_unknown_units_are_refused():
    with pytest.raises(UserError, match=r"no proofs of 'nothing': expected one of common\.queue"):
        chosen("nothing")
