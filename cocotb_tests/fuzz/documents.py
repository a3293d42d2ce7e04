"""Strategies that damage JSON and YAML, and some that change nothing of what they say."""

import json
from typing import Any

from hypothesis import strategies as st

from cocotb_tests.fuzz.damage import Damaged, cut_up, nodes

NUMBERS = st.one_of(
    st.integers(-3, 60),
    st.sampled_from([2**31, -(2**63), 2**64, 10**30, 197, 0]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.5, 1.0, -0.0, 1e-300, 1e300, 0.999999]),
)

VALUES = st.recursive(
    st.one_of(NUMBERS, st.none(), st.booleans(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def documents(draw: st.DrawFn, known: dict[str, Any]) -> Damaged:
    """JSON that is not what was expected."""
    kind = draw(st.sampled_from(["value", "lost", "added", "other", "nested", "text", "bytes"]))
    content = dict(known)
    name = draw(st.sampled_from(sorted(known)))
    if kind == "value":
        content[name] = draw(st.one_of(VALUES, st.lists(NUMBERS, min_size=4, max_size=4)))
    elif kind == "lost":
        del content[name]
    elif kind == "added":
        content[draw(st.text(max_size=8))] = draw(VALUES)
    elif kind == "other":
        return Damaged(kind, json.dumps(draw(VALUES)).encode())
    elif kind == "nested":
        depth = draw(st.sampled_from([50, 3_000, 100_000]))
        return Damaged(kind, b"[" * depth + b"]" * draw(st.sampled_from([0, depth])), fatal=True)
    elif kind == "text":
        return Damaged(kind, draw(st.text(max_size=30)).encode(errors="surrogatepass"))
    else:
        return draw(cut_up(json.dumps(known).encode()))
    return Damaged(f"{kind} {name}", json.dumps(content).encode())


@st.composite
def yaml(draw: st.DrawFn, known: dict[str, Any]) -> Damaged:
    """YAML that is not what was expected: JSON is YAML, too."""
    kind = draw(st.sampled_from(["document", "document", "text", "node"]))
    if kind == "document":
        return draw(documents(known))
    if kind == "node":
        return draw(nodes())
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
    )
    name = sorted(known)[0]
    texts = {
        "contains itself": f"{name}: &x [*x]\n",
        "mapping of itself": "&x\n? *x\n: 1\n",
        "alias bomb": bomb,
        "lists": "x: " + "[" * 3_000 + "]" * 3_000,
        "flow": "x: " + "{a: " * 2_000,
        "tag": f"{name}: !!python/object/apply:os.system ['true']\n",
        "unknown tag": f"{name}: !thing 3\n",
        "two documents": f"---\n{json.dumps(known)}\n---\n{{}}\n",
        "key twice": f"{name}: 1\n{name}: 2\n",
        "tab": f"{name}:\n\t- 1\n",
        "date": f"{name}: 2001-01-01\n",
        "binary": f"{name}: !!binary aGVsbG8=\n",
        "set": f"{name}: !!set {{a, b}}\n",
        "merge": f"<<: 3\n{name}: 1\n",
        "list as key": "[1, 2]: 3\n",
        "only a comment": "# nothing\n",
        "nul": f"{name}: \0\n",
        "huge number": f"{name}: 99999999999999999999999\n",
        "yes": f"{name}: yes\n",
        "octal": f"{name}: 0o17\n",
        "sexagesimal": f"{name}: 190:20:30\n",
        "infinity": f"{name}: .inf\n",
        "empty": f"{name}:\n",
    }
    chosen = draw(st.sampled_from(sorted(texts)))
    return Damaged(chosen, texts[chosen].encode())


def same_text(content: dict[str, Any]) -> st.SearchStrategy[Damaged]:
    """The same JSON in another shape."""
    text = json.dumps(content)
    lines = json.dumps(content, indent=1)
    turned = json.dumps(dict(reversed(content.items())))
    return st.sampled_from(
        [
            Damaged("byte-order mark", b"\xef\xbb\xbf" + text.encode()),
            Damaged("other order", turned.encode()),
            Damaged("spaces", json.dumps(content, indent=4).encode() + b"\n\n   \n"),
            Damaged("carriage returns", lines.replace("\n", "\r\n").encode()),
        ]
    )
