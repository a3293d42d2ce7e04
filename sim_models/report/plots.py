"""Interactive versions of the figures, from the same data."""

from collections.abc import Callable

import pandas as pd
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from model.files.plot_style import BLACK, SERIES
from sim_models.figures.breakdown import SHARES, total_label, totals
from sim_models.figures.operations import OPERATIONS
from sim_models.figures.speedup import MEAN_LABEL, PAPER_LABEL
from sim_models.figures.timeline import by_stage
from sim_models.paper import PAPER_SPEEDUP


def plot_speedup(data: pd.DataFrame) -> go.Figure:
    """Bars by network and sparsity, with both means."""
    figure = go.Figure()
    for colour, (sparsity, group) in zip(SERIES, data.groupby("sparsity"), strict=False):
        figure.add_bar(
            x=group["network"],
            y=group["speedup"],
            name=f"{sparsity:.0%} sparse",
            marker_color=colour,
            customdata=group[["sparse_cycles", "pruned_cycles", "attention_maps"]],
            texttemplate="%{y:.3f}x",
            hovertemplate="%{y:.3f}x<br>%{customdata[0]:,} cycles sparse<br>"
            "%{customdata[1]:,} with pruning<br>%{customdata[2]} attention maps",
        )
    mean = data["speedup"].mean()
    for value, dash, label in (
        (mean, "solid", MEAN_LABEL.format(mean)),
        (PAPER_SPEEDUP, "dash", PAPER_LABEL),
    ):
        figure.add_hline(
            value, line={"dash": dash, "color": BLACK, "width": 1.5}, name=label, showlegend=True
        )
    top = max(data["speedup"].max(), PAPER_SPEEDUP) + 0.05
    figure.update_yaxes(title="speed-up, cycles / cycles", range=[1, top])
    return _finish(figure, height=430)


def plot_breakdown(data: pd.DataFrame) -> go.Figure:
    """Bars of shares, FLOPs above latency; a panel a variant."""
    chosen = list(dict.fromkeys(data["variant"]))
    figure = make_subplots(
        cols=len(chosen), shared_yaxes=True, subplot_titles=chosen, horizontal_spacing=0.06
    )
    whole = totals(data)
    for column, variant in enumerate(chosen, 1):
        part = data[data["variant"] == variant]
        for operation, look in OPERATIONS.items():
            group = part[part["operation"] == operation]
            bars = pd.concat([_share_bars(group, *share) for share in SHARES.items()])
            figure.add_bar(
                x=bars["percent"],
                y=[bars["network"], bars["measure"]],
                orientation="h",
                name=look.label,
                legendgroup=operation,
                showlegend=column == 1,
                marker_color=look.colour,
                customdata=bars[["flops", "cycles"]],
                hovertemplate=f"{look.label}: %{{x:.2f}} %<br>%{{customdata[0]:,}} FLOPs<br>"
                "%{customdata[1]:,} cycles<extra>%{y}</extra>",
                row=1,
                col=column,
            )
        labels = [
            (network, measure, total_label(whole.loc[(network, variant)], share))
            for network in dict.fromkeys(part["network"])
            for share, measure in SHARES.items()
        ]
        networks, measures, texts = zip(*labels, strict=True)
        figure.add_bar(
            x=[0] * len(labels),
            y=[networks, measures],
            orientation="h",
            text=texts,
            textposition="outside",
            cliponaxis=False,
            hoverinfo="skip",
            showlegend=False,
            row=1,
            col=column,
        )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(title="share, %", range=[0, 119], tickvals=list(range(0, 101, 20)))
    figure.update_yaxes(autorange="reversed")
    return _finish(figure, height=150 + 90 * data["network"].nunique())


def _share_bars(group: pd.DataFrame, share: str, measure: str) -> pd.DataFrame:
    return group.assign(percent=100 * group[share], measure=measure)


