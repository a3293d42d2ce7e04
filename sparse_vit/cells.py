"""What an accelerator takes of an FPGA or in standard cells, without synthesis."""

from rtl_gen.area.model import predict
from rtl_gen.config import AcceleratorConfig
from rtl_gen.presets import get_config


def area(preset: AcceleratorConfig | str, **overrides: int) -> dict[str, float]:
    """What an accelerator takes of an AMD UltraScale+ or in standard cells, all cores together.

    They are predicted: see the errors on configurations that the model was not fitted on in the
    results.

    Args:
        preset: the accelerator, by name or as a configuration.
        overrides: choices of a preset by name that are replaced.

    Returns:
        `luts` (LUT), `flip_flops` (FF), `dsps` (DSP48E2) and `block_rams` (RAMB36, in halves) of
        the UltraScale+; `gates` (NANDs of two inputs, without memories) and `sram_bits` beside
        them of standard cells.

    Raises:
        UserError: a preset or a choice that does not exist.
    """
    config = get_config(preset, **overrides) if isinstance(preset, str) else preset
    return predict(config)
