"""What of memory is a program's: where it may lie, what it may write, whatever the host chooses."""

import numpy as np
import pytest

from cocotb_tests.harness.runner import simulate
from cocotb_tests.network.good_program import good_program
from rtl_gen.accelerator import Accelerator
from rtl_gen.presets import get_config

MEMORY_BYTES = 1 << 15


@pytest.mark.long("verilator")
def test_bounds(simulator, tmp_path):
    """With addresses of 40 bits, on a program that knows nothing of them."""
    config = get_config("tiny", address_bits=40)
    good = good_program(get_config("tiny"))
    np.save(tmp_path / "image.npy", good.data)
    simulate(
        Accelerator(config),
        name="accelerator",
        simulator=simulator,
        bench="cocotb_tests.network.bench_bounds",
        parameters={
            "config": config.as_dict(),
            "image": str(tmp_path / "image.npy"),
            **good.expectation,
            "memory_bytes": MEMORY_BYTES,
        },
    )