def plot_pareto(data: pd.DataFrame) -> go.Figure:
    """Cycles against kept tokens and against kept attention."""
    panels = {
        "keep_ratio": ("tokens kept, mean over layers, %", "lines+markers"),
        "attention_kept": ("averaged attention kept, %", "markers"),
    }
    figure = make_subplots(cols=len(panels), shared_yaxes=True, horizontal_spacing=0.04)
    for column, (across, (title, mode)) in enumerate(panels.items(), 1):
        for colour, (sparsity, group) in zip(SERIES, data.groupby("sparsity"), strict=False):
            figure.add_scatter(
                x=100 * group[across],
                y=group["cycles"] / 1e6,
                mode=mode,
                name=f"{sparsity:.0%} sparse",
                legendgroup=str(sparsity),
                showlegend=column == 1,
                marker={"color": colour, "size": 9},
                customdata=100 * group[["final_ratio", "keep_ratio", "attention_kept"]],
                hovertemplate="%{y:.3f} M cycles<br>last layer drops %{customdata[0]:.0f} %"
                "<br>tokens kept %{customdata[1]:.1f} %"
                "<br>attention kept %{customdata[2]:.1f} %",
                row=1,
                col=column,
            )
        figure.update_xaxes(title=title, row=1, col=column)
    front = data[data["front"]].sort_values("cycles")
    figure.add_scatter(
        x=100 * front["attention_kept"],
        y=front["cycles"] / 1e6,
        mode="lines",
        name="Pareto front",
        line_color=BLACK,
        hoverinfo="skip",
        row=1,
        col=2,
    )
    figure.update_yaxes(title="million cycles of one image", col=1)
    return _finish(figure, height=460)


def plot_timeline(data: pd.DataFrame) -> go.Figure:
    """The whole run of every variant, and its stages from their own start."""
    chosen = list(dict.fromkeys(data["variant"]))
    figure = make_subplots(
        rows=2,
        cols=len(chosen),
        specs=[[{"colspan": len(chosen)}, *[None] * (len(chosen) - 1)], [{}] * len(chosen)],
        row_heights=[0.2, 0.8],
        vertical_spacing=0.14,
        horizontal_spacing=0.09,
        subplot_titles=[f"{data['network'].iloc[0]}, one image", *chosen],
    )
    stages = by_stage(data)
    for operation in OPERATIONS:
        part = stages[stages["operation"] == operation]
        _segments(figure, part, "variant", "start", operation, (1, 1))
        for column, variant in enumerate(chosen, 1):
            group = part[part["variant"] == variant]
            _segments(figure, group, "stage", "offset", operation, (2, column))
    longest = stages.groupby(["variant", "stage"])["cycles"].sum().max()
    figure.update_xaxes(range=[0, 1.03 * longest / 1e3], row=2)
    figure.update_xaxes(title="thousand cycles from start to interrupt", row=1)
    figure.update_xaxes(title="thousand cycles from the start of the stage", row=2)
    figure.update_yaxes(categoryorder="array", categoryarray=chosen[::-1], row=1)
    order = list(dict.fromkeys(data["stage"]))
    figure.update_yaxes(categoryorder="array", categoryarray=order[::-1], row=2)
    figure.update_layout(barmode="overlay")
    return _finish(figure, height=760)


def _segments(
    figure: go.Figure,
    part: pd.DataFrame,
    across: str,
    since: str,
    operation: str,
    place: tuple[int, int],
) -> None:
    look = OPERATIONS[operation]
    tokens = ["" if pd.isna(count) else f"<br>{count} tokens" for count in part["tokens"]]
    figure.add_bar(
        x=part["cycles"] / 1e3,
        y=part[across],
        base=part[since] / 1e3,
        orientation="h",
        name=look.label,
        legendgroup=operation,
        showlegend=place == (1, 1),
        marker={"color": look.colour, "line_width": 0},
        customdata=part[["stage", "start", "end", "cycles"]].assign(tokens=tokens),
        hovertemplate=f"{look.label}, %{{customdata[0]}}<br>cycles %{{customdata[1]:,}} to "
        "%{customdata[2]:,}: %{customdata[3]:,}%{customdata[4]}<extra></extra>",
        row=place[0],
        col=place[1],
    )


def _finish(figure: go.Figure, height: int) -> go.Figure:
    figure.update_layout(
        template="plotly_white",
        height=height,
        margin={"l": 20, "r": 20, "t": 50, "b": 50},
        font={"family": "system-ui, sans-serif", "size": 13},
        legend={
            "orientation": "h",
            "y": 1 + 30 / height,
            "yanchor": "bottom",
            "traceorder": "normal",
        },
    )
    figure.update_yaxes(automargin=True)
    return figure


PLOTS: dict[str, Callable[[pd.DataFrame], go.Figure]] = {
    "speedup": plot_speedup,
    "breakdown": plot_breakdown,
    "timeline": plot_timeline,
    "pareto": plot_pareto,
}
"""By the figure's name, in the order of the report."""
