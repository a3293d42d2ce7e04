"""What the C driver's templates leave open: errors and counters, as the tables have them."""

from collections.abc import Mapping

from rtl_gen.control.register_map import COUNTERS_OFFSET, RegisterMap
from rtl_gen.interfaces.program import ErrorCode


def driver_values(registers: RegisterMap) -> Mapping[str, str]:
    """Lists in C of the error codes and of the counter registers."""
    names = {f"SPARSE_VIT_ERROR_{code.name}": code for code in ErrorCode}
    counters = [register for register in registers if register.offset >= COUNTERS_OFFSET]
    return {
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
