"""The parts of an accelerator that are synthesized on their own.

A unit is named by its instances below the core or the top, such as `attention` or
`attention.softmax`; `core_rest` and `top_rest` are what the two hold between their units.
"""

from dataclasses import dataclass

from rtl_gen.emit.verilog import Design
from rtl_gen.errors import UserError


@dataclass(frozen=True)
class Unit:
    """A module to map, without the modules that count elsewhere."""

    name: str
    module: str
    without: tuple[str, ...] = ()


def units(design: Design) -> list[Unit]:
    """The units that make up the design: the core's, then the top's."""
    outer = design.modules[design.name].instances
    core = outer["core"]
    inner = design.modules[core].instances
    found = [Unit(_plain(name), module) for name, module in inner.items()]
    found.append(Unit("core_rest", core, tuple(inner.values())))
    found += [Unit(_plain(name), module) for name, module in outer.items() if module != core]
    found.append(Unit("top_rest", design.name, tuple(outer.values())))
    return found


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
