"""Strategies of Hypothesis that damage files of any kind: their bytes, or that they are files."""

from typing import NamedTuple

from hypothesis import strategies as st

from cocotb_tests.fuzz.attempts import Node


class Damaged(NamedTuple):
    """What was done to a file."""

    label: str
    contents: bytes | Node
    """The file, or what stands in its place."""
    fatal: bool = False
    """No result can be right."""


MAGICS = (
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"PK\x03\x04",
    b"\x93NUMPY",
    b"\x80\x02",
    b"\x89PNG\r\n",
    b"{}",
)
"""First bytes of other kinds of file."""


def nodes() -> st.SearchStrategy[Damaged]:
    """No file at all."""
    return st.sampled_from(list(Node)).map(lambda node: Damaged(node.value, node, fatal=True))


@st.composite
def cut_up(draw: st.DrawFn, sample: bytes) -> Damaged:
    """Bits, bytes and lengths of a file."""
    place = st.integers(0, len(sample) - 1)
    near = st.one_of(st.integers(0, min(300, len(sample) - 1)), place)
    kind = draw(st.sampled_from(["bits", "bytes", "cut", "empty", "before", "behind", "zeros"]))
    data = bytearray(sample)
    if kind == "bits":
        for _ in range(draw(st.integers(1, 8))):
            data[draw(near)] ^= 1 << draw(st.integers(0, 7))
    elif kind == "bytes":
        first = draw(near)
        data[first : first + draw(st.sampled_from([0, 1, 8, 100]))] = draw(st.binary(max_size=32))
    elif kind == "cut":
        del data[draw(near) :]
    elif kind == "empty":
        data.clear()
    elif kind == "before":
        data[:0] = draw(st.sampled_from(MAGICS))
    elif kind == "behind":
        data += draw(st.binary(min_size=1, max_size=64))
    else:
        first = draw(near)
        data[first : first + 64] = bytes(64)
    return Damaged(kind, bytes(data), fatal=kind in ("cut", "empty"))
