"""The result of a synthesis as a table, and what limits its clock."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table


def show(console: Console, result: dict, headings: Mapping[str, str]) -> None:
    """Print a result of `synthesize`; `headings` are those of its flow."""
    table = Table("unit", title=f"Cells of {result['device']}")
    for heading in headings.values():
        table.add_column(heading, justify="right")
    timed = result["units_timed"]
    if timed:
        table.add_column("MHz alone", justify="right")
        table.add_column("levels", justify="right")
    for name, counts in result["units"].items():
        table.add_row(
            name, *_numbers(counts, headings), *(_timing(timed.get(name)) if timed else ())
        )
    table.add_section()
    table.add_row("total", *_numbers(result["total"], headings))
    console.print(table)
    for name, (needed, available) in result["needed"].items():
        fits = "" if needed <= available else ": does not fit"
        console.print(
            f"{needed:,g} of {available:,} {name.replace('_', ' ')}, "
            f"{100 * needed / available:.1f} %{fits}"
        )
    if timed:
        slowest = min(timed, key=lambda name: timed[name]["frequency_mhz"])
        _limit(console, f"slowest unit, {slowest}", timed[slowest])
    if result["whole"]:
        _limit(console, f"the whole with {result['options']}", result["whole"])


def _limit(console: Console, of: str, timing: dict) -> None:
    console.print(
        f"{of}: {timing['frequency_mhz']:,.1f} MHz, {timing['logic_ns']} ns in "
        f"{timing['logic_levels']} levels of logic and {timing['routing_ns']} ns of wires\n"
        f"  from {timing['from_register']}\n  to   {timing['to_register']}"
    )
    if timing["remark"]:
        console.print(f"  ({timing['remark']})")


def _numbers(counts: Mapping[str, float], headings: Mapping[str, str]) -> list[str]:
    return [f"{counts[column]:,.10g}" for column in headings]


def _timing(timing: dict | None) -> tuple[str, ...]:
    if not timing:
        return ("", "")
    return (f"{timing['frequency_mhz']:,.1f}", str(timing["logic_levels"]))
