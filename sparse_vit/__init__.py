"""Pruned, sparse Vision Transformers on an accelerator, from a timm model to cycles and Verilog.

    import sparse_vit as sv

    model = sv.load("deit_tiny")
    maps = sv.average_attention(model, "pictures/")
    masks = sv.vitcod(maps, sparsity=0.8)
    schedule = sv.Schedule.paper()
    report = sv.simulate(model, masks, schedule, maps=maps)
    integer = sv.quantise(model, "pictures/").pruned(masks, schedule)
    integer.predict("cat.jpg")
    sv.build_rtl("default", "build/rtl")
    sv.run_rtl(integer, "cat.jpg", simulator="verilator").mismatches

What is wrong with an input is told by `UserError` in one line, before any long work. A name is
imported when it is first used: `import sparse_vit` itself loads neither PyTorch nor timm.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rtl_gen.caches import move_libraries

if TYPE_CHECKING:
    from model.attention.maps import AttentionMaps
    from model.network.shape import Network
    from model.pruning.schedule import Schedule
    from rtl_gen.config import AcceleratorConfig
    from rtl_gen.errors import UserError
    from rtl_gen.presets import PRESETS
    from sparse_vit.attention import average_attention, make_masks, vitcod
    from sparse_vit.cells import area
    from sparse_vit.devices import MappedDevice
    from sparse_vit.driver import Driver
    from sparse_vit.hardware import RtlResult, build_rtl, run_rtl
    from sparse_vit.inputs import load
    from sparse_vit.quantisation import IntegerModel, quantise
    from sparse_vit.simulation import Report, simulate

__version__ = "0.1.0"

__all__ = [
    "PRESETS",
    "AcceleratorConfig",
    "AttentionMaps",
    "Driver",
    "IntegerModel",
    "MappedDevice",
    "Network",
    "Report",
    "RtlResult",
    "Schedule",
    "UserError",
    "area",
    "average_attention",
    "build_rtl",
    "load",
    "make_masks",
    "quantise",
    "run_rtl",
    "simulate",
    "vitcod",
]

_MODULES = {
    "AttentionMaps": "model.attention.maps",
    "Network": "model.network.names",
    "Schedule": "model.pruning.schedule",
    "AcceleratorConfig": "rtl_gen.config",
    "PRESETS": "rtl_gen.presets",
    "UserError": "rtl_gen.errors",
    "area": "sparse_vit.cells",
    "average_attention": "sparse_vit.attention",
    "make_masks": "sparse_vit.attention",
    "vitcod": "sparse_vit.attention",
    "MappedDevice": "sparse_vit.devices",
    "Driver": "sparse_vit.driver",
    "RtlResult": "sparse_vit.hardware",
    "build_rtl": "sparse_vit.hardware",
    "run_rtl": "sparse_vit.hardware",
    "load": "sparse_vit.inputs",
    "IntegerModel": "sparse_vit.quantisation",
    "quantise": "sparse_vit.quantisation",
    "Report": "sparse_vit.simulation",
    "simulate": "sparse_vit.simulation",
}
"""Where each public name is."""

move_libraries()


def __getattr__(name: str) -> Any:
    """A public name, imported now."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
