"""The driver of accelerators, in simulation and on files that stand for a machine's."""

import os
import socket
import threading

import numpy as np
import pytest

from cocotb_tests.bus.simulated_memory import VERILOG
from cocotb_tests.harness.runner import simulate
from cocotb_tests.network.good_program import good_program
from cocotb_tests.network.run import LEAST_MEMORY, system_verilog
from rtl_gen.accelerator import Accelerator
from rtl_gen.control.register_map import ID, VERSION, RegisterMap
from rtl_gen.errors import UserError
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.presets import get_config
from sparse_vit.devices import REGISTER_BYTES, MappedDevice
from sparse_vit.driver import Driver

CONFIG = get_config("tiny")
MAP = RegisterMap(CONFIG, Accelerator.COUNTERS)
ADDRESS = 0x7000_0000


def test_driver_in_simulation(simulator, tmp_path):
    good, size = good_program(CONFIG), LEAST_MEMORY[CONFIG.width]
    np.save(tmp_path / "image.npy", good.data)
    simulate(
        system_verilog(CONFIG, size // CONFIG.bus_bytes),
        simulator=simulator,
        bench="sparse_vit.tests.bench_driver",
        models=[VERILOG],
        parameters={
            "config": CONFIG.as_dict(),
            "image": str(tmp_path / "image.npy"),
            **good.expectation,
            "memory_bytes": size,
        },
    )


@pytest.fixture
def files(tmp_path):
    """Registers that say what an accelerator says, and a memory."""
    registers, memory = tmp_path / "registers", tmp_path / "memory"
    words = np.zeros(REGISTER_BYTES // 4, "<u4")
    digest = int(CONFIG.digest(), 16)
    for name, value in {
        "id": ID,
        "version": VERSION,
        "config_low": digest & 0xFFFF_FFFF,
        "config_high": digest >> 32,
        "cycles": 1234,
    }.items():
        words[MAP[name].offset // 4] = value
    registers.write_bytes(words.tobytes())
    memory.write_bytes(bytes(8192))
    return registers, memory


def word(path, name: str) -> int:
    """What a register's file holds."""
    return int(np.fromfile(path, "<u4")[MAP[name].offset // 4])


def put(path, name: str, value: int) -> None:
    words = np.fromfile(path, "<u4")
    words[MAP[name].offset // 4] = value
    with path.open("r+b") as file:
        file.write(words.tobytes())


def test_driver_of_mapped_files(files):
    registers, memory = files
    with MappedDevice(registers, memory, address=ADDRESS, size=8192) as device:
        driver = Driver(CONFIG, device)
        device.write_memory(ADDRESS + 4096, b"program")
        assert memory.read_bytes()[4096:4103] == b"program"
        assert device.read_memory(ADDRESS + 4097, 3) == b"rog"
        driver.start(ADDRESS, results=ADDRESS + 4096)
        for name, value in {
            "program_address": ADDRESS,
            "result_base": ADDRESS + 4096,
            "interrupt_enable": 1,
            "control": 1,
        }.items():
            assert word(registers, name) == value, name
        with pytest.raises(UserError, match="no program runs"):
            driver.wait(1)
        put(registers, "status", 1)
        with pytest.raises(UserError, match=r"at 0x70000000 has not ended after 0\.01 s"):
            driver.wait(0.01)
        put(registers, "error", ErrorCode.WRITE_FAILED)
        threading.Timer(0.1, put, (registers, "status", 0b110)).start()
        assert driver.wait(10) == ErrorCode.WRITE_FAILED
        assert driver.counters()["cycles"] == 1234
        driver.bound(reads=range(4096, 3 * 4096), writes=range(4096, 2 * 4096))
        limits = [word(registers, name) for name in ("read_base", "read_limit", "write_limit")]
        assert limits == [4096, 3 * 4096 - 1, 2 * 4096 - 1]
        for address, size in ((ADDRESS - 1, 4), (ADDRESS + 8190, 4)):
            with pytest.raises(UserError, match="not within the mapped memory"):
                device.read_memory(address, size)


def test_what_is_no_accelerator_is_refused(files, tmp_path):
    registers, memory = files
    for name, value, message in (
        ("config_low", 5, "is of configuration"),
        ("version", VERSION + (1 << 16), "are of version 2.4: expected 1.4"),
        ("version", VERSION - 1, "are of version 1.3: expected 1.4"),
        ("id", 7, "no accelerator at these registers: id is 0x7"),
    ):
        put(registers, name, value)
        with (
            MappedDevice(registers, memory, address=0, size=4096) as device,
            pytest.raises(UserError, match=message),
        ):
            Driver(CONFIG, device)
    for missing in ((tmp_path / "none", memory), (registers, tmp_path / "none")):
        with pytest.raises(
            UserError, match=r"cannot map .*none \(No such file or directory\): exp"
        ):
            MappedDevice(*missing, address=0, size=4096)
    with pytest.raises(UserError, match=r"cannot map 65,536 bytes of .*memory"):
        MappedDevice(registers, memory, address=0, size=65536)


def test_interrupts_of_uio(files):
    """A word enables them, another tells of one; no longer than asked for."""
    here, there = socket.socketpair()
    registers, memory = files
    with MappedDevice(registers, memory, address=0, size=4096, interrupts=True) as device:
        os.dup2(here.fileno(), device._file)
        device.wait_for_interrupt(0.01)
        assert there.recv(4) == b"\1\0\0\0"
        there.send(b"\5\0\0\0")
        device.wait_for_interrupt(60)
        assert there.recv(4) == b"\1\0\0\0"
        device.wait_for_interrupt(0.01)
    here.close()
    there.close()
