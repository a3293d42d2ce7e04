"""The program that tells whether the accelerator still works: a network of one layer on random
numbers. Its logits depend on every unit."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cocotb_tests.bus.simulated_memory import VERILOG
from cocotb_tests.harness.runner import simulate
from cocotb_tests.network.run import LEAST_MEMORY, system_verilog
from model.integer.forward import forward
from model.integer.random_network import random_network, random_patches
from model.network.shape import Network
from model.program.compiler import compile_network
from rtl_gen.config import AcceleratorConfig

SHAPE = Network(
    name="one", heads=1, layers=1, head_dim=8, grid=(1, 3), colours=1, patch=(2, 4), classes=3
)
SEED = 4


@dataclass(frozen=True)
class GoodProgram:
    """It lies at address 0."""

    data: np.ndarray  # uint8
    memory_bytes: int
    """Of the program and its result."""
    result: int
    """Address of the logits, those of all cores in a row."""
    bytes: bytes
    """What the golden model expects there, in whole rows."""

    @property
    def expectation(self) -> dict[str, Any]:
        """What benches are told."""
        return {"result": self.result, "bytes": list(self.bytes)}


def good_program(config: AcceleratorConfig) -> GoodProgram:
    """The program for a configuration with rows of 8 channels."""
    network, patches = random_network(SHAPE, SEED), random_patches(SHAPE, config.cores, SEED)
    masks = torch.ones(SHAPE.mask_shape, dtype=torch.bool)
    image = compile_network(config, network, masks, keep=[2])
    logits = forward(network, patches, masks, [2]).numpy().astype("<i2")
    return GoodProgram(
        data=image.with_patches(patches),
        memory_bytes=image.memory_bytes,
        result=image.stored[0].address,
        bytes=b"".join(
            of_core.tobytes().ljust(result.rows * config.width, b"\0")
            for of_core, result in zip(logits, image.stored, strict=True)
        ),
    )


class ProgramMemory:
    """Memory with the good program and others behind it."""

    def __init__(self, config: AcceleratorConfig):
        self._config, self._good = config, good_program(config)
        self._contents = np.zeros(LEAST_MEMORY[config.width], np.uint8)
        self._end = self._good.memory_bytes
        self.place(self._good.data, 0)

    def place(self, program: bytes | np.ndarray, address: int | None = None) -> int:
        """Put a program to an address, by default behind the last one; returns the address.

        What passes the end of memory is left out.
        """
        if address is None:
            address, self._end = self._end, self._end + len(program)
        data = np.frombuffer(program, np.uint8)[: max(0, len(self._contents) - address)]
        self._contents[address : address + len(data)] = data
        return address

    def simulate(
        self, simulator: str, bench: str, testcase: str, folder: Path, **parameters: Any
    ) -> None:
        """Run a test of this folder's `bench` on `System`; the image goes into `folder`."""
        image = folder / "memory.npy"
        np.save(image, self._contents)
        simulate(
            system_verilog(self._config, len(self._contents) // self._config.bus_bytes),
            simulator=simulator,
            bench=f"cocotb_tests.network.bench_{bench}",
            models=[VERILOG],
            testcase=testcase,
            parameters={
                "config": self._config.as_dict(),
                "image": str(image),
                "good": self._good.expectation,
                **parameters,
            },
        )
