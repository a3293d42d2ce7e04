"""Pictures of every kind against pixels that are written here, byte by byte where it matters."""

import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.data.pictures import PictureError, open_picture
from model.network.names import VIT_DIGITS
from model.program.choices import chosen_picture, integer_network, picture_patches
from rtl_gen.errors import UserError

RNG = np.random.default_rng(11)
GREY = RNG.integers(0, 256, (6, 9), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)
ALPHA = RNG.integers(0, 256, (6, 9, 1), dtype=np.uint8)
ORIENTATION = 0x112


def as_png(samples: np.ndarray, kind: int) -> bytes:
    """A PNG file of 16-bit samples (h, w, channels), by the format's specification."""
    height, width = samples.shape[:2]
    rows = samples.astype(">u2").reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    chunks = ((b"IHDR", head), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def in_16_bits(pixels: np.ndarray) -> np.ndarray:
    """The same pixels as upper bytes, above random lower ones."""
    lower = np.random.default_rng(12).integers(0, 256, pixels.shape, dtype=np.uint16)
    return (pixels.astype(np.uint16) << 8) | lower


def opened(path: Path, *, upright: bool = False) -> np.ndarray:
    picture = open_picture(path, upright=upright)
    assert picture.mode == "RGB"
    return np.asarray(picture)


def in_rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey.reshape(6, 9, 1), 3, axis=2)


@pytest.mark.parametrize(
    ("kind", "pixels", "expected"),
    [
        pytest.param(0, GREY[..., None], in_rgb(GREY), id="grey"),
        pytest.param(2, COLOUR, COLOUR, id="colour"),
        pytest.param(4, np.dstack([GREY, ALPHA]), in_rgb(GREY), id="grey-alpha"),
        pytest.param(6, np.dstack([COLOUR, ALPHA]), COLOUR, id="colour-alpha"),
    ],
)
def test_16_bit_png(tmp_path: Path, kind: int, pixels: np.ndarray, expected: np.ndarray):
    """Black, white and all between are those of the same picture in 8 bits."""
    path = tmp_path / "picture.png"
    path.write_bytes(as_png(in_16_bits(pixels), kind))
    assert np.array_equal(opened(path), expected)


@pytest.mark.parametrize("most", [65535, 4095])
def test_pgm_of_more_than_8_bits(tmp_path: Path, most: int):
    path = tmp_path / "picture.pgm"
    samples = np.rint(GREY * (most / 255)).astype(">u2")
    path.write_bytes(f"P5 9 6 {most}\n".encode() + samples.tobytes())
    assert np.array_equal(opened(path), in_rgb(GREY))


def test_modes_of_8_bits_or_fewer(tmp_path: Path):
    """Behind alpha lies the colour that the file holds, as for timm."""
    ink = GREY > 127
    palette = np.arange(30, dtype=np.uint8).reshape(10, 3)
    indexed = Image.fromarray(GREY % 10)
    indexed.putpalette(palette.tobytes())
    grey_alpha, colour_alpha = np.dstack([GREY, ALPHA]), np.dstack([COLOUR, ALPHA])
    for name, picture, options, expected in (
        ("bits.png", Image.fromarray(ink), {}, in_rgb(ink * np.uint8(255))),
        ("grey.png", Image.fromarray(GREY), {}, in_rgb(GREY)),
        ("indexed.png", indexed, {}, palette[GREY % 10]),
        ("clear.png", indexed, {"transparency": bytes(range(10))}, palette[GREY % 10]),
        ("grey_alpha.png", Image.fromarray(grey_alpha), {}, in_rgb(GREY)),
        ("colour_alpha.png", Image.fromarray(colour_alpha), {}, COLOUR),
    ):
        picture.save(tmp_path / name, **options)
        assert np.array_equal(opened(tmp_path / name), expected), name


def test_cmyk(tmp_path: Path):
    """Four inks, in a JPEG as Photoshop writes them (inverted) and in a TIFF."""
    inks = np.dstack([255 - COLOUR, np.zeros((6, 9, 1), np.uint8)])
    Image.fromarray(inks, "CMYK").save(tmp_path / "inks.tif")
    assert np.array_equal(opened(tmp_path / "inks.tif"), COLOUR)
    flat = np.empty((16, 16, 4), np.uint8)
    flat[:] = (255 - 200, 255 - 120, 255 - 40, 0)
    Image.fromarray(flat, "CMYK").save(tmp_path / "inks.jpg", quality=100)
    assert np.abs(opened(tmp_path / "inks.jpg").astype(int) - (200, 120, 40)).max() <= 3


