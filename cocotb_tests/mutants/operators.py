"""Mutants of a module's text: one operator of one expression replaced."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

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
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
}
"""What stands for an operator, and what for the one that takes its place."""

HARDWARE = "m"
"""A function whose first arguments have this name makes hardware, and so does `elaborate`."""


@dataclass(frozen=True)
class Mutant:
    """`text` is the whole module; line `line` has `after` where `before` stood."""

    line: int
    before: str
    after: str
    text: str


def mutants(text: str) -> list[Mutant]:
    """All of a module, in the order of its text. Contracts are left as they are."""
    starts = [0]
    for line in text.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found: dict[int, Mutant] = {}
    for function in ast.walk(ast.parse(text)):
        if isinstance(function, ast.FunctionDef) and _makes_hardware(function):
            for begin, end, after in _changes(function, text.encode(), starts):
                found[begin] = _mutant(text.encode(), begin, end, after)
    return [found[begin] for begin in sorted(found)]


def _makes_hardware(function: ast.FunctionDef) -> bool:
    names = [argument.arg for argument in function.args.args[:2]]
    return HARDWARE in names or function.name == "elaborate"


def _mutant(text: bytes, begin: int, end: int, after: str) -> Mutant:
    line = text.count(b"\n", 0, begin) + 1
    changed = text[:begin] + after.encode() + text[end:]
    before = text.decode().splitlines()[line - 1].strip()
    return Mutant(line, before, changed.decode().splitlines()[line - 1].strip(), changed.decode())


def _changes(
    function: ast.FunctionDef, text: bytes, starts: list[int]
) -> Iterator[tuple[int, int, str]]:
    """Where a replacement begins and ends in the text, and what it is."""

    def place(line: int, column: int) -> int:
        return starts[line - 1] + column

    for node in _without_contracts(function):
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
            begin = place(node.lineno, node.col_offset)
            yield begin, begin + 1, ""
            continue
        if isinstance(node, ast.BinOp):
            left, operator, right = node.left, node.op, node.right
        elif isinstance(node, ast.Compare):
            left, operator, right = node.left, node.ops[0], node.comparators[0]
        else:
            continue
        if type(operator) in SWAPS:
            before, after = SWAPS[type(operator)]
            begin = place(left.end_lineno, left.end_col_offset)
            # Brackets and comments may stand between, no other operator.
            at = text.find(before.encode(), begin, place(right.lineno, right.col_offset))
            if at >= 0:
                yield at, at + len(before), after


def _without_contracts(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those of `require` and `require_places`, and of messages."""
    for child in ast.iter_child_nodes(node):
        called = child.func if isinstance(child, ast.Call) else None
        if isinstance(called, ast.Name) and called.id.startswith("require"):
            continue
        yield child
        yield from _without_contracts(child)
