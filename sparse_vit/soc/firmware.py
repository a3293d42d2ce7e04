"""Firmware of the system: C with the shipped driver, compiled for the processor."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import litex.soc.software
import numpy as np

from model.program.memory_image import Image
from rtl_gen.accelerator import Accelerator
from rtl_gen.emit.simulation import hex_words
from rtl_gen.errors import UserError
from rtl_gen.files import write_if_changed
from sparse_vit.soc.system import Hardware

COMPILER = "riscv64-unknown-elf-"
"""In front of the names of GCC's programs; it compiles for processors of 32 bits, too."""

SOURCE = Path(__file__).with_name("firmware.c")
WORD_BYTES = 4
_OPTIONS = ("-std=gnu99", "-O2", "-Wall", "-Wextra", "-ffreestanding", "-fno-pie")


@dataclass(frozen=True)
class Program:
    """What the firmware puts into memory, and where the logits are then."""

    image: Image
    data: bytes
    """The image's, without a picture."""
    picture: bytes
    """Goes over it at the place of the image's input."""

    @classmethod
    def of(cls, image: Image, filled: np.ndarray) -> Self:
        """The program of an image for one core, with the picture in its bytes `filled`."""
        (place,) = image.inputs
        picture = filled[place.address :][: place.shape[0] * place.pitch]
        return cls(image, image.data.tobytes(), picture.tobytes())

    @property
    def header(self) -> str:
        """`program.h` of the firmware."""
        (logits,) = self.image.stored
        lines = [
            "#include <stdint.h>",
            f"#define PROGRAM_CONFIG 0x{self.image.config.digest()}u",
            f"#define PROGRAM_BYTES {len(self.data)}u",
            f"#define PICTURE_BYTES {len(self.picture)}u",
            f"#define PICTURE_ADDRESS {self.image.inputs[0].address}u",
            f"#define LOGITS_ADDRESS {logits.address}u",
            f"#define LOGITS {logits.shape[-1]}",
            f"typedef int{logits.bits}_t logit;",
            f"#define COUNTERS(of) {' '.join(f'of({name})' for name in Accelerator.COUNTERS)}",
            f"static const uint32_t program[] = {{{_words(self.data)}}};",
            f"static const uint32_t picture[] = {{{_words(self.picture)}}};",
        ]
        return "\n".join([*lines, ""])


def require_compiler() -> None:
    """Raises UserError if there is none."""
    if shutil.which(f"{COMPILER}gcc") is None:
        raise UserError(
            f"{COMPILER}gcc is not on PATH: install a GCC for RISC-V (apt-get install "
            "gcc-riscv64-unknown-elf)"
        )


def compile_firmware(hardware: Hardware, driver: Path, program: Program, folder: Path) -> str:
    """The words of the ROM, for $readmemh.

    Args:
        hardware: the system.
        driver: the folder `driver` of its accelerator.
        program: what to run.
        folder: gets the object files and `firmware.elf`.
    """
    write_if_changed(folder / "program.h", program.header)
    for name, text in hardware.headers.items():
        write_if_changed(folder / "generated" / name, text)
    software = Path(litex.soc.software.__path__[0])
    includes = [f"-I{folder}", f"-I{driver}"]
    includes += [f"-isystem{path}" for path in (software / "include", hardware.processor)]
    options = [*_OPTIONS, *hardware.compiler_options]
    objects = []
    for source in (hardware.processor / "crt0.S", driver / "sparse_vit.c", SOURCE):
        objects.append(folder / f"{source.stem}.o")
        _run("gcc", *options, *includes, "-c", source, "-o", objects[-1])
    elf, binary = folder / "firmware.elf", folder / "firmware.bin"
    script = software / "bios" / "linker.ld"
    libraries = (f"-L{folder}", "-nostdlib", f"-T{script}", *objects, "-lgcc")
    _run("gcc", *options, *libraries, "-o", elf)
    _run("objcopy", "-O", "binary", elf, binary)
    return hex_words(binary.read_bytes(), WORD_BYTES)


def _words(data: bytes) -> str:
    """As C writes them, filled up with zeros."""
    return ",".join(f"0x{word}" for word in hex_words(data, WORD_BYTES).split())


def _run(tool: str, *arguments: object) -> None:
    """One of GCC's programs.

    Raises:
        RuntimeError: with what it says, if it fails.
    """
    done = subprocess.run(
        [f"{COMPILER}{tool}", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{COMPILER}{tool} failed:\n{done.stderr}")
