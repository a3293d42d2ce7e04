"""A top for place and route that needs four pins, whatever the design's ports.

An accelerator has more port bits than a package has pins, because its buses lead to other logic on
the same device. Here every input comes from a register of a shift chain, and every output goes into
a register of a signature (a multiple-input shift register): nothing is optimised away, and paths
through ports are timed like those of a neighbour that registers its side.
"""

from collections.abc import Sequence

from rtl_gen.emit.verilog import Port

NAME = "scan_wrapper"


def wrapper(module: str, ports: Sequence[Port]) -> str:
    """Verilog of module NAME around `module` and its `ports`; a port `clk` or `rst` is a pin."""
    inputs = [p for p in ports if p.direction == "input" and p.name not in ("clk", "rst")]
    outputs = [p for p in ports if p.direction == "output"]
    pins = [f".{p.name}({p.name})" for p in ports if p.name in ("clk", "rst")]
    connections = ",\n    ".join([*pins, *_slices("scan", inputs), *_slices("results", outputs)])
    scanned, signed = (sum(port.width for port in side) for side in (inputs, outputs))
    return f"""
module {NAME}(input clk, input rst, input scan_in, output scan_out);
  reg [{scanned - 1}:0] scan;
  reg [{signed - 1}:0] signature;
  wire [{signed - 1}:0] results;
  assign scan_out = signature[{signed - 1}];
  always @(posedge clk) begin
    scan <= {{scan, scan_in}};
    signature <= {{signature, signature[{signed - 1}]}} ^ results;
  end
  \\{module} design (
    {connections}
  );
endmodule
"""


def _slices(bus: str, ports: Sequence[Port]) -> list[str]:
    """Connections of `ports` to consecutive parts of `bus`."""
    connections, first = [], 0
    for port in ports:
        connections.append(f".\\{port.name} ({bus}[{first} +: {port.width}])")
        first += port.width
    return connections
