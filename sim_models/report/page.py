"""The page: sections of text, interactive plots and tables, filled into templates/report.html.

The page needs nothing but itself (plotly's JavaScript is inside) and carries no date: the same
results give the same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.graph_objects import Figure
from plotly.offline import get_plotlyjs

from sim_models.figures.breakdown import utilisation_table
from sim_models.figures.catalogue import FIGURES
from sim_models.figures.tables import TextTable
from sim_models.figures.workload import Setting
from sim_models.paper import PAPER_SPEEDUP
from sim_models.report.plots import PLOTS
from sim_models.report.rtl_runs import Evidence, evidence_tables

TITLE = "Sparse ViT accelerator: cycles of DeiT"

LEADS = {
    "speedup": "What token pruning adds to sparse attention: cycles without it over cycles with "
    "it, the same masks in both. Linear layers decide, so that the speed-up hardly depends on "
    "sparsity or model.",
    "breakdown": "Where the arithmetic is and where the time goes. A share of latency above that "
    "of FLOPs is time in which multipliers wait.",
    "timeline": "Every command of one image, from start to interrupt, as the hardware runs it. "
    "Pruned layers get shorter, because every operation works on survivors only.",
    "pareto": "Masks and schedules side by side: what each keeps and what it costs. Attention "
    "kept is that of the averaged maps between surviving tokens; it is not accuracy.",
}


@dataclass(frozen=True, kw_only=True)
class Section:
    """One chapter; `plot` is None if it has only tables."""

    name: str
    title: str
    lead: str
    plot: Markup | None
    tables: Sequence[TextTable]


def render_report(setting: Setting, results: Mapping[str, pd.DataFrame], evidence: Evidence) -> str:
    """The page; `results` holds the data of the figures by name."""
    environment = Environment(
        loader=PackageLoader("sim_models.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        title=TITLE,
        plotly=Markup(get_plotlyjs()),
        headlines=_headlines(setting, results, evidence),
        sections=_sections(results, evidence),
        configuration=_configuration(setting),
    )


def _sections(results: Mapping[str, pd.DataFrame], evidence: Evidence) -> list[Section]:
    sections = []
    for name in PLOTS:
        data = results[name]
        tables = [FIGURES[name].table(data)]
        if name == "breakdown":
            tables.append(utilisation_table(data))
        sections.append(
            Section(
                name=name,
                title=FIGURES[name].title,
                lead=LEADS[name],
                plot=_div(name, PLOTS[name](data)),
                tables=tables,
            )
        )
    tables = list(evidence_tables(evidence))
    found = (
        "Runs of the generated Verilog, beside what the cycle model says."
        if tables
        else "No runs found: `make deit` and `make calibrate` make some."
    )
    sections.append(
        Section(name="RTL", title="Checked against RTL", lead=found, plot=None, tables=tables)
    )
    return sections


def _div(name: str, figure: Figure) -> Markup:
    html = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=f"plot-{name}",
        default_height=figure.layout.height,
        config={"displaylogo": False, "responsive": True},
    )
    return Markup(html)


def _headlines(
    setting: Setting, results: Mapping[str, pd.DataFrame], evidence: Evidence
) -> dict[str, str]:
    """What is worth knowing first, by its caption."""
    speedup = results["speedup"]["speedup"]
    ends = results["timeline"].groupby("variant", sort=False)["end"].max()
    headlines = {
        f"mean speed-up by pruning, {len(speedup)} points; paper: {PAPER_SPEEDUP}x": (
            f"{speedup.mean():.3f}x"
        ),
        f"multipliers at {setting.config.frequency_mhz} MHz": f"{setting.config.macs:,}",
    }
    for variant, cycles in ends.items():
        milliseconds = cycles / setting.config.frequency_mhz / 1000
        headlines[f"{setting.network.name}, {variant}"] = f"{milliseconds:.2f} ms"
    if evidence.runs:
        mismatches = sum(run.mismatches for run in evidence.runs.values())
        compared = sum(run.compared for run in evidence.runs.values())
        caption = f"mismatches in {compared:,} values of {len(evidence.runs)} RTL runs"
        headlines[caption] = f"{mismatches:,}"
    return headlines


def _configuration(setting: Setting) -> dict[str, str]:
    """Everything that the page's numbers depend on."""
    return {
        **{name: str(value) for name, value in asdict(setting.config).items()},
        "configuration digest": setting.config.digest(),
        "memory latency, cycles": str(setting.memory.latency),
        "memory rate, bytes a cycle": str(setting.memory.bytes_a_cycle(setting.config)),
        "seed of synthetic maps": str(setting.seed),
    }
