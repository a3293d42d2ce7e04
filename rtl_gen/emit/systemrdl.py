"""The register map as SystemRDL 2.0, the source of whatever a flow wants to know of registers."""

from collections.abc import Iterable

from rtl_gen.bus import axi
from rtl_gen.control.register_map import MAP_ADDRESS_BITS, Access, Field, Register

NAME = "sparse_vit"
"""Of the address map, and so of what is made of it."""

_SOFTWARE = {
    Access.READ_ONLY: "sw = r; hw = w;",
    Access.READ_WRITE: "sw = rw; hw = r;",
    Access.WRITE_ONLY: "sw = w; hw = r; singlepulse;",
}


def systemrdl(registers: Iterable[Register], constants: Iterable[str]) -> str:
    """Text of an address map of 4 KB; `constants` names the registers that never change."""
    registers = list(registers)
    enums = [_enum(field) for register in registers for field in register.fields if field.values]
    bodies = [_register(register, register.name in constants) for register in registers]
    return (
        f"// Registers of a sparse ViT accelerator: AXI4-Lite, {1 << MAP_ADDRESS_BITS} bytes.\n"
        + "".join(enums)
        + f"addrmap {NAME} {{\n"
        + '  name = "Sparse ViT accelerator";\n'
        + f"  default regwidth = {axi.LITE_DATA_BITS};\n"
        + f"  default accesswidth = {axi.LITE_DATA_BITS};\n"
        + "".join(bodies)
        + "};\n"
    )


def _register(register: Register, constant: bool) -> str:  # noqa: FBT001
    software = "sw = r; hw = na;" if constant else _SOFTWARE[register.access]
    fields = "".join(_field(field, software) for field in register.fields)
    return (
        f'  reg {{\n    desc = "{register.description}";\n{fields}'
        f"  }} {register.name} @ {register.offset:#x};\n"
    )


def _field(field: Field, software: str) -> str:
    high = field.low + field.width - 1
    encode = f" encode = {_enum_name(field)};" if field.values else ""
    return (
        f'    field {{ desc = "{field.description}"; {software}{encode} }} '
        f"{field.name}[{high}:{field.low}] = {field.width}'h{field.reset:x};\n"
    )


def _enum_name(field: Field) -> str:
    return f"{NAME}_{field.name}"


def _enum(field: Field) -> str:
    values = "".join(
        f"  {name} = {field.width}'d{number};\n" for name, number in field.values.items()
    )
    return f"enum {_enum_name(field)} {{\n{values}}};\n"
