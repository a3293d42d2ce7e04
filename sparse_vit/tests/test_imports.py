"""Every module of the project can be imported: also those that only a make target runs."""

import importlib
import pkgutil

import pytest

PACKAGES = ("rtl_gen", "model", "sim_models", "cocotb_tests", "sparse_vit")
NOT_FOR_IMPORT = ("__main__", "test_", "bench_")


def modules() -> list[str]:
    """Names of all modules but entry points, tests, and benches, which simulators load."""
    return [
        found.name
        for package in PACKAGES
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
        if not found.name.rpartition(".")[2].startswith(NOT_FOR_IMPORT)
    ]


@pytest.mark.parametrize("name", modules())
def test_import(name):
    importlib.import_module(name)
