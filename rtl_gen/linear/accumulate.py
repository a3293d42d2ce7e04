"""Partial sums of a linear layer: int32 a lane and token, in a memory, slice by slice.

A group starts from its bias in the first slice; its sums leave after the last one, with the factors
that requantise them. A sum is read, increased and written back without forwarding: two steps at the
same position must be at least REVISIT_CYCLES apart.
"""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout, View
from amaranth.lib.wiring import In, Out

from rtl_gen import numerics
from rtl_gen.array.mac_array import MacArray
from rtl_gen.common.contract import require
from rtl_gen.common.pipeline import register
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import dots_layout, scale_layout
from rtl_gen.interfaces.ports import always
from rtl_gen.linear.tile_walker import step_layout
from rtl_gen.linear.weight_buffer import parameters_layout
from rtl_gen.memory.row_memory import RowMemory


def totals_layout(config: AcceleratorConfig) -> StructLayout:
    """Sums of a group's channels for a token, and the factor of each channel."""
    return StructLayout(
        {
            "sums": ArrayLayout(signed(numerics.ACCUMULATOR_BITS), config.lanes),
            "factors": ArrayLayout(scale_layout(), config.lanes),
        }
    )


class Accumulators(wiring.Component):
    """
    Attributes
    ----------
    parameters : in, those of the tile that the first step of a pass takes, the cycle before
    steps : in, what the array works on
    dots : in, those of the step of MacArray.dot_latency cycles ago
    totals : out, finished sums, latency(config) cycles after the step of their last slice
    """

    REVISIT_CYCLES = 4
    """Read, output register, add, write."""

    @staticmethod
    def latency(config: AcceleratorConfig) -> int:
        return MacArray.dot_latency(config) + 1

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "parameters": In(always(parameters_layout(config))),
                "steps": In(always(step_layout(config))),
                "dots": In(dots_layout(config)),
                "totals": Out(always(totals_layout(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        dots_at = MacArray.dot_latency(self._config)
        steps, valid = [self.steps.payload], [self.steps.valid]
        for stage in range(1, dots_at + 2):
            steps.append(register(m, steps[-1], name=f"step_{stage}"))
            valid.append(register(m, valid[-1], name=f"valid_{stage}", reset_less=False))
        for since in range(1, self.REVISIT_CYCLES):
            again = valid[0] & valid[since] & (steps[0].position == steps[since].position)
            require(m, ~again, "accumulators: a token again before its sums are written")

        bias_of, factor_of = self._parameters(m, steps[dots_at - 1], steps[dots_at])
        sums = ArrayLayout(signed(numerics.ACCUMULATOR_BITS), self._config.lanes)
        m.submodules.memory = memory = RowMemory(depth=self._config.max_tokens, shape=sums)
        read, write = memory.read, memory.write
        stored = register(m, read.data, name="stored")
        total = Signal(sums, reset_less=True)
        for lane in range(self._config.lanes):
            begin = Mux(steps[dots_at].first_slice, bias_of[lane].bias, stored[lane])
            m.d.sync += total[lane].eq(begin + self.dots[lane])
            m.d.comb += [
                self.totals.payload.factors[lane].multiplier.eq(factor_of[lane].multiplier),
                self.totals.payload.factors[lane].shift.eq(factor_of[lane].shift),
            ]
        m.d.comb += [
            read.enable.eq(valid[dots_at - 2]),
            read.address.eq(steps[dots_at - 2].position),
            write.enable.eq(valid[-1] & ~steps[-1].last_slice),
            write.address.eq(steps[-1].position),
            write.data.eq(total),
            self.totals.valid.eq(valid[-1] & steps[-1].last_slice),
            self.totals.payload.sums.eq(total),
        ]
        return m

    def _parameters(self, m: Module, before_dots: View, at_dots: View) -> tuple[View, View]:
        """A group's parameters follow its steps: biases are needed beside the dots, factors behind
        them.
        """
        layout = parameters_layout(self._config)
        resident, accumulating, finishing = (
            Signal(layout, name=name, reset_less=True)
            for name in ("resident", "accumulating", "finishing")
        )
        with m.If(self.parameters.valid):
            m.d.sync += resident.eq(self.parameters.payload)
        with m.If(before_dots.pass_start):
            m.d.sync += accumulating.eq(resident)
        with m.If(at_dots.pass_start):
            m.d.sync += finishing.eq(accumulating)
        return accumulating, finishing
