"""Mutants of a module's text: one operator, constant or statement of one function changed."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

SWAPS = {
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.BitXor: ("^", "|"),
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.FloorDiv: ("//", "*"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
}
"""What stands for an operator, and what for the one that takes its place."""

REMOVED = {ast.Invert: "~", ast.Not: "not "}
"""Operators that are left out."""

HARDWARE = "m"
"""A function whose first arguments have this name makes hardware, and so does `elaborate`."""

SHAPED = ("Signal", "data.StructLayout")
"""What constants among its arguments are bits of."""

Change = tuple[int, int, str]
"""Where a replacement begins and ends in a text's bytes, and what it is."""


@dataclass(frozen=True)
class Mutant:
    """`text` is the whole module; line `line` has `after` where `before` stood."""

    line: int
    before: str
    after: str
    text: str


def mutants(text: str, *, hardware: bool) -> list[Mutant]:
    """All of a module, in the order of its text.

    With `hardware` only those of functions that make hardware, and no contracts; of these
    functions also statements that drive signals are left out, one by one. Constants of a signal's
    or a field's shape stay: one bit more makes no difference.
    """
    places = _Places(text)
    found: dict[tuple[int, int], Mutant] = {}
    for function in ast.walk(ast.parse(text)):
        if isinstance(function, ast.FunctionDef) and (not hardware or _makes_hardware(function)):
            for change in _changes(function, places):
                found[change[:2]] = _mutant(places.text, change)
    return [found[place] for place in sorted(found)]


def _makes_hardware(function: ast.FunctionDef) -> bool:
    names = [argument.arg for argument in function.args.args[:2]]
    return HARDWARE in names or function.name == "elaborate"


def _mutant(text: bytes, change: Change) -> Mutant:
    begin, end, after = change
    line = text.count(b"\n", 0, begin) + 1
    changed = text[:begin] + after.encode() + text[end:]
    before = text.decode().splitlines()[line - 1].strip()
    return Mutant(line, before, changed.decode().splitlines()[line - 1].strip(), changed.decode())


class _Places:
    """Where the nodes of a text begin and end, in bytes."""

    def __init__(self, text: str):
        self.text = text.encode()
        self._starts = [0]
        for line in self.text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def begin(self, node: ast.expr | ast.stmt) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt) -> int:
        return self._starts[node.end_lineno - 1] + node.end_col_offset

    def between(self, left: ast.expr, word: str, right: ast.expr) -> tuple[int, int] | None:
        """Where an operator stands: brackets and comments may be beside it, no other operator."""
        at = self.text.find(word.encode(), self.end(left), self.begin(right))
        return None if at < 0 else (at, at + len(word))


def _changes(function: ast.FunctionDef, places: _Places) -> Iterator[Change]:
    for statement in function.body:
        for node in (statement, *_below(statement)):
            yield from _swaps(node, places)
            yield from _others(node, places)


def _swaps(node: ast.AST, places: _Places) -> Iterator[Change]:
    """Another operator between two operands."""
    for left, operator, right in _operations(node):
        if type(operator) in SWAPS:
            before, after = SWAPS[type(operator)]
            if place := places.between(left, before, right):
                yield *place, after


def _operations(node: ast.AST) -> Iterator[tuple[ast.expr, ast.AST, ast.expr]]:
    match node:
        case ast.BinOp(left=left, op=operator, right=right):
            yield left, operator, right
        case ast.Compare(left=left, ops=[operator, *_], comparators=[right, *_]):
            yield left, operator, right
        case ast.BoolOp(op=operator, values=values):
            for left, right in pairwise(values):
                yield left, operator, right


def _others(node: ast.AST, places: _Places) -> Iterator[Change]:
    """No operator, the next constant, or no statement."""
    match node:
        case ast.UnaryOp(op=operator) if type(operator) in REMOVED:
            begin = places.begin(node)
            yield begin, begin + len(REMOVED[type(operator)]), ""
        case ast.Constant(value=value) if type(value) is int:
            yield places.begin(node), places.end(node), str(value + 1)
        case ast.AugAssign(target=target) if ast.unparse(target).startswith(f"{HARDWARE}.d."):
            yield places.begin(node), places.end(node), "pass"


def _below(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below but those of contracts with their messages, constants of shapes, and the
    place that a warning names.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.keyword) and child.arg == "stacklevel":
            continue
        name = ast.unparse(child.func) if isinstance(child, ast.Call) else ""
        if not name.startswith("require"):
            yield child
            found = _below(child)
            if name in SHAPED:
                found = (each for each in found if not isinstance(each, ast.Constant))
            yield from found
