"""The parts of an accelerator that are synthesized on their own.

A unit is named by its instances below a core, the cluster or the top, such as `attention`,
`attention.softmax` or `dispatcher`; `core_rest`, `cluster_rest` and `top_rest` are what these hold
between their units. All cores are alike: their units are looked at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rtl_gen.emit.verilog import Design
from rtl_gen.errors import UserError


@dataclass(frozen=True)
class Unit:
    """A module to map, without the modules that count elsewhere."""

    name: str
    module: str
    without: tuple[str, ...] = ()
    copies: int = 1
    """So many are in the design."""


def units(design: Design) -> list[Unit]:
    """The units that make up the design: a core's, then the cluster's and the top's."""
    top = design.modules[design.name].instances
    cluster = design.modules[top["cluster"]].instances
    cores = [module for name, module in cluster.items() if name.startswith("core_")]
    core = design.modules[cores[0]].instances
    return [
        *_parts("core", cores[0], core, copies=len(cores)),
        *_parts("cluster", top["cluster"], cluster, apart=cores),
        *_parts("top", design.name, top, apart=[top["cluster"]]),
    ]


def _parts(
    name: str,
    module: str,
    instances: Mapping[str, str],
    *,
    apart: Sequence[str] = (),
    copies: int = 1,
) -> list[Unit]:
    """The instances of a module but for those that are taken apart, and what is between them."""
    inside = ((_plain(one), kind) for one, kind in instances.items() if kind not in apart)
    parts = [Unit(one, kind, copies=copies) for one, kind in inside]
    return [*parts, Unit(f"{name}_rest", module, tuple(instances.values()), copies)]


def find(design: Design, name: str) -> Unit:
    """The unit `name`, at any depth. Raises UserError with the choices if there is none."""
    known = {unit.name: unit for unit in units(design)}
    if name in known:
        return known[name]
    first, *below = name.split(".")
    if first not in known:
        raise UserError(f"unknown unit {name!r}: expected one of {', '.join(known)}")
    module, path = known[first].module, first
    for part in below:
        instances = design.modules[module].instances
        inner = {_plain(instance): child for instance, child in instances.items()}
        if part not in inner:
            expected = f"one of {', '.join(inner)}" if inner else "no unit inside it"
            raise UserError(f"unknown unit {part!r} of {path}: expected {expected}")
        module, path = inner[part], f"{path}.{part}"
    return Unit(name, module)


def _plain(instance: str) -> str:
    """Without the number that Amaranth adds to tell an instance from a signal."""
    return instance.split("$")[0]
