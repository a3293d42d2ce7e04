"""What the C driver's templates leave open: errors and counters, as the tables have them."""

from collections.abc import Mapping

from rtl_gen.control.register_map import COUNTERS_OFFSET, PAGES, RegisterMap
from rtl_gen.interfaces.program import ErrorCode


def driver_values(registers: RegisterMap) -> Mapping[str, str]:
    """Lists in C of error codes, counter registers and registers that hold addresses."""
    wide = len(registers.words("program_address")) > 1
    names = {f"SPARSE_VIT_ERROR_{code.name}": code for code in ErrorCode}
    counters = [register for register in registers if register.offset >= COUNTERS_OFFSET]
    return {
        "address_type": "uint64_t" if wide else "uint32_t",
        "start_address": _writes(registers, "program_address", "address"),
        "pages": "\n".join(
            f"    sparse_vit_address {name}; /* {text.split(':')[0]} */"
            for name, text in PAGES.items()
        ),
        "page_writes": "\n".join(_writes(registers, name, f"bounds->{name}") for name in PAGES),
        "errors": ",\n".join(f"    {name} = {int(code)}" for name, code in names.items()),
        "error_names": "\n".join(
            f'    case {name}:\n        return "{code.name.lower().replace("_", " ")}";'
            for name, code in names.items()
        ),
        "counters": "\n".join(
            f"    uint32_t {register.name}; /* {register.description} */" for register in counters
        ),
        "counter_reads": "\n".join(
            f"    counters->{register.name} = READ({register.name});" for register in counters
        ),
    }


def _writes(registers: RegisterMap, name: str, value: str) -> str:
    """Of a number to the one or two registers that hold it."""
    halves = (f"(uint32_t){value}", f"(uint32_t)({value} >> 32)")
    return "\n".join(
        f"    WRITE({register.name}, {half});"
        for register, half in zip(registers.words(name), halves, strict=False)
    )
