"""YAML or JSON files into validated models; whatever is wrong becomes one line with its place."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, model_validator

from model.files.text_file import read_text
from model.files.yaml_loader import RefusedError, find, load, shown
from rtl_gen.errors import UserError


class UnknownKeyError(ValueError):
    """A key of a mapping that its model does not have."""

    def __init__(self, key: Any, known: Sequence[str]):
        super().__init__(f"unknown key {shown(key)}: {_expected(key, known)}")
        self.key = key


@dataclass(frozen=True)
class Source:
    """The file that a model was read from; equal models may come from different ones."""

    path: Path = field(compare=False)
    root: yaml.Node | None = field(compare=False)

    def has(self, place: Sequence[str | int]) -> bool:
        """Whether all keys on the way to a place stand in the file."""
        return find(self.root, place).exact

    def error(self, message: str, line: int, place: Sequence[str | int] = ()) -> UserError:
        name = ".".join(map(str, place))
        return UserError(": ".join(filter(None, (f"{self.path}, line {line}", name, message))))

    def error_at(self, message: str, place: Sequence[str | int]) -> UserError:
        return self.error(message, find(self.root, place).line, place)


class StrictModel(BaseModel):
    """Immutable; an unknown key is an error that names the nearest known one."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    _source: Source | None = PrivateAttr(None)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError(f"found {shown(data)}: expected keys out of {_listed(cls)}")
        for key in data:
            if key not in cls.model_fields:
                raise UnknownKeyError(key, list(cls.model_fields))
        return data

    @property
    def source(self) -> Source | None:
        """The file that it was read from, if it was."""
        return self._source

    def read_from(self, source: Source) -> Self:
        """Remember the file, so that what is found wrong later has its line too."""
        self._source = source
        return self


Model = TypeVar("Model", bound=StrictModel)


def read_model(path: Path, model: type[Model], kind: str = "YAML") -> Model:
    """The file as a `model`; `kind` is what messages call it.

    Raises:
        UserError: no such file, no YAML, a key twice, or what the model refuses.
    """
    text = read_text(path, f"{kind} file")
    source = Source(path, None)
    try:
        root, data = load(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise source.error(f"{error.reason}: expected {kind}", line) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context
        if not isinstance(error, RefusedError):
            problem = f"{problem}: expected {kind}"
        raise source.error(problem, mark.line + 1 if mark else 1) from error
    source = Source(path, root)
    try:
        return model.model_validate(data).read_from(source)
    except ValidationError as error:
        line = find(root, _deepest_place(error)).line
        raise source.error(first_message(error), line, error.errors()[0]["loc"]) from error


def first_message(error: ValidationError) -> str:
    """What the first of the errors says, in this project's words where they are its own."""
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    if cause is not None:
        return str(cause)
    return f"{first['msg'][0].lower()}{first['msg'][1:]}, found {shown(first['input'])}"


def _deepest_place(error: ValidationError) -> tuple[str | int, ...]:
    """Where the first of the errors is, down to an unknown key and through nested validations."""
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    inner: tuple[str | int, ...] = ()
    if isinstance(cause, UnknownKeyError):
        inner = (str(cause.key),)
    elif cause is not None and isinstance(cause.__cause__, ValidationError):
        inner = _deepest_place(cause.__cause__)
    return (*first["loc"], *inner)


def choose(kind: str, name: Any, known: Sequence[str]) -> str:
    """`name` if it is known, else a ValueError that names the nearest."""
    if name not in known:
        raise ValueError(f"unknown {kind} {shown(name)}: {_expected(name, known)}")
    return name


def _expected(name: Any, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(shown(name).strip("'"), list(known), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}expected one of {', '.join(known)}"


def _listed(model: type[BaseModel]) -> str:
    return ", ".join(model.model_fields)
