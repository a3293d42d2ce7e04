"""A processor's firmware drives the accelerator: the system on chip, and what stops it."""

import dataclasses
import json

import pytest
import torch

from model.data.digits import held_back_digit
from model.integer.random_network import random_network, random_patches
from model.network.shape import Network
from rtl_gen.errors import UserError
from rtl_gen.presets import get_config
from sim_models.memory import MemoryTiming
from sparse_vit.co_simulation import CoSimulation
from sparse_vit.commands import soc
from sparse_vit.digits import PRESET, digits_simulation
from sparse_vit.soc import run as module
from sparse_vit.soc.firmware import Program
from sparse_vit.soc.run import Printed, build_system, run_program

SPARSITY = 0.8
MOST_INSTRUCTIONS = 200
"""From start to interrupt: a processor that polled would take hundreds of times as many."""

HEADER_DIGEST, WEIGHT = 8, 100_000
"""Bytes of the program."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("soc")


@pytest.fixture(scope="module")
def hardware(folder):
    """Of vit_digits' preset."""
    return build_system(get_config(PRESET), folder)


@pytest.fixture(scope="module")
def digit():
    return digits_simulation([0], sparsity=SPARSITY)


@pytest.fixture(scope="module")
def run(hardware, digit, folder):
    """Runs a program on Verilator, with the digit's cycles by default."""

    def run_on(program: Program, cycles: int = digit.cycles) -> Printed:
        options = {"cycles": cycles, "simulator": "verilator", "seed": 1}
        return run_program(hardware, program, folder, digit.memory, **options)

    return run_on


def program_of(simulation: CoSimulation, *wrong: int) -> Program:
    """A simulation's first batch; a bit of the bytes at `wrong` is another one."""
    program = Program.of(simulation.image, simulation.batches[0].data)
    data = bytearray(program.data)
    for place in wrong:
        data[place] ^= 0x40
    return dataclasses.replace(program, data=bytes(data))


def test_a_digit(tmp_path, command, capsys):
    """Logits, class and every counter, for a memory of its own latency."""
    number, latency = 3, 23
    words = ("--digit", number, "--latency", latency, "--json", "--out", tmp_path)
    assert command("soc", *words) == 0
    result = json.loads(capsys.readouterr().out)
    simulation = digits_simulation([number], sparsity=SPARSITY, memory=MemoryTiming(latency))
    (batch,) = simulation.batches
    assert result["logits"] == batch.golden["logits"][0].tolist()
    assert result["class"] == result["label"] == held_back_digit(number)[1]
    assert result["counters"] == batch.predicted
    assert 0 < result["processor_instructions"] < MOST_INSTRUCTIONS
    assert json.loads((tmp_path / "soc.json").read_text()) == result


def test_a_wrong_weight_is_noticed(run, digit):
    with pytest.raises(UserError, match="the firmware stopped with an error: bad checksum"):
        run(program_of(digit, WEIGHT))


def test_a_program_for_another_configuration_is_refused(run, digit):
    with pytest.raises(UserError, match="the firmware stopped with an error: bad config"):
        run(program_of(digit, HEADER_DIGEST))


def test_firmware_that_does_not_end(run, digit, monkeypatch):
    monkeypatch.setattr(module, "HOST_CYCLES", 0)
    with pytest.raises(UserError, match="still runs after 1,000 cycles, in which it printed noth"):
        run(program_of(digit), cycles=1000)


@pytest.mark.long
def test_a_small_network_on_icarus(tmp_path):
    """On which a digit takes minutes."""
    shape = Network(
        name="small", heads=1, layers=1, head_dim=8, grid=(2, 3), patch=(1, 1), classes=5
    )
    network, patches = random_network(shape, 1), random_patches(shape, 1, 1)
    masks = torch.rand(shape.mask_shape, generator=torch.Generator().manual_seed(1)) < 0.5
    masks[..., 0, :] = masks[..., 0] = True
    config, memory = get_config("tiny"), MemoryTiming(40)
    simulation = CoSimulation.of(config, network, patches, masks, [4], memory)
    (batch,) = simulation.batches
    printed = run_program(
        build_system(config, tmp_path),
        program_of(simulation),
        tmp_path,
        memory,
        cycles=simulation.cycles,
        simulator="icarus",
        seed=1,
    )
    assert printed.logits == batch.golden["logits"][0].tolist()
    assert printed.counters == batch.predicted
    assert printed.instructions < MOST_INSTRUCTIONS


@pytest.mark.parametrize(
    ("wrong", "differing"),
    [
        ({"logits": [1] * 10}, "logits"),
        ({"best": 11}, "class"),
        ({"counters": {"cycles": 5}}, "counters"),
        ({"logits": [], "best": 1}, "class and logits"),
    ],
)
def test_what_differs_is_named(wrong, differing, tmp_path, digit, monkeypatch, command, capsys):
    (batch,) = digit.batches
    golden = batch.golden["logits"][0]
    right = Printed(
        logits=golden.tolist(),
        best=int(golden.argmax()),
        instructions=90,
        counters=batch.predicted,
    )
    monkeypatch.setattr(soc, "build_system", lambda *_: None)
    monkeypatch.setattr(soc, "run_program", lambda *_, **__: dataclasses.replace(right, **wrong))
    assert command("soc", "--out", tmp_path) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    path = tmp_path / "soc.json"
    assert error == f"error: {differing} of the system differ from the models': {path} has both"
    assert json.loads(path.read_text())["golden_logits"] == golden.tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--digit", "500"), "digit 500: expected a number from 0 to 499"),
        (("--sparsity", "1"), "sparsity = 1.0: expected a fraction from 0 to below 1"),
        (("--latency", "1"), "greater than or equal to 2"),
        (("--latency", "65536"), "less than or equal to 65535"),
    ],
)
def test_user_errors(options, message, tmp_path, command, capsys):
    out = tmp_path / "soc"
    assert command("soc", *options, "--out", out) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_no_compiler(tmp_path, monkeypatch, command, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command("soc", "--out", tmp_path / "soc") == 2
    error = capsys.readouterr().err
    assert error == (
        "error: riscv64-unknown-elf-gcc is not on PATH: install a GCC for RISC-V (apt-get install "
        "gcc-riscv64-unknown-elf)\n"
    )
    assert not (tmp_path / "soc").exists()


def test_the_same_hardware_has_the_same_bytes(hardware, folder, monkeypatch):
    monkeypatch.setattr(module, "write_rtl", lambda *_: None)
    assert build_system(get_config(PRESET), folder).design == hardware.design
