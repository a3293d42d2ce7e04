"""Connects modules of rules to what they watch."""

from amaranth.hdl import Module


def watch(m: Module, rules, bus, prefix: str = "") -> None:
    """Lets `rules` see the signals of `bus`, whose names begin with `prefix` there."""
    for name in rules.signature.members:
        m.d.comb += getattr(rules, name).eq(getattr(bus, prefix + name))
