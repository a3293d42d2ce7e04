"""Strategies that damage a folder of images."""

from functools import cache

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from cocotb_tests.fuzz import samples
from cocotb_tests.fuzz.attempts import Node
from cocotb_tests.fuzz.damage import cut_up

NAMES = ("._1.png", ".1.png", "a b.PNG", "\udcff.png", "x" * 200 + ".png", "\n.png")
"""Of pictures."""


@cache
def _kinds() -> dict[str, bytes | Node]:
    """Files that are hard to like, by what they are."""
    generator = np.random.default_rng(0)
    colours = Image.fromarray(generator.integers(0, 256, (40, 30, 3), dtype=np.uint8))
    deep = Image.fromarray(generator.integers(0, 2**16, (30, 30), dtype=np.uint16))
    huge = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (65_000).to_bytes(4) + (65_000).to_bytes(4)
    return {
        "grey": samples.picture(colours.convert("L"), "png"),
        "bits": samples.picture(colours.convert("1"), "png"),
        "palette": samples.picture(colours.convert("P"), "png"),
        "alpha": samples.picture(colours.convert("RGBA"), "png"),
        "16 bits": samples.picture(deep, "png"),
        "CMYK": samples.picture(colours.convert("CMYK"), "jpeg"),
        "one pixel": samples.picture(Image.new("RGB", (1, 1)), "png"),
        "long": samples.picture(Image.new("RGB", (5_000, 1)), "png"),
        "animated": samples.picture(colours, "webp", save_all=True, append_images=[colours]),
        "huge header": huge + samples.picture(colours, "png")[24:],
        "text": b"no picture",
        "gif": samples.picture(colours, "gif"),
        **{node.value: node for node in Node},
    }


@cache
def _layouts() -> dict[str, dict[str, bytes | Node]]:
    """Whole folders."""
    folder, good = samples.FOLDER, samples.images()
    png = good[f"{folder}/0/picture.png"]
    empty: dict[str, bytes | Node] = {folder: Node.FOLDER}
    return {
        "no pictures": empty,
        "a file": {folder: b"text"},
        "no classes": {**empty, f"{folder}/cats/1.png": png},
        "class beyond": {**empty, f"{folder}/1000/1.png": png},
        "flat": {**empty, f"{folder}/1.png": png},
        "empty class": {**good, f"{folder}/7": Node.FOLDER},
        "class link": {**good, f"{folder}/8": Node.LOOP},
        **{node.value: {folder: node} for node in Node},
    }


@st.composite
def folders(draw: st.DrawFn) -> tuple[str, dict[str, bytes | Node]]:
    """A folder with good pictures and one that is hard to like, or another folder, or none."""
    png = samples.images()[f"{samples.FOLDER}/0/picture.png"]
    label = draw(st.sampled_from([*sorted(_kinds()), "bytes", "names", "layout"]))
    if label == "layout":
        label = draw(st.sampled_from(sorted(_layouts())))
        return label, _layouts()[label]
    if label == "names":
        name = draw(st.sampled_from(NAMES))
        label, contents = f"name {name!r}", png
    else:
        name = draw(st.sampled_from(["a.png", "a.jpg", "z.webp", "z.JPEG"]))
        contents = _kinds().get(label)
    if contents is None:
        label, contents, _ = draw(cut_up(png))
    return label, {**samples.images(), f"{samples.FOLDER}/1/{name}": contents}