@pytest.mark.parametrize("suffix", ["png", "webp", "gif", "tif"])
def test_animations_begin(tmp_path: Path, suffix: str):
    first, path = Image.fromarray(in_rgb(GREY)), tmp_path / f"film.{suffix}"
    first.save(path, save_all=True, append_images=[Image.new("RGB", (9, 6))], lossless=True)
    assert np.array_equal(opened(path), in_rgb(GREY))


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (1, COLOUR),
        (2, COLOUR[:, ::-1]),
        (3, COLOUR[::-1, ::-1]),
        (4, COLOUR[::-1]),
        (5, COLOUR.swapaxes(0, 1)),
        (6, COLOUR.swapaxes(0, 1)[::-1]),
        (7, COLOUR.swapaxes(0, 1)[::-1, ::-1]),
        (8, COLOUR.swapaxes(0, 1)[:, ::-1]),
    ],
)
def test_orientation(tmp_path: Path, orientation: int, stored: np.ndarray):
    """EXIF 2.32, tag 274: which side of the scene the stored row 0 and column 0 are."""
    exif, picture = Image.Exif(), Image.fromarray(np.ascontiguousarray(stored))
    exif[ORIENTATION] = orientation
    for name in ("phone.png", "phone.webp", "phone.tif"):
        picture.save(tmp_path / name, exif=exif, lossless=True)
        assert np.array_equal(opened(tmp_path / name, upright=True), COLOUR), name
    assert np.array_equal(opened(tmp_path / "phone.png"), stored)


def test_a_single_picture_is_turned_upright(tmp_path: Path):
    """The patches of a phone's picture, lying on its side, are those of the upright one."""
    pixels = np.random.default_rng(13).integers(0, 256, (56, 56, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.fromarray(pixels).save(tmp_path / "upright.png")
    turned = np.ascontiguousarray(pixels.swapaxes(0, 1)[::-1])
    Image.fromarray(turned).save(tmp_path / "phone.png", exif=exif)
    integers = integer_network(VIT_DIGITS, None, 0)
    upright, phone = (
        picture_patches(integers, chosen_picture(VIT_DIGITS, str(tmp_path / name)))
        for name in ("upright.png", "phone.png")
    )
    assert upright.equal(phone)
    with pytest.raises(UserError, match=r"absent.png is unreadable \(No such file or directory\)"):
        chosen_picture(VIT_DIGITS, str(tmp_path / "absent.png"))


def test_pixels_without_a_fixed_range(tmp_path: Path):
    twelve_bits = tmp_path / "12.tif"
    Image.fromarray(in_16_bits(GREY)).save(twelve_bits)
    tiff = twelve_bits.read_bytes()
    entry = struct.pack("<HHI", 258, 3, 1)
    assert tiff.count(entry + b"\x10\0") == 1
    twelve_bits.write_bytes(tiff.replace(entry + b"\x10\0", entry + b"\x0c\0"))
    Image.fromarray(GREY.astype(np.int32)).save(tmp_path / "int.tif")
    for name, reason in (
        ("12.tif", "more than 8 bits that may not be all 16"),
        ("int.tif", "32-bit pixels have no fixed range"),
    ):
        with pytest.raises(PictureError, match=f"{name} is unreadable .{reason}"):
            open_picture(tmp_path / name)


@pytest.mark.parametrize("white", [1, 255])
def test_float_pixels_are_scaled(tmp_path: Path, white: int):
    """In a TIFF, and in a portable float map, whose rows begin at the bottom."""
    floats = GREY * np.float32(white / 255)
    Image.fromarray(floats).save(tmp_path / "float.tif")
    (tmp_path / "float.pfm").write_bytes(b"Pf\n9 6\n-1.0\n" + floats[::-1].astype("<f4").tobytes())
    for name in ("float.tif", "float.pfm"):
        assert np.array_equal(opened(tmp_path / name), in_rgb(GREY)), name


def test_float_pixels_are_rounded(tmp_path: Path):
    """Ranges end with 1 and 255; 0.5 times 255 is 127.5, which goes to the even 128."""
    for pixels, expected in (
        ((0, 0.5, 1), (0, 128, 255)),
        ((0, 0.4 / 255, 0.6 / 255), (0, 0, 1)),
        ((0, 1.6, 255), (0, 2, 255)),
        ((0, 0.4, 2), (0, 0, 2)),
    ):
        Image.fromarray(np.float32([pixels])).save(tmp_path / "float.tif")
        assert opened(tmp_path / "float.tif")[0, :, 0].tolist() == list(expected)


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        ((0, 1.25), r"from 0 to 1.25, expected 0 to 1, or 0 to 255 with 2 or more"),
        ((-0.25, 1), r"from -0.25 to 1, expected"),
        ((0, 256), r"from 0 to 256, expected"),
        ((0, np.nan), r"that are not finite"),
        ((0, np.inf), r"that are not finite"),
    ],
)
def test_float_pixels_of_no_certain_range(tmp_path: Path, pixels, reason: str):
    Image.fromarray(np.float32([pixels])).save(tmp_path / "float.tif")
    with pytest.raises(PictureError, match=f"unreadable .float pixels {reason}"):
        open_picture(tmp_path / "float.tif")


