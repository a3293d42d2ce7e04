"""All proofs, by their identity "unit:name", in the order of the units."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from proofs import attention, bus, common, control, core, pruning
from proofs.proof import Proof
from rtl_gen.errors import UserError

PROOFS: Mapping[str, Proof] = MappingProxyType(
    {
        proof.identity: proof
        for module in (common, bus, pruning, attention, control, core)
        for proof in module.PROOFS
    }
)


def chosen(unit: str | None) -> Sequence[Proof]:
    """Those of a unit, named as a module of rtl_gen or by its last part; None: all.

    Raises:
        UserError: there are none.
    """
    found = [p for p in PROOFS.values() if unit in (None, p.unit, p.unit.rpartition(".")[2])]
    if not found:
        units = ", ".join(dict.fromkeys(p.unit for p in PROOFS.values()))
        raise UserError(f"no proofs of {unit!r}: expected one of {units}")
    return found
