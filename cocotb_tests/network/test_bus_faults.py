"""The accelerator on a memory that answers wrongly, late, never or without being asked."""

import numpy as np
import pytest

from cocotb_tests.harness.runner import simulate
from cocotb_tests.network.good_program import good_program
from cocotb_tests.network.system import Watched
from model.program.memory_image import ImageBuilder
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.targets import Target
from rtl_gen.presets import get_config

MEMORY_BYTES = 1 << 15
STORED = MEMORY_BYTES - 512


@pytest.mark.parametrize(
    ("bench", "secure"),
    [
        pytest.param("bus_faults", 0, marks=pytest.mark.long("icarus")),
        pytest.param("bus_faults", 1, marks=pytest.mark.long("verilator")),
        pytest.param("resets", 0, marks=pytest.mark.long("icarus")),
    ],
)
def test_bus_faults(simulator, bench, secure, tmp_path):
    config = get_config("tiny", secure=secure)
    # Programs are the same for both.
    good = good_program(get_config("tiny"))
    memory = np.zeros(MEMORY_BYTES, np.uint8)
    memory[: len(good.data)] = good.data
    builder = ImageBuilder(config)
    row = bytes(range(1, 1 + config.width))
    builder.load(Target.QUERY, row, barrier=True)
    builder.emit(Opcode.STORE, target=Target.QUERY, count=1, address=STORED)
    storer = builder.finish().data
    storer_address = STORED - len(storer)
    assert storer_address > good.memory_bytes
    memory[storer_address:STORED] = storer
    np.save(tmp_path / "image.npy", memory)
    simulate(
        Watched(config, memory_obeys=False),
        name="accelerator",
        simulator=simulator,
        bench=f"cocotb_tests.network.bench_{bench}",
        testcase="attributes" if secure else None,
        parameters={
            "config": config.as_dict(),
            "image": str(tmp_path / "image.npy"),
            "good_bytes": len(good.data),
            **good.expectation,
            "memory_bytes": MEMORY_BYTES,
            "storer": storer_address,
            "stored": STORED,
            "row_bytes": list(row),
        },
    )
