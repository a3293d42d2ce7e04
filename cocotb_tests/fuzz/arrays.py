"""Strategies that damage arrays: .npy and .npz files."""

import io
import json

import numpy as np
from hypothesis import strategies as st

from cocotb_tests.fuzz import samples
from cocotb_tests.fuzz.damage import Damaged, cut_up, nodes
from cocotb_tests.fuzz.documents import documents

_TYPES = ("?", "b", "i", "u2", "i8", "f2", "f4", "f8", "c8", "S3", "U3", "M8[s]", "V4")
"""Of arrays."""


@st.composite
def arrays(draw: st.DrawFn) -> tuple[str, np.ndarray]:
    """Arrays of any type and shape, some of the right ones."""
    layers, heads, tokens, _ = samples.dropped().shape
    shape = draw(
        st.one_of(
            st.just(samples.dropped().shape),
            st.tuples(
                st.sampled_from([0, 1, layers, 12]),
                st.sampled_from([0, 1, heads, 6]),
                st.sampled_from([0, 1, 2, tokens]),
                st.sampled_from([1, 2, tokens]),
            ),
            st.lists(st.integers(0, 4), max_size=6).map(tuple),
        )
    )
    kind = draw(st.sampled_from(_TYPES))
    fill = draw(st.sampled_from(["zeros", "ones", "random", "nan"]))
    generator = np.random.default_rng(draw(st.integers(0, 3)))
    values = {
        "zeros": np.zeros(shape),
        "ones": np.ones(shape),
        "random": generator.integers(0, 2, shape).astype(float),
        "nan": np.full(shape, np.nan),
    }[fill]
    if fill == "nan" and np.dtype(kind).kind not in "fc":
        kind = "f4"
    if np.dtype(kind).kind in "MV":
        return f"{kind} {shape}", np.zeros(shape, kind)
    return f"{fill} {kind} {shape}", values.astype(kind)


def masks() -> st.SearchStrategy[Damaged]:
    """Damaged mask files."""
    pickled = samples.array(np.array([{}, None]), pickled=True)
    return st.one_of(
        cut_up(samples.masks()),
        arrays().map(lambda named: Damaged(named[0], samples.array(named[1]))),
        headers(),
        nodes(),
        st.just(Damaged("pickled objects", pickled, fatal=True)),
        st.just(Damaged("inverted", samples.array(~samples.dropped()))),
    )


def same_masks() -> st.SearchStrategy[Damaged]:
    """The same entries in another layout."""
    entries = samples.dropped()
    return st.sampled_from(
        [
            Damaged("Fortran order", samples.array(np.asfortranarray(entries))),
            Damaged("version 2", samples.array(entries, version=(2, 0))),
        ]
    )


def same_archive(sample: bytes) -> st.SearchStrategy[Damaged]:
    """The same members in another order, or not compressed."""
    with np.load(io.BytesIO(sample)) as archive:
        members = dict(archive)
    stored = io.BytesIO()
    np.savez(stored, **members)
    return st.sampled_from(
        [
            Damaged("other order", samples.archive(**dict(reversed(members.items())))),
            Damaged("not compressed", stored.getvalue()),
        ]
    )


@st.composite
def headers(draw: st.DrawFn) -> Damaged:
    """Headers of .npy files that promise what is not there."""
    text = draw(
        st.sampled_from(
            [
                "{'descr': '|b1', 'fortran_order': False, 'shape': (4, 3, 50, 50), }",
                "{'descr': '|b1', 'fortran_order': True, 'shape': (4, 3, 50, 50), }",
                "{'descr': '|b1', 'fortran_order': False, 'shape': (10**12, 1, 1, 1), }",
                "{'descr': '|b1', 'fortran_order': False, 'shape': (1000000000000, 3, 50, 50), }",
                "{'descr': '<f8', 'fortran_order': False, 'shape': (400000, 3, 500, 500), }",
                "{'descr': '|b1', 'fortran_order': False, 'shape': (-4, 3, 50, 50), }",
                "{'descr': '|O', 'fortran_order': False, 'shape': (4,), }",
                "{'descr': '|b1', 'shape': (4, 3, 50, 50), }",
                "[" * 3_000,
                "{" + "'a': " * 20_000,
                "(" * 90 + ")" * 90,
            ]
        )
    )
    version = draw(st.sampled_from([b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x00"]))
    size = 2 if version == b"\x01\x00" else 4
    length = draw(st.sampled_from([len(text), len(text) + 5, 2 ** (8 * size) - 1]))
    length = min(length, 2 ** (8 * size) - 1)
    data = b"\x93NUMPY" + version + length.to_bytes(size, "little") + text.encode()
    return Damaged(f"header {text[:60]!r}", data + samples.masks()[128:])


@st.composite
def archives(draw: st.DrawFn, sample: bytes) -> Damaged:
    """Damaged archives of levels and metadata."""
    kind = draw(st.sampled_from(["bytes", "levels", "metadata", "members", "no archive"]))
    if kind == "bytes":
        return draw(cut_up(sample))
    if kind == "no archive":
        return draw(st.one_of(masks(), nodes()))
    with np.load(io.BytesIO(sample)) as archive:
        members = dict(archive)
    if kind == "levels":
        label, members["levels"] = draw(arrays())
    elif kind == "metadata":
        known = json.loads(str(members["metadata"]))
        label, text, _ = draw(documents(known))
        members["metadata"] = np.array(text.decode(errors="replace"))
    else:
        label = draw(st.sampled_from(["lost", "renamed", "one more"]))
        name = draw(st.sampled_from(["levels", "metadata"]))
        if label == "one more":
            members["other"] = np.zeros(3)
        else:
            value = members.pop(name)
            if label == "renamed":
                members[draw(st.sampled_from(["maps", "levels ", ""]))] = value
    fatal = kind == "members" and label != "one more"
    return Damaged(f"{kind}: {label}", samples.archive(**members), fatal)
