"""`python -m model`: attention maps, masks, polarisation, schedules, float and integer networks."""

import typer

from model.commands import (
    accuracy,
    attention,
    digits,
    finetune,
    importance,
    integer_loss,
    integers,
    scores,
    synthetic,
    wipe,
)
from rtl_gen.cli import run

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
for group in (
    attention,
    scores,
    importance,
    accuracy,
    finetune,
    integers,
    integer_loss,
    digits,
    wipe,
):
    app.add_typer(group.app)
app.add_typer(synthetic.app, name="synthetic")

if __name__ == "__main__":
    run(app)
