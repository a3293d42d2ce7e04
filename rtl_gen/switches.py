"""Words that switch something on or off, wherever a user writes them."""

from rtl_gen.errors import UserError

ON, OFF = ("1", "yes", "true", "on"), ("0", "no", "false", "off")


def is_on(name: str, word: str) -> bool:
    """What `word` says of the switch `name`, in capitals or not; nothing is off."""
    if word.lower() in ON:
        return True
    if word.lower() in ("", *OFF):
        return False
    raise UserError(f"{name}={word}: expected one of {', '.join(ON)} or of {', '.join(OFF)}")
