"""The large memories as modules of their own: one read and one write port, both synchronous.

Such a module is what a memory compiler or an FPGA's block RAM stands behind; its name says its
size, so that a flow can replace it. The behavioural text is added to the Verilog of every design
that uses it.

Reading a word in the cycle in which any part of it is written gives anything: block RAM promises
nothing then, and no unit relies on it. In simulation the word is X (Verilator: random); synthesis
takes the attribute `no_rw_check`, without which Yosys builds a bypass around the memory.
"""

import re
from collections.abc import Iterable
from typing import Final

VERILOG: Final = object()
"""The platform for which a design is elaborated when it becomes Verilog."""

WORDS = "words"
"""The memory inside the module."""


EVEN = "_even"
"""End of the name of a memory with parity, whose words are of even parity from the beginning."""


def sram_name(depth: int, width: int, chunks: int, *, even: bool = False) -> str:
    """The module of `depth` words of `width` bits in `chunks` separately written parts."""
    return f"sram_{depth}x{width}_{chunks}{EVEN if even else ''}"


def size(module: str) -> tuple[int, int, int] | None:
    """Depth, width and chunks of the memory that `module` is, if it is one."""
    found = re.fullmatch(rf"sram_(\d+)x(\d+)_(\d+)(?:{EVEN})?", module)
    return tuple(map(int, found.groups())) if found else None


def definitions(modules: Iterable[str]) -> str:
    """Verilog of all memories among the `modules`."""
    srams = sorted((found, module) for module in modules if (found := size(module)))
    return "".join(_definition(module, *found) for found, module in srams)


_ZEROS = f"""  initial begin : zeros
    integer i;
    for (i = 0; i < {{depth}}; i = i + 1)
      {WORDS}[i] = {{width}}'d0;
  end
"""
"""What a memory holds at power-up, if that matters: block RAM of an FPGA does anyway."""

_UNKNOWN = f"""    if (read_enable && ^{WORDS}[read_address] === 1'bx)
      read_data <= {{width}}'d0;
"""
"""In a simulation, where unknown words have no parity, as they do in hardware: units that have not
been at work read anywhere, and damaged programs compute with what nobody wrote."""


def _definition(module: str, depth: int, width: int, chunks: int) -> str:
    address = max(depth - 1, 1).bit_length() - 1
    part = width // chunks
    writes = "\n".join(
        f"    if (write_enable[{i}])\n"
        f"      {WORDS}[write_address][{part * (i + 1) - 1}:{part * i}] <= "
        f"write_data[{part * (i + 1) - 1}:{part * i}];"
        for i in range(chunks)
    )
    even = module.endswith(EVEN)
    zeros = _ZEROS.format(depth=depth, width=width) if even else ""
    unknown = _UNKNOWN.format(width=width) if even else ""
    return f"""
module {module}(
  input clk,
  input [{chunks - 1}:0] write_enable,
  input [{address}:0] write_address,
  input [{width - 1}:0] write_data,
  input read_enable,
  input [{address}:0] read_address,
  output reg [{width - 1}:0] read_data
);
  (* no_rw_check *)
  reg [{width - 1}:0] {WORDS} [{depth - 1}:0];
{zeros}  always @(posedge clk) begin
{writes}
    if (read_enable)
      read_data <= {WORDS}[read_address];
`ifndef SYNTHESIS
{unknown}    if (read_enable && |write_enable && read_address == write_address)
      read_data <= {{{width}{{1'bx}}}};
`endif
  end
endmodule
"""
