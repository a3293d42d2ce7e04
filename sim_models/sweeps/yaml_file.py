"""YAML files into validated models; whatever is wrong becomes one sentence with its line."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from rtl_gen.errors import UserError


class UnknownKeyError(ValueError):
    """A key of a mapping that its model does not have."""

    def __init__(self, key: Any, known: Sequence[str]):
        super().__init__(f"unknown key {key!r}: {_expected(key, known)}")
        self.key = key


class StrictModel(BaseModel):
    """Immutable; an unknown key is an error that names the nearest known one."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError(f"found {data!r}: expected keys out of {', '.join(cls.model_fields)}")
        for key in data:
            if key not in cls.model_fields:
                raise UnknownKeyError(key, list(cls.model_fields))
        return data


Model = TypeVar("Model", bound=StrictModel)


def read_model(path: Path, model: type[Model]) -> Model:
    """The file as a `model`.

    Raises:
        UserError: no such file, no YAML, a key twice, or what the model refuses.
    """
    try:
        text = path.read_text()
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        _refuse_repeated_keys(path, root)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise UserError(f"{path}{place}: {problem}: expected YAML") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise UserError(f"cannot read {path} ({reason}): name an existing YAML file") from error
    try:
        return model.model_validate(data)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        line = _line(root, _deepest_place(error))
        where = ": ".join(filter(None, (f"{path}, line {line}", place)))
        raise UserError(f"{where}: {first_message(error)}") from error


def first_message(error: ValidationError) -> str:
    """What the first of the errors says, in this project's words where they are its own."""
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    if cause is not None:
        return str(cause)
    return f"{first['msg'][0].lower()}{first['msg'][1:]}, found {first['input']!r}"


def _deepest_place(error: ValidationError) -> tuple[str | int, ...]:
    """Where the first of the errors is, down to an unknown key and through nested validations."""
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    inner: tuple[str | int, ...] = ()
    if isinstance(cause, UnknownKeyError):
        inner = (cause.key,)
    elif cause is not None and isinstance(cause.__cause__, ValidationError):
        inner = _deepest_place(cause.__cause__)
    return (*first["loc"], *inner)


def choose(kind: str, name: Any, known: Sequence[str]) -> str:
    """`name` if it is known, else a ValueError that names the nearest."""
    if name not in known:
        raise ValueError(f"unknown {kind} {name!r}: {_expected(name, known)}")
    return name


def _expected(name: Any, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(name), list(known), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}expected one of {', '.join(known)}"


def _refuse_repeated_keys(path: Path, node: yaml.Node | None) -> None:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeated_keys(path, item)
    elif isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                line = key.start_mark.line + 1
                raise UserError(f"{path}, line {line}: key {name!r} stands twice: keep one")
            seen.add(name)
            _refuse_repeated_keys(path, value)


def _line(node: yaml.Node | None, place: Sequence[str | int]) -> int:
    """Line of the deepest node on the way to `place`."""
    line = 1 if node is None else node.start_mark.line + 1
    for step in place:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(step)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            if step >= len(node.value):
                break
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line
