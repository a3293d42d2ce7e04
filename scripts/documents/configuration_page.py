"""The page of configurations: choices, presets and derived sizes, from `rtl_gen.config` and
`rtl_gen.presets`."""

import ast
import dataclasses
import inspect
import itertools

from rtl_gen import config
from rtl_gen.config import AcceleratorConfig
from rtl_gen.presets import DEFAULT, PRESETS
from scripts.documents.markdown import table

_INTRODUCTION = """\
# Configuration

One object, `AcceleratorConfig`, feeds hardware, compiler, golden model and cycle model. A preset is
a named one; `--set NAME=VALUE` of [`sparse-vit rtl`](commands.md#sparse-vit-rtl), `overrides` of a
[sweep](../sweeps.md) or `dataclasses.replace` in Python change single choices. A combination that
cannot be built is refused in one line. [How to add a preset](../adding_a_preset.md).

## Choices

A program is bound to the choices marked "program": hardware that differs in one of them refuses
it. The others are free: the same program runs on all of them.

"""


def page() -> str:
    """Choices with their documentation, presets, and what follows from a configuration."""
    documented = _documented(AcceleratorConfig)
    fields = dataclasses.fields(AcceleratorConfig)
    choices = table(
        ["choice", "default", "program", "means"],
        (
            [
                f"`{field.name}`",
                str(getattr(DEFAULT, field.name)),
                "" if field.metadata else "yes",
                documented[field.name],
            ]
            for field in fields
        ),
    )
    presets = table(
        ["choice", *PRESETS],
        (
            [f"`{field.name}`", *(str(getattr(one, field.name)) for one in PRESETS.values())]
            for field in fields
        ),
    )
    derived = table(
        ["property", *PRESETS, "means"],
        (
            [f"`{name}`", *(str(getattr(one, name)) for one in PRESETS.values()), means]
            for name, means in _properties()
        ),
    )
    return (
        f"{_INTRODUCTION}{choices}\n## Presets\n\n{presets}\n## What follows\n\n"
        f"Every width and size is derived once, here:\n\n{derived}"
    )


def _documented(kind: type) -> dict[str, str]:
    """The text behind each annotated field of a class."""
    (body,) = (
        node.body
        for node in ast.parse(inspect.getsource(config)).body
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__
    )
    return {
        field.target.id: text.value.value
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
    }


def _properties() -> list[tuple[str, str]]:
    """Properties that are numbers, with the first sentence of their documentation."""
    members = inspect.getmembers(AcceleratorConfig, lambda member: isinstance(member, property))
    return [
        (name, inspect.getdoc(member).split("\n\n")[0])
        for name, member in members
        if member.__doc__ and isinstance(getattr(DEFAULT, name), int)
    ]
