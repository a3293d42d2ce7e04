"""Whether a configuration can run a network: the one place that decides.

Compiler, cycle model, sweeps and commands ask here before any long work. The limits are those that
the hardware checks of every command (rtl_gen/control/dispatcher.py, range_check.py), and the
formats that bound them.
"""

from model.network.shape import Network
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.presets import PRESETS, get_config


def check_fit(config: AcceleratorConfig, network: Network) -> None:
    """Raise UserError if the configuration cannot hold the network, with one that can."""
    check_shape(network)
    problem = misfit(config, network)
    if problem is not None:
        raise UserError(f"{network.name} {problem}: {remedy(network)}")


def check_shape(network: Network) -> None:
    """Raise UserError for sizes that no network can have."""
    least = {
        **dict.fromkeys(("heads", "layers", "head_dim", "colours"), 1),
        **dict.fromkeys(("prefix_tokens", "classes"), 0),
    }
    for name, smallest in least.items():
        _check_count(network, name, getattr(network, name), smallest)
    for name, smallest in {"patch": 1, "grid": 0}.items():
        for value in getattr(network, name):
            _check_count(network, name, value, smallest)
    _check_count(network, "tokens", network.tokens, 1)
    _check_count(network, "hidden", network.hidden, 1)


def misfit(config: AcceleratorConfig, network: Network) -> str | None:
    """What of a network a configuration cannot hold, None if it holds it."""
    for name, needed in _needs(network).items():
        available = getattr(config, name)
        if needed > available:
            return f"needs {name} = {needed}, this configuration has {available}"
    for name, needed in {
        "patch inputs": network.patch_inputs,
        "hidden channels of the FFN": network.hidden,
        f"attention outputs, {config.width} a head,": network.heads * config.width,
    }.items():
        if needed > config.hidden_dim:
            return (
                f"has {needed} {name}: this configuration holds {config.hidden_dim}, four times "
                f"max_dim = {config.max_dim}"
            )
    return None


def remedy(network: Network) -> str:
    """The presets that hold a network, or the changes to one with which it would."""
    fitting = fitting_presets(network)
    if fitting:
        return f"expected the preset {' or '.join(fitting)}"
    for name in _BY_CHANGES:
        changes = changes_for(name, network)
        if changes is not None:
            shown = " ".join(f"--set {key}={value}" for key, value in changes.items())
            return f"no preset does, {name} with {shown} would"
    return "no change to a preset does: expected a smaller picture (+img_size=) or network"


def changes_for(preset: str, network: Network) -> dict[str, int] | None:
    """What has to be replaced in a preset for it to hold a network, None if that is no way."""
    base = PRESETS[preset]
    changes = {key: need for key, need in _needs(network).items() if need > getattr(base, key)}
    widest = max(network.patch_inputs, network.hidden, network.heads * base.width)
    channels = max(-(-widest // 4), network.dim)
    if channels > base.max_dim:
        changes["max_dim"] = -(-channels // base.width) * base.width
    try:
        return changes if misfit(get_config(preset, **changes), network) is None else None
    except UserError:
        return None


def fitting_presets(network: Network) -> list[str]:
    """Names of the presets that can run the network, those of the narrowest lanes first."""
    fitting = [name for name, config in PRESETS.items() if misfit(config, network) is None]
    return sorted(fitting, key=lambda name: PRESETS[name].width)


_BY_CHANGES = ("large", "wide")
"""Presets that are changed for what no preset holds, the first that can be."""


def _needs(network: Network) -> dict[str, int]:
    """The least values of a configuration."""
    return {
        "max_tokens": network.tokens,
        "max_heads": network.heads,
        "width": network.head_dim,
        "max_dim": network.dim,
    }


def _check_count(network: Network, name: str, value: int, smallest: int) -> None:
    if type(value) is not int or value < smallest:
        kind = "a positive integer" if smallest else "an integer from 0 on"
        raise UserError(f"{network.name} has {name} = {value!r}: expected {kind}")
