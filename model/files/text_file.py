"""Text files from users: UTF-8, or UTF-16 with its byte-order mark, which is no part of it."""

import codecs
import errno
import os
from pathlib import Path

from rtl_gen.errors import UserError

MAX_BYTES = 2**20
"""Of a file; what people write by hand is far smaller."""


def read_text(path: Path, kind: str) -> str:
    """The text of a file of some `kind`, as in "YAML file".

    Raises:
        UserError: a file that cannot be read, is no text or is longer than `MAX_BYTES`.
    """
    try:
        if not path.is_file():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError
        return content.decode(_encoding(content))
    except (OSError, ValueError) as error:
        reason = "no text"
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
        elif not isinstance(error, UnicodeError):
            reason = f"not within {MAX_BYTES:,} bytes"
        raise UserError(f"cannot read {path} ({reason}): name an existing {kind}") from error


def _encoding(content: bytes) -> str:
    marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return "utf-16" if content.startswith(marks) else "utf-8-sig"
