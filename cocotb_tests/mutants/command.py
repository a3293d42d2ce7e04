"""The command `sparse-vit mutate`."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cocotb_tests.mutants.drawing import draw
from cocotb_tests.mutants.equivalent import Equivalents
from cocotb_tests.mutants.forked import stop_all
from cocotb_tests.mutants.judging import Judged
from cocotb_tests.mutants.reaching import measure
from cocotb_tests.mutants.report import Report
from rtl_gen.files import make_folder, write_if_changed
from rtl_gen.json_file import json_text
from rtl_gen.progress import progress_over

FILE = "mutants.json"
JUDGED = Path(__file__).with_name("judged.jsonl")
"""Mutants of the sources as they are, and who noticed them."""


def mutate(
    *,
    unit: Annotated[
        str | None,
        typer.Option(help="Only this module or folder, such as topk, pruning or model.integer."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Mutants, drawn from all.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Draws them.")] = 0,
    reaching: Annotated[
        bool,
        typer.Option(
            "--reaching",
            help="Run all tests of Python's packages first, to see which reach a line; only these "
            "judge it. Pays from some hundred mutants on.",
        ),
    ] = False,
    long: Annotated[
        bool,
        typer.Option("--long", help="Tests that are marked as long judge what survives, too."),
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Mutants at a time.")] = 1,
    judged: Annotated[
        Path, typer.Option(help="What was judged before, and what this run adds to it.")
    ] = JUDGED,
    out: Annotated[Path, typer.Option(help=f"Folder that gets {FILE}.")] = Path("build/mutants"),
) -> dict[str, Any]:
    """Change operators, constants and statements one by one; list what no test notices.

    What makes no difference stands in cocotb_tests/mutants/equivalent.yaml with its reason. What
    was judged before, in a module whose text is still the same, is not judged again.
    """
    drawn, equivalents = draw(unit, count, seed), Equivalents.read()
    make_folder(out)
    verdicts = Judged(judged, measure(out, workers) if reaching else None, long=long)
    report = Report(seed)
    running = [one for one in drawn if equivalents.reason(one) is None]
    report.equivalent = Counter(one.package for one in drawn)
    report.equivalent -= Counter(one.package for one in running)
    with (
        ThreadPoolExecutor(workers) as pool,
        progress_over(len(running), "mutants") as advance,
    ):
        try:
            for one, by in zip(running, pool.map(verdicts.noticed_by, running), strict=True):
                report.add(one, by)
                advance()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            stop_all()
    console = Console()
    report.show(console)
    write_if_changed(out / FILE, json_text(report.contents()))
    console.print(str(out / FILE))
    return report.contents()
