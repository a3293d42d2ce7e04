"""What several tests of the hardware look at."""

import pytest
from amaranth.hdl import Fragment
from amaranth.lib import wiring

from rtl_gen.accelerator import Accelerator
from rtl_gen.presets import get_config


@pytest.fixture
def elaborated(monkeypatch) -> tuple[Fragment, list[wiring.Component]]:
    """The tiny accelerator as a fragment, and every component in it, the top first."""
    units: list[wiring.Component] = []
    create = wiring.Component.__init__

    def create_and_note(self, *arguments):
        create(self, *arguments)
        units.append(self)

    monkeypatch.setattr(wiring.Component, "__init__", create_and_note)
    top = Accelerator(get_config("tiny"))
    fragment = Fragment.get(top, None)
    units.remove(top)
    return fragment, [top, *units]
