"""Variables of make's targets, and what they become on a command line."""

import shlex
from dataclasses import dataclass

from rtl_gen.errors import UserError
from rtl_gen.switches import is_on


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A variable with a value, any text."""

    example: str
    """What help shows: a usual value, or the kind of value."""
    option: str | None = None
    """Default: the variable's name in small letters behind `--`; "" for a bare argument."""

    def arguments(self, name: str, text: str) -> list[str]:
        """Of the command when the variable `name` is `text`, which is not empty.

        Raises:
            UserError: a text that the variable does not take.
        """
        option = self.option_of(name)
        if not option:
            return [text]
        return [f"{option}={text}"] if option.startswith("--") else [option, text]

    def setting(self, name: str, text: str) -> str | None:
        """What the environment of the command holds under `name` instead of `text`."""
        del name, text

    def shown(self, name: str) -> str:
        return f"{name}={self.example}"

    def option_of(self, name: str) -> str:
        return f"--{name.lower().replace('_', '-')}" if self.option is None else self.option


@dataclass(frozen=True, kw_only=True)
class Values(Variable):
    """Several values with blanks between; quotes hold a value with blanks together."""

    def shown(self, name: str) -> str:
        return f'{name}="{self.example}"'

    def arguments(self, name: str, text: str) -> list[str]:
        try:
            values = shlex.split(text)
        except ValueError as error:
            raise UserError(f"{name}={text}: {str(error).lower()}, close the quotes") from error
        return [word for value in values for word in super(Values, self).arguments(name, value)]


@dataclass(frozen=True, kw_only=True)
class Switch(Variable):
    """On or off: `--option`, or `--no-option` if the command has that."""

    example: str = "1"
    goes_off: bool = True

    def arguments(self, name: str, text: str) -> list[str]:
        option = self.option_of(name)
        if is_on(name, text):
            return [option]
        return [f"--no-{option.removeprefix('--')}"] if self.goes_off else []


@dataclass(frozen=True, kw_only=True)
class Setting(Variable):
    """On or off in the environment of the command, where `option` follows if it is on."""

    example: str = "1"
    option: str = ""

    def arguments(self, name: str, text: str) -> list[str]:
        return [self.option] if self.option and is_on(name, text) else []

    def setting(self, name: str, text: str) -> str | None:
        return "1" if is_on(name, text) else "0"


def variables(**given: str | Variable) -> dict[str, Variable]:
    """Variables by name; an example alone stands for one with the option of its name."""
    return {
        name: Variable(example=one) if isinstance(one, str) else one for name, one in given.items()
    }
