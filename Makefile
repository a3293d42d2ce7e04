# Every target is a row of the table in scripts/targets.py: what it does, runs and takes.

export PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
PY := .venv/bin/python

# The names of the variables on make's command line; their values are in the environment.
export GIVEN_VARIABLES := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))

TARGETS := demo test lint format rtl lint-rtl synth asic area-data prove regression sweep choose \
	calibrate fuzz mutate coverage soak gates faults bench deit soc image wipe accuracy \
	search-schedule figures report docs results train-small \
	finetune

.DEFAULT_GOAL := help
.PHONY: $(TARGETS) help venv clean variables

$(TARGETS): variables .venv/installed
	@"$(PY)" -m scripts.make_target run $@

help: variables
	@"$$PYTHON" -m scripts.make_target help

venv: variables .venv/installed

clean: variables
	@"$$PYTHON" -m scripts.make_target run clean

# Refuses what no target takes, before anything is installed or run.
variables:
	@test -n "$$PYTHON" && "$$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "error: needs Python 3.11 or newer: put it on PATH or set PYTHON=" >&2; exit 2; }
	@"$$PYTHON" -m scripts.make_target check $(filter $(TARGETS) help venv clean,$(MAKECMDGOALS))

.venv/installed: pyproject.toml constraints.txt scripts/bootstrap.py | variables
	@"$$PYTHON" -m scripts.bootstrap
