"""`Harness`: a unit under free inputs, what is assumed of these, and what must follow."""

from amaranth.hdl import (
    Assume,
    ClockDomain,
    ClockSignal,
    Const,
    Elaboratable,
    Module,
    ResetSignal,
    ShapeLike,
    Signal,
    Value,
)
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

STARTED = "harness_started"
"""The one register that has a value at power-up: it is 0 in the first cycle."""


class Harness(Elaboratable):
    """A top level without a specified environment. A proof derives from it and states in `claim`,
    with `require` of the contracts, what holds of the units that it instantiates there.

    A reset comes in the first cycle, and in any other one if `any_reset`: then the claim holds
    whatever was under way. Registers without a reset, memories among them, hold anything before.
    Assertions inside the unit, its contracts, are part of the claim.

    Attributes
    ----------
    inputs : signals that take any value in every cycle
    """

    any_reset = True

    def __init__(self):
        self.clk = Signal()
        self.rst = Signal(name="rst")
        self.inputs: list[Value] = [self.rst]

    def claim(self, m: Module) -> None:
        """Adds the unit and what must hold of it to `m`."""
        raise NotImplementedError

    def free(self, shape: ShapeLike, name: str):
        """A new input: any value in any cycle; a view of it if `shape` is a layout."""
        signal = Signal(shape, name=name)
        if len(value := Value.cast(signal)):
            self.inputs.append(value)
        return signal

    def feed(self, m: Module, unit: wiring.Component, *ports: str) -> None:
        """Free inputs at every input inside these `ports` of `unit`, or at all of its inputs."""
        for path, member, value in unit.signature.flatten(unit):
            if member.flow is Out or (ports and path[0] not in ports):
                continue
            if not isinstance(value, Const):
                m.d.comb += value.eq(self.free(member.shape, "__".join(map(str, path))))

    @staticmethod
    def constant(m: Module, shape: ShapeLike, name: str):
        """Any value, the same in all cycles."""
        signal = Signal(shape, name=name, reset_less=True)
        m.d.sync += signal.eq(signal)
        return signal

    def elaborate(self, platform) -> Module:
        m = Module()
        m.domains.sync = domain = ClockDomain("sync")
        m.domains.power = ClockDomain("power", reset_less=True)
        started = Signal(name=STARTED)
        m.d.power += started.eq(1)
        m.d.comb += [
            ClockSignal("sync").eq(self.clk),
            ClockSignal("power").eq(self.clk),
            domain.rst.eq(~started | (self.rst if self.any_reset else 0)),
        ]
        self.claim(m)
        return m


def assume(m: Module, condition, _message: str = "") -> None:
    """Only what begins with cycles in which `condition` holds, out of reset, is looked at."""
    m.d.sync += Assume(ResetSignal() | condition)
