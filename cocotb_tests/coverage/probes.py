"""Probes in a netlist: they count in which cycles a part of the source has an effect.

Every arm of an If, Switch, FSM or Mux gets one, and so does what stands outside of all arms. A
probe looks at rising edges of the clock without reset, when all has settled: what a simulator
passes through within a cycle does not count. It stands for the branch and for the lines of the
statements in the arm, by where they are in the Amaranth sources, because that is where a reader
looks; the Verilog's lines are Yosys's.

A probe is a Print until Yosys has written the Verilog, where it becomes `cover`, with what it
stands for behind it, as text. Verilator counts covers (`--coverage-user`).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from amaranth.hdl import Fragment, Instance, Print, ResetSignal, Value
from amaranth.hdl._ast import Concat, Operator, Part, Slice, Statement, Switch, SwitchValue
from amaranth.lib import wiring

import rtl_gen
from cocotb_tests.coverage.places import places_of_callers
from cocotb_tests.coverage.points import Point, points_of, text_of
from rtl_gen.emit.verilog import Design, emit

SOURCES = Path(rtl_gen.__path__[0])
"""Lines of other files, such as of benches and of Amaranth's library, are not counted."""

EMITTER = SOURCES / "emit"

_MARK = "probe: "
_PRINTED = re.compile(rf'^( *)\$write\("{_MARK}(.*?)\\n"\);$', re.M)
_COVER = re.compile(r"^ *cover \(1'h1\); // (.*)$")


def emit_with_probes(component: wiring.Component, name: str, sources: Path = SOURCES) -> Design:
    """What `emit` makes of a component, with probes of all that stands in the folder `sources`."""
    with places_of_callers():
        design = emit(component, name, change=lambda fragment: _add_probes(fragment, sources))
    return replace(design, logic=_PRINTED.sub(r"\1cover (1'h1); // \2", design.logic))


def probes(verilog: str) -> dict[int, list[Point]]:
    """What the probes of a text stand for, by the line of the text."""
    found = ((at, _COVER.match(line)) for at, line in enumerate(verilog.splitlines(), 1))
    return {at: points_of(cover[1]) for at, cover in found if cover}


def _add_probes(fragment: Fragment, sources: Path) -> None:
    inputs = []
    for child, _, _ in fragment.subfragments:
        _add_probes(child, sources)
        if isinstance(child, Instance):
            inputs += [value for value, way in child.ports.values() if way == "i"]
    statements = chain.from_iterable(fragment.statements.values())
    found = _Prober(sources).arm(statements, None, inputs)
    if found:
        running = Switch(ResetSignal("sync", allow_reset_less=True), [("0", found, None)])
        fragment.add_statements("sync", running)


class _Prober:
    """Makes the probes of a module."""

    def __init__(self, sources: Path):
        self._sources = sources

    def arm(
        self, statements: Iterable[Statement], branch: Point | None, others: Iterable[Value] = ()
    ) -> list[Statement]:
        """Probes of what has an effect together: of statements, and of `others` for their Muxes."""
        points = {branch} if branch else set()
        values, inner = list(others), []
        for statement in statements:
            if isinstance(statement, Switch):
                inner.append(statement)
                values.append(statement.test)
            else:
                points.add(self._point(statement.src_loc))
                values += _values(statement)
        points.discard(None)
        made: list[Statement] = [_probe(points)] if points else []
        made += filter(None, map(self._switch, _merged(inner)))
        return made + self._muxes(values)

    def _switch(self, switch: Switch) -> Switch | None:
        cases, conditions = [], _conditions(switch)
        word = "taken" if conditions else "entered"
        for patterns, statements, place in switch.cases:
            cases.append((patterns, self.arm(statements, self._point(place, word)), place))
        if len(cases) == conditions:  # An If without Else.
            cases.append((None, self.arm([], self._point(switch.src_loc, "not taken")), None))
        return _made(switch.test, cases)

    def _muxes(self, values: Iterable[Value]) -> list[Statement]:
        found = {id(mux): mux for value in values for mux in _outermost_muxes(value)}
        made = []
        for mux in found.values():
            (zero, low), (_, high) = mux.cases
            cases = [
                (zero, self.arm([], self._point(mux.src_loc, "else"), [low]), None),
                (None, self.arm([], self._point(mux.src_loc, "chosen"), [high]), None),
            ]
            made.append(_made(mux.test, cases))
            made += self._muxes([mux.test])
        return list(filter(None, made))

    def _point(self, place: tuple[str, int] | None, branch: str = "") -> Point | None:
        """None of what is in no file of the sources, or in what writes them."""
        path = Path(place[0]) if place else EMITTER
        if not path.is_relative_to(self._sources) or path.is_relative_to(EMITTER):
            return None
        return Point(str(path.relative_to(self._sources.parent)), place[1], branch)


def _probe(points: Iterable[Point]) -> Statement:
    statement = Print(_MARK + text_of(points))
    statement._MustUse__used = True  # It gets into a netlist without a module.
    return statement


def _made(test: Value, cases: Sequence[tuple]) -> Switch | None:
    """None if nothing is in any case."""
    return Switch(test, cases) if any(statements for _, statements, _ in cases) else None


def _merged(switches: Iterable[Switch]) -> Iterator[Switch]:
    """Amaranth makes a Switch for each domain of the statements in it: those of all in one."""
    same = defaultdict(list)
    for switch in switches:
        places = tuple((patterns, place) for patterns, _, place in switch.cases)
        same[switch.src_loc, places, repr(switch.test)].append(switch)
    for first, *others in same.values():
        cases = []
        for at, (patterns, statements, place) in enumerate(first.cases):
            more = (other.cases[at][1] for other in others)
            cases.append((patterns, list(chain(statements, *more)), place))
        yield Switch(first.test, cases, src_loc=first.src_loc)


def _conditions(switch: Switch) -> int:
    """Of an If, how many it has with its Elifs; 0 of a Switch. Amaranth makes a Switch of an If,
    too, that looks at one condition a case, the first in the lowest bit.
    """
    size = len(switch.test)
    patterns = [patterns for patterns, _, _ in switch.cases if patterns is not None]
    of_if = [("1".rjust(size - at, "-").ljust(size, "-"),) for at in range(size)]
    return size if patterns == of_if else 0


def _values(statement: Statement) -> list[Value]:
    """What a statement that is no Switch computes with."""
    names = ("rhs", "test")
    return [getattr(statement, name) for name in names if hasattr(statement, name)]


def _outermost_muxes(value: Value) -> Iterator[SwitchValue]:
    match value:
        case SwitchValue():
            if len(value.cases) == 2 and value.cases[1][0] is None:
                yield value
            return
        case Operator():
            parts = value.operands
        case Slice():
            parts = [value.value]
        case Part():
            parts = [value.value, value.offset]
        case Concat():
            parts = value.parts
        case _:
            parts = []
    for part in parts:
        yield from _outermost_muxes(part)
