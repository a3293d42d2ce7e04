"""Picture files: opened as 8-bit RGB in one place, or refused with a reason."""

import logging
import stat
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from rtl_gen.errors import UserError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM", "GIF", "JPEG2000", "AVIF")
"""Pillow's names of what is read; others of its formats run programs or hold no photographs."""

MOST_PIXELS = 89_478_485
"""Where Pillow begins to suspect a decompression bomb: a quarter of a GiB in RGB."""

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
    colour, as timm takes them.

    Args:
        path: a regular file.
        upright: turn it as its EXIF orientation says, which timm does not.

    Raises:
        PictureError: no picture, broken, of pixels without a fixed range (float or 32-bit),
            more than `MOST_PIXELS`, or longer than `MOST_ASPECT` times its shorter side.
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
                turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
                return picture if turn is None else picture.transpose(turn)
    except PictureError:
        raise
    except _BROKEN as error:
        raise PictureError(path, _reason(error)) from error


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
    if image.mode == "F" or (image.mode == "I" and image.format != "PPM"):
        return f"{'float' if image.mode == 'F' else '32-bit'} pixels have no fixed range"
    if image.mode.startswith("I;16") and not _fills_16_bits(image):
        return "more than 8 bits that may not be all 16, with black as 0"
    return None


def _fills_16_bits(image: Image.Image) -> bool:
    if image.format == "TIFF":
        tags = image.tag_v2
        return tags.get(_BITS_PER_SAMPLE) == (16,) and tags.get(_PHOTOMETRIC) == _BLACK_IS_ZERO
    return image.format == "PNG"


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        upper = np.asarray(image) >> 8
        image = Image.fromarray(upper.astype(np.uint8))
    return image.convert("RGB")


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "no picture of a known format"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text if len(text) <= 100 else f"{text[:97]}..."
