"""Synthesis of samples goes on where it stopped, and maps what is new alone."""

import csv
from pathlib import Path

import pytest

from rtl_gen.area import measure, measured
from rtl_gen.area.features import UNITS
from rtl_gen.presets import get_config


@pytest.fixture
def mapped(monkeypatch) -> list[list[str]]:
    """Units of every call of a mapping that counts nothing but calls."""
    calls: list[list[str]] = []

    def map_apart(_verilog, top, _command, modules, *, without):
        names = [name.removeprefix(f"{top}.").removeprefix("cluster.") for name in modules]
        calls.append([name.removeprefix("core_0.") for name in names])
        assert not {*modules} & {*without}
        return {name: {"LUT6": len(calls), "FDRE": 1} for name in modules}

    monkeypatch.setattr(measure.yosys, "map_apart", map_apart)
    return calls


@pytest.fixture(autouse=True)
def to_gates(monkeypatch) -> list[str]:
    """Units mapped to standard cells, one at a time."""
    calls: list[str] = []

    def count(_flow, _design, unit):
        calls.append(unit.name)
        return {"gates": len(calls), "sram_bits": 0, "cells": 1}

    monkeypatch.setattr(measure.AsicFlow, "count", count)
    return calls


def run(path: Path, **overrides: int) -> dict[str, measured.Row]:
    """Measure a tiny configuration; its rows by unit."""
    said: list[str] = []
    measure.measure({"a": get_config("tiny", **overrides)}, path, said.append)
    assert said[0] == "a (1 of 1): writing the Verilog"
    return {row.unit: row for row in measured.read(path)}


def test_what_is_known_is_not_mapped_again(mapped, tmp_path):
    path = tmp_path / "cells.csv"
    first = run(path)
    assert set(first) == set(UNITS)
    assert len(mapped) == 1
    contents = path.read_bytes()
    assert run(path) == first
    assert path.read_bytes() == contents
    assert len(mapped) == 1

    changed = run(path, stream_beats=64)
    assert len(mapped) == 2
    new = {unit for unit, row in changed.items() if row.counts["luts"] == 2}
    assert "reader" in new
    assert not new & {"array", "operands", "norm", "kv", "hidden"}
    assert {row.config.stream_beats for row in changed.values()} == {64}


def test_what_one_technology_has_is_not_mapped_for_the_other(mapped, to_gates, tmp_path):
    path = tmp_path / "cells.csv"
    first = run(path)
    assert sorted(to_gates) == sorted(UNITS)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    for row in rows:
        if row["unit"] == "norm":
            row["gates"] = ""
    with path.open("w") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    to_gates.clear()
    again = run(path)
    assert (len(mapped), to_gates) == (1, ["norm"])
    assert again["norm"].counts == {**first["norm"].counts, "gates": 1}
