"""What a calibration found: the error of every counter, case by case, as JSON and as tables."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from rtl_gen.accelerator import Accelerator
from rtl_gen.config import AcceleratorConfig
from sparse_vit.calibration.cases import Case

STALL_TOLERANCE = 0.01
"""Of the cycles on a memory that stalls at random."""

Counters = dict[str, int]


@dataclass(frozen=True)
class Result:
    """A case's prediction beside what the RTL counted."""

    case: dict
    """What identifies it, see `describe`."""
    model: Counters
    rtl: Counters

    @property
    def error(self) -> float:
        """Of the cycles, relative, with its sign."""
        return self.model["cycles"] / self.rtl["cycles"] - 1

    @property
    def off(self) -> dict[str, int]:
        """Model minus RTL of the counters that differ."""
        return {
            name: self.model[name] - value
            for name, value in self.rtl.items()
            if self.model[name] != value
        }

    @property
    def passed(self) -> bool:
        if self.case["stall"]:
            off = abs(self.model["cycles"] - self.rtl["cycles"])
            return off <= STALL_TOLERANCE * self.rtl["cycles"]
        return not self.off


def describe(case: Case) -> dict:
    config, memory = case.config, case.memory
    return {
        "name": f"{case.kind}-{case.name}",
        "kind": case.kind,
        "config": _label(config),
        "tokens": case.image.commands[0]["count"],
        "latency": memory.latency,
        "rate": memory.bytes_a_cycle(config),
        "stall": memory.stall,
        "configuration": config.as_dict(),
    }


def _label(config: AcceleratorConfig) -> str:
    cores = f"{config.cores}x" if config.cores > 1 else ""
    return f"{cores}{config.lanes}x{config.width}-bus{config.bus_bytes}"


def report(results: Sequence[Result], seed: int, cores: int | None = None) -> dict:
    """Everything, ready for JSON; `cores`: what all configurations have, None if drawn."""
    fixed = [result for result in results if not result.case["stall"]]
    stalling = [result for result in results if result.case["stall"]]
    return {
        "seed": seed,
        "cores": cores,
        "cases": len(results),
        "failed": sum(not result.passed for result in results),
        "fixed_memory": _summary(fixed),
        "random_stall": {**_summary(stalling), "tolerance": STALL_TOLERANCE},
        "by_counter": by_counter(fixed),
        "results": [
            {
                **result.case,
                "cycles_rtl": result.rtl["cycles"],
                "cycles_model": result.model["cycles"],
                "error": result.error,
                "passed": result.passed,
                "rtl": result.rtl,
                "model": result.model,
            }
            for result in results
        ],
    }


def by_counter(results: Sequence[Result]) -> dict[str, dict[str, int]]:
    """RTL and model summed over cases, and the largest error of a case, by counter."""
    return {
        name: {
            "rtl": sum(result.rtl[name] for result in results),
            "model": sum(result.model[name] for result in results),
            "largest_error": max((abs(result.off.get(name, 0)) for result in results), default=0),
        }
        for name in Accelerator.COUNTERS
    }


def cases_table(results: Sequence[Result]) -> Table:
    """A line a case."""
    table = Table(title="Cycle model against RTL", caption="rate in bytes a cycle")
    for name in ("configuration", "case"):
        table.add_column(name)
    for name in ("tokens", "latency", "rate", "stall", "cycles RTL", "cycles model", "error"):
        table.add_column(name, justify="right")
    for result in results:
        case = result.case
        table.add_row(
            case["config"],
            case["name"],
            *(f"{case[name]:g}" for name in ("tokens", "latency", "rate", "stall")),
            *(f"{counters['cycles']:,}" for counters in (result.rtl, result.model)),
            f"{result.error:.2%}" if result.off else "0",
            style=None if result.passed else "red",
        )
    return table


def counters_table(results: Sequence[Result]) -> Table:
    """A line a counter, over the cases without random stalls."""
    fixed = [result for result in results if not result.case["stall"]]
    table = Table(title=f"By counter, {len(fixed)} cases on ideal or fixed-latency memory")
    table.add_column("counter")
    for name in ("RTL", "model", "largest error"):
        table.add_column(name, justify="right")
    for name, values in by_counter(fixed).items():
        table.add_row(name.replace("_", " "), *(f"{value:,}" for value in values.values()))
    return table


def _summary(results: Sequence[Result]) -> dict[str, float]:
    return {
        "cases": len(results),
        "cycles_rtl": sum(result.rtl["cycles"] for result in results),
        "cycles_model": sum(result.model["cycles"] for result in results),
        "largest_relative_error": max((abs(result.error) for result in results), default=0.0),
    }
