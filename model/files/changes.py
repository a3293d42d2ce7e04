"""Names with changes, as options and files of sweeps have them: NAME+key=value+key=value."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from model.files.yaml_file import StrictModel, first_message
from rtl_gen.errors import UserError

MARK = "+"

Model = TypeVar("Model", bound=StrictModel)


def split_changes(text: str, kind: str) -> tuple[str, dict[str, Any]]:
    """The name, empty if the text begins with a change, and the values by their keys.

    Values are numbers, true or false, lists of numbers with commas, or words.

    Raises:
        UserError: a change without a value, or a key twice.
    """
    name, *changes = text.split(MARK)
    if "=" in name:
        name, changes = "", [name, *changes]
    values: dict[str, Any] = {}
    for change in changes:
        key, equals, value = change.partition("=")
        if not (key and equals and value) or key in values:
            raise UserError(
                f"{kind} {text!r}: found {change!r}, expected each change once, as in "
                f"NAME{MARK}key=value"
            )
        values[key] = _value(value)
    return name, values


def validated(model: type[Model], values: Mapping[str, Any], place: str) -> Model:
    """The values as a `model`.

    Raises:
        UserError: what the model refuses.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        keys = ".".join(str(key) for key in error.errors()[0]["loc"][:1])
        raise UserError(": ".join(filter(None, (place, keys, first_message(error))))) from error


def _value(text: str) -> Any:
    if "," in text:
        return [_value(part) for part in text.split(",")]
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
