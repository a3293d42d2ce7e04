"""Create .venv with the pinned packages, after installing the system tools that are missing.

Run as `python -m scripts.bootstrap`; needs nothing but Python's standard library. System packages
come from apt-get, if there is one and this user may run it (as root, or by sudo without a
password); otherwise one line says what to install.
"""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib.util import find_spec
from pathlib import Path

from rtl_gen.errors import UserError, on_one_line
from rtl_gen.synthesis.liberty import DEFAULT_LIBRARY, DEFAULT_PACKAGE

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
THIS_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"

PROGRAMS = {
    **{name: name for name in ("g++", "make", "perl", "iverilog", "chromium")},
    "opensta": "sta",
    "gcc-riscv64-unknown-elf": "riscv64-unknown-elf-gcc",
}
"""What Debian's packages bring."""

WITH_WHEELS = ("x86_64",)
"""Machines for which PyPI has every package compiled; elsewhere pip compiles cocotb."""

OPTIONAL = {
    "iverilog": "tests on Icarus Verilog will fail",
    "chromium": "the test of the report in a browser will be skipped",
    "opensta": "make asic and its tests will fail",
    "gcc-riscv64-unknown-elf": "make soc and its tests will fail",
    DEFAULT_PACKAGE: "make asic and its tests will fail",
}
"""What happens without a package that is not required."""


def main() -> None:
    """Raises UserError if something is missing that cannot be installed."""
    install_system_packages()
    if not VENV_PYTHON.exists():
        venv.create(VENV, with_pip=True)
    pip = [VENV_PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    print("installing the Python packages into .venv (some minutes, about 6 GB)", flush=True)
    pinned = subprocess.run(
        [*pip, "--constraint", "constraints.txt", "--editable", ".[dev]"], cwd=ROOT, check=False
    )
    if pinned.returncode:
        raise UserError("pip could not install the packages, see above")
    (VENV / "installed").touch()


def install_system_packages() -> None:
    missing = missing_packages()
    if missing:
        apt_get = apt_get_command()
        if apt_get:
            print(f"installing {' '.join(missing)} with apt-get", flush=True)
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            # One by one: apt-get installs nothing if it does not know one of several packages.
            install = ["install", "--yes", "--no-install-recommends"]
            for action in (["update"], *([*install, package] for package in missing)):
                subprocess.run([*apt_get, "-qq", *action], env=environment, check=False)
            missing = missing_packages()
    required = [package for package in missing if package not in OPTIONAL]
    how = f"apt-get install {' '.join(missing)}"
    if required:
        raise UserError(f"missing {', '.join(required)}: install them as root ({how})")
    if missing:
        lost = "; ".join(dict.fromkeys(OPTIONAL[package] for package in missing))
        print(f"note: {lost}; install {' and '.join(missing)} as root ({how})")


def missing_packages() -> list[str]:
    """Debian's names of the packages that this machine lacks."""
    missing = [package for package, program in PROGRAMS.items() if shutil.which(program) is None]
    if not DEFAULT_LIBRARY.exists():
        missing.append(DEFAULT_PACKAGE)
    if find_spec("ensurepip") is None:
        missing.append(f"{THIS_PYTHON}-venv")
    if not has_shared_library():
        missing.append(f"lib{THIS_PYTHON}")
    if platform.machine() not in WITH_WHEELS and not has_headers():
        missing.append(f"{THIS_PYTHON}-dev")
    return missing


def has_headers() -> bool:
    """Whether packages can be compiled for this Python."""
    return Path(sysconfig.get_path("include"), "Python.h").exists()


def has_shared_library() -> bool:
    """Whether the simulators can load this Python as a library."""
    folder = Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib")
    triplet = sysconfig.get_config_var("MULTIARCH") or ""
    name = f"lib{THIS_PYTHON}.so.1.0"
    return any(path.exists() for path in (folder / name, folder / triplet / name))


def apt_get_command() -> list[str]:
    """How to run apt-get here, or nothing."""
    if shutil.which("apt-get") is None:
        return []
    if os.geteuid() == 0:
        return ["apt-get"]
    sudo = ["sudo", "--non-interactive"]
    if shutil.which("sudo") and not subprocess.run([*sudo, "true"], capture_output=True).returncode:
        return [*sudo, "apt-get"]
    return []


if __name__ == "__main__":
    with on_one_line():
        main()
