"""Tables of what configurations take, predicted and counted: see rtl_gen/area/columns.py."""

from rtl_gen.area.columns import HEADINGS
from rtl_gen.area.errors import comparisons, mean_errors, worst_errors
from rtl_gen.area.model import predict
from rtl_gen.presets import PRESETS
from rtl_gen.synthesis.ultrascale import ULTRASCALE
from scripts.documents.markdown import table


def errors() -> str:
    """Of every sample, counted cells and the error of the prediction without it."""
    rows = [
        [f"`{one.sample}`", *(_cell(one.counted[name], one.error(name)) for name in HEADINGS)]
        for one in comparisons()
    ]
    for label, found in (("mean", mean_errors()), ("worst", worst_errors())):
        rows.append([f"**{label}, without sign**", *(f"{found[name]:.1%}" for name in HEADINGS)])
    return table(["configuration", *HEADINGS.values()], rows)


def presets() -> str:
    """Of every preset, as predicted."""
    rows = (
        [preset, *(f"{count:,.10g}" for count in predict(config).values())]
        for preset, config in PRESETS.items()
    )
    return table(["preset", *HEADINGS.values()], rows)


def shares(part: str = "zu9eg") -> str:
    """Of the part, what each preset takes, as predicted."""
    rows = []
    for preset, config in PRESETS.items():
        taken = ULTRASCALE.needed(predict(config), part).values()
        percent = (f"{number / available:.1%}" for number, available in taken)
        rows.append([preset, f"{config.macs:,}", *percent])
    return table(["preset", "multipliers", *ULTRASCALE.headings.values()], rows)


def _cell(counted: float, error: float) -> str:
    return f"{counted:,.10g} ({error:+.1%})"
