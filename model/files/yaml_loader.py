"""YAML of the core schema (YAML 1.2, section 10.3) in bounded time, and where its values stand.

PyYAML's own schema is that of YAML 1.1, in which 1e-1 is text, 010 is eight, 1:30 is ninety and no
is false. Here these are a number, text, text and text. JSON is YAML, tabs included.

Anchors and aliases work, but not to what they stand in, and a file must not grow beyond
`MAX_VALUES` when its aliases are written out.
"""

import re
import reprlib
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import yaml

MAX_DEPTH = 16
"""Lists and mappings inside one another."""

MAX_VALUES = 20_000
"""Values of a file, keys, lists and mappings included."""

_TAG = "tag:yaml.org,2002:"
_PLAIN = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?(0|[1-9][0-9_]*)", list("-+0123456789")),
    "float": (
        r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?",
        list("-+.0123456789"),
    ),
    "merge": (r"<<", ["<"]),
}
"""What plain scalars are, and how they begin; the first that matches counts, others are text."""


class RefusedError(yaml.MarkedYAMLError):
    """YAML, but not what files here may be."""


class Loader(yaml.SafeLoader):
    """Composes and constructs the one document of a text."""

    yaml_implicit_resolvers: dict = {}

    def __init__(self, text: str):
        super().__init__(text.expandtabs(1) if text.lstrip().startswith("{") else text)
        self._depth = 0
        self._composed = 0
        self._extents: dict[int, tuple[int, int]] = {}
        """Values and depth of finished nodes, by their id."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        """The next node, bounded before anything is made of it."""
        mark = self.peek_event().start_mark
        if self.check_event(yaml.AliasEvent):
            node = super().compose_node(parent, index)
            if id(node) not in self._extents:
                raise _refused("an alias of what it stands in", mark)
            return node
        collection = not self.check_event(yaml.ScalarEvent)
        self._depth += collection
        self._composed += 1
        self._check(self._composed, self._depth, mark)
        node = super().compose_node(parent, index)
        self._depth -= collection
        extents = [self._extents[id(child)] for child in _children(node)]
        values = 1 + sum(values for values, _ in extents)
        depth = collection + max((depth for _, depth in extents), default=0)
        self._check(values, depth, mark)
        self._extents[id(node)] = values, depth
        if isinstance(node, yaml.MappingNode):
            self._refuse_repeated_keys(node)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: FBT001, FBT002
        """As PyYAML does, but every error has its place."""
        try:
            return super().construct_object(node, deep)
        except yaml.YAMLError:
            raise
        except Exception as error:
            # Explicit tags let escape whatever is wrong with their values, numbers their length.
            raise _refused(f"no {node.tag.removeprefix(_TAG)}", node.start_mark) from error

    def _check(self, values: int, depth: int, mark: yaml.Mark) -> None:
        if depth > MAX_DEPTH:
            raise _refused(f"more than {MAX_DEPTH} lists or mappings inside one another", mark)
        if values > MAX_VALUES:
            raise _refused(f"more than {MAX_VALUES:,} values, aliases written out", mark)

    def _refuse_repeated_keys(self, node: yaml.MappingNode) -> None:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != f"{_TAG}merge":
                name = self.construct_object(key)
                if not isinstance(name, Hashable):
                    raise _refused("no key", key.start_mark)
                if name in seen:
                    raise _refused(f"key {shown(name)} stands twice: keep one", key.start_mark)
                seen.add(name)


for _name, (_pattern, _starts) in _PLAIN.items():
    Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), _starts)


def load(text: str) -> tuple[yaml.Node | None, Any]:
    """The root and what it stands for.

    Raises:
        yaml.YAMLError: no YAML, or more of it than may be.
    """
    loader = Loader(text)
    try:
        root = loader.get_single_node()
        return root, None if root is None else loader.construct_document(root)
    finally:
        loader.dispose()


class Place(NamedTuple):
    """Where something stands in a file."""

    line: int
    exact: bool
    """False if a key on the way is not there."""


def find(root: yaml.Node | None, path: Sequence[str | int]) -> Place:
    """The deepest node on the way along keys and indices.

    A single value may stand where the path has the index of a list.
    """
    node, line = root, 1 if root is None else root.start_mark.line + 1
    for position, step in enumerate(path):
        if isinstance(node, yaml.MappingNode):
            found = next((pair for pair in node.value if pair[0].value == str(step)), None)
            if found is not None:
                line, node = found[0].start_mark.line + 1, found[1]
            elif isinstance(step, str):
                return Place(line, exact=False)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            if step >= len(node.value):
                break
            item, further = node.value[step], path[position + 1 : position + 2]
            if isinstance(item, yaml.ScalarNode) and any(isinstance(s, int) for s in further):
                continue
            line, node = item.start_mark.line + 1, item
    return Place(line, exact=root is not None)


def shown(value: Any) -> str:
    """A value as messages show it: on one line, and not too long a one."""
    return _SHORT.repr(value)


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60
_SHORT.maxlevel = 3


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _refused(problem: str, mark: yaml.Mark) -> RefusedError:
    return RefusedError(problem=problem, problem_mark=mark)
