"""Picture files: opened as 8-bit RGB in one place, or refused with a reason."""

import logging
import stat
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin, UnidentifiedImageError

from rtl_gen.errors import UserError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM", "GIF", "JPEG2000", "AVIF")
"""Pillow's names of what is read; others of its formats run programs or hold no photographs."""

MOST_PIXELS = 89_478_485
"""Where Pillow begins to suspect a decompression bomb: a quarter of a GiB in RGB."""

WHITE_OF_FLOATS = (1, 255)
"""What white is in a picture of float pixels: the larger one if a pixel is twice the smaller."""

MOST_ASPECT = 100
"""Longer side over shorter side: a transform that resizes the shorter one makes no more of it."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture of an EXIF orientation upright. Pillow's own function would rewrite the rest
of the EXIF data too, and fail where that is odd."""

_BITS_PER_SAMPLE, _PHOTOMETRIC, _BLACK_IS_ZERO = 258, 262, 1
"""Tags of TIFF."""

_TIFF_HEADS = (b"II*\0", b"MM\0*")

_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    LookupError,
    ArithmeticError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow raises for a file that is no picture, or a broken one."""


logging.getLogger("PIL").addHandler(logging.NullHandler())  # It prints errors, then raises them.


class PictureError(UserError):
    """A file that is no picture, or one that has no certain 8-bit RGB; `reason` says why."""

    def __init__(self, path: Path | str, reason: str):
        super().__init__(
            f"picture {path} is unreadable ({reason}): expected a picture of 8 or 16 bits a "
            "channel, such as JPEG or PNG"
        )
        self.reason = reason


def open_picture(path: Path | str, *, upright: bool = False) -> Image.Image:
    """A picture file in RGB, 8 bits a channel.

    Of 16 bits the upper eight stay, of an animation the first picture, of transparent pixels their
    colour, as timm takes them. Float pixels, all within 0 to 1 or within 0 to 255, are scaled and
    rounded.

    Args:
        path: a regular file.
        upright: turn it as its EXIF orientation says, which timm does not.

    Raises:
        PictureError: no picture, broken, of pixels without a fixed range (float of neither range,
            32-bit), more than `MOST_PIXELS`, or longer than `MOST_ASPECT` times its shorter side.
    """
    try:
        refusal = irregularity(Path(path).stat().st_mode)
        if refusal is not None:
            raise PictureError(path, refusal)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about what it can make sense of.
            with Image.open(path, formats=FORMATS) as image:
                refusal = _refusal(image)
                if refusal is not None:
                    raise PictureError(path, refusal)
                picture = _rgb(image)
                if not upright:
                    return picture
                turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
                return picture if turn is None else picture.transpose(turn)
    except PictureError:
        raise
    except _BROKEN as error:
        raise PictureError(path, _reason(error, path)) from error


def irregularity(mode: int) -> str | None:
    """What a file is by its mode, if it is none that pictures lie in."""
    if stat.S_ISREG(mode):
        return None
    return "a folder" if stat.S_ISDIR(mode) else "no regular file"


def _refusal(image: Image.Image) -> str | None:
    """Why a picture whose head alone is read cannot be used."""
    width, height = image.size
    if width * height > MOST_PIXELS:
        return f"{width} x {height} pixels, at most {MOST_PIXELS:,} are read"
    if max(width, height) > MOST_ASPECT * min(width, height):
        return f"{width} x {height} pixels, one side over {MOST_ASPECT} times the other"
    if image.mode == "I" and image.format != "PPM":
        return "32-bit pixels have no fixed range"
    if image.mode.startswith("I;16") and not _fills_16_bits(image):
        return "more than 8 bits that may not be all 16, with black as 0"
    return None


def _fills_16_bits(image: Image.Image) -> bool:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags = image.tag_v2
        return tags.get(_BITS_PER_SAMPLE) == (16,) and tags.get(_PHOTOMETRIC) == _BLACK_IS_ZERO
    return image.format == "PNG"


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        image = Image.fromarray(_from_floats(np.asarray(image)))
    if image.mode.startswith("I"):
        upper = np.asarray(image) >> 8
        image = Image.fromarray(upper.astype(np.uint8))
    return image.convert("RGB")


def _from_floats(pixels: np.ndarray) -> np.ndarray:
    """Float pixels in 8 bits; raises ValueError unless it is certain what black and white are."""
    if not np.isfinite(pixels).all():
        raise ValueError("float pixels that are not finite")
    one, other = WHITE_OF_FLOATS
    low, high = pixels.min(), pixels.max()
    if low < 0 or one < high < 2 * one or high > other:
        ranges = f"expected 0 to {one}, or 0 to {other} with {2 * one} or more"
        raise ValueError(f"float pixels from {low:g} to {high:g}, {ranges}")
    return np.rint(pixels * (other if high <= one else 1)).astype(np.uint8)


def _reason(error: Exception, path: Path | str) -> str:
    if isinstance(error, UnidentifiedImageError):
        with Path(path).open("rb") as file:
            head = file.read(max(map(len, _TIFF_HEADS)))
        if head.startswith(_TIFF_HEADS):
            return "a TIFF that Pillow cannot hold, such as colours in float"
        return "no picture of a known format"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text if len(text) <= 100 else f"{text[:97]}..."