def test_tiff_of_colours_in_float(tmp_path: Path):
    """Three 32-bit samples a pixel, by the TIFF 6.0 specification; Pillow has no mode for them."""
    tags = ((256, 1), (257, 1), (258, 0), (259, 1), (262, 2), (273, 0), (277, 3), (279, 12))
    place = 8 + 2 + 12 * (len(tags) + 1) + 4
    entries = b""
    for tag, value in (*tags, (339, 0)):
        count = 3 if tag in (258, 339) else 1
        offset = {258: place, 339: place + 6, 273: place + 12}.get(tag, value)
        entries += struct.pack("<HHII", tag, 4 if tag == 273 else 3, count, offset)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags) + 1) + entries + struct.pack("<I", 0)
    samples = struct.pack("<6H3f", 32, 32, 32, 3, 3, 3, 0, 0.5, 1)
    (tmp_path / "float.tif").write_bytes(head + samples)
    with pytest.raises(PictureError, match="a TIFF that Pillow cannot hold, such as colours in"):
        open_picture(tmp_path / "float.tif")


def test_sizes_are_bounded(tmp_path: Path):
    """The head alone decides: a file of a few bytes claims what it likes."""
    path = tmp_path / "large.png"
    for height, width, reason in (
        (2, 65000, "65000 x 2 pixels, one side over 100 times the other"),
        (65000, 2, "2 x 65000 pixels, one side over 100 times the other"),
        (10000, 11000, "11000 x 10000 pixels, at most 89,478,485 are read"),
        (50000, 50000, "exceeds limit"),
    ):
        whole = as_png(np.zeros((1, 1, 1), np.uint16), 0)
        head = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
        check = struct.pack(">I", zlib.crc32(b"IHDR" + head))
        path.write_bytes(whole[:16] + head + check + whole[33:])
        with pytest.raises(PictureError) as caught:
            open_picture(path)
        assert reason in caught.value.reason
    Image.new("RGB", (1000, 10), "teal").save(path)
    assert open_picture(path).size == (1000, 10)


def test_what_is_no_picture(tmp_path: Path):
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "empty.png").touch()
    (tmp_path / "script.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 6\n")
    for name, reason in (
        ("folder.png", "a folder"),
        ("pipe.png", "no regular file"),
        ("gone.png", "No such file or directory"),
        ("empty.png", "no picture of a known format"),
        ("script.png", "no picture of a known format"),
    ):
        with pytest.raises(PictureError) as caught:
            open_picture(tmp_path / name)
        assert caught.value.reason == reason


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "gif", "ppm"])
def test_damaged_files(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture):
    """A picture, or one error that gives a reason: nothing else is raised, warned of or printed."""
    path, rng = tmp_path / f"picture.{suffix}", np.random.default_rng(14)
    Image.fromarray(COLOUR).save(path)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(150):
            damaged = whole.copy()
            places = rng.integers(0, len(whole), rng.integers(1, 9))
            damaged[places] = rng.integers(0, 256, len(places))
            path.write_bytes(damaged[: rng.integers(len(whole) // 2, 2 * len(whole))].tobytes())
            try:
                assert open_picture(path, upright=True).mode == "RGB"
            except PictureError as error:
                refused += bool(error.reason)
    assert refused > 20
    assert capfd.readouterr() == ("", "")
