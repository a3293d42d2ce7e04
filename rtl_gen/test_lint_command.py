"""`sparse-vit lint-rtl`: the first warning is the error, all are in a file."""

import json

import pytest

from rtl_gen.commands.lint import lint_rtl
from rtl_gen.errors import UserError
from rtl_gen.lint.tools import TOOLS


def test_command_tells_the_first_warning(tmp_path, monkeypatch):
    monkeypatch.setitem(TOOLS, "slang", lambda _: ["accelerator.v:1: warning: so so"])
    with pytest.raises(UserError, match=r"so so; all warnings are in .*lint\.json"):
        lint_rtl(config="tiny", out=tmp_path)
    assert json.loads((tmp_path / "tiny" / "lint.json").read_text())["verible"] == []
