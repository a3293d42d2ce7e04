"""Multipliers as modules of their own, one a size, for flows that map module by module.

An array has hundreds of equal ones: gates for one of them serve all. A register follows every
multiplier, so that nothing is lost at its border.
"""

_PARAMETERS = ("A_SIGNED", "B_SIGNED", "A_WIDTH", "B_WIDTH", "Y_WIDTH")


def _multiplier(module: str, inner: str, instance: str, attribute: str = "") -> str:
    parameters = "\n".join(f"  parameter {name} = 1;" for name in _PARAMETERS)
    passed = ", ".join(f".{name}({name})" for name in _PARAMETERS)
    return f"""{attribute}
module {module}(A, B, Y);
{parameters}
  input [A_WIDTH-1:0] A;
  input [B_WIDTH-1:0] B;
  output [Y_WIDTH-1:0] Y;
  \\{inner} #({passed}) {instance} (.A(A), .B(B), .Y(Y));
endmodule
"""


MODULE = _multiplier("multiplier", "$mul", "product")
"""Verilog for `read_verilog -icells -defer`: the module."""

SHARE = _multiplier("shared", "multiplier", "_TECHMAP_REPLACE_", '(* techmap_celltype = "$mul" *)')
"""Verilog for `techmap -map`: a multiplication becomes an instance of it."""
