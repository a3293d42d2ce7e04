# Thin targets over Python commands; `make` lists them.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
PY := .venv/bin/python
WORKERS ?= 2
PYTEST := $(PY) -m pytest -n $(WORKERS) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help venv demo test lint format rtl synth regression sweep calibrate bench deit image finetune \
	search-schedule figures report train-small clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

venv: .venv/installed ## create .venv with the pinned packages, install missing system tools

.venv/installed: pyproject.toml constraints.txt scripts/bootstrap.py
	@test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "error: needs Python 3.11 or newer: put it on PATH or set PYTHON=" >&2; exit 2; }
	@$(PYTHON) scripts/bootstrap.py

demo: .venv/installed ## RTL, co-simulation of real layers on Verilator, and the sweep
	$(PY) -m cocotb_tests.demo

test: lint ## linter, formatter check and every test, on both simulators
	$(PYTEST)

lint: .venv/installed ## linter and formatter check
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

format: .venv/installed ## apply the formatter and the linter's safe fixes
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

rtl: .venv/installed ## Verilog and manifest: [CONFIG=preset]
	$(PY) -m rtl_gen rtl --config $(or $(CONFIG),default)

synth: .venv/installed ## cells and clock frequency on an ECP5: [CONFIG=preset] [UNIT=name]
	$(PY) -m rtl_gen synth --config $(or $(CONFIG),small) $(if $(UNIT),--unit $(UNIT))

regression: .venv/installed ## co-simulations: [SIM=verilator|icarus] [CONFIG=preset] [TEST=expression] [WAVES=1]
	$(PYTEST) cocotb_tests $(if $(SIM),--sim $(SIM)) $(if $(CONFIG),--preset $(CONFIG)) \
		$(if $(TEST),-k "$(TEST)") $(if $(WAVES),-rP)

sweep: .venv/installed ## cycles, traffic and energy of a grid: [SPEC=file.yaml] [ENERGY=file.yaml] [SCHEDULER=tcp://...]
	$(PY) -m sim_models sweep $(if $(SPEC),"$(SPEC)") $(if $(ENERGY),--energy "$(ENERGY)") \
		$(if $(SCHEDULER),--scheduler $(SCHEDULER)) $(if $(OUT),--out "$(OUT)")

calibrate: .venv/installed ## error of the cycle model against the RTL: [SEED=] [CONFIGS=4] [CASES=18]
	$(PY) -m cocotb_tests.calibrate $(if $(SEED),--seed $(SEED)) \
		$(if $(CONFIGS),--configs $(CONFIGS)) $(if $(CASES),--cases $(CASES))

bench: .venv/installed ## seconds of the cycle model beside those of the RTL simulation
	$(PY) -m cocotb_tests.speed

NETWORK_OPTIONS = --model $(or $(MODEL),deit_tiny) --sparsity $(or $(SPARSITY),0.8) \
	$(if $(filter 0,$(PRUNE)),--no-prune) $(if $(SCHEDULE),--schedule "$(SCHEDULE)") \
	$(if $(NETWORK),--network "$(NETWORK)") \
	$(if $(STRATEGY),--strategy $(STRATEGY)) \
	$(if $(MASKS),--masks "$(MASKS)") $(if $(CONFIG),--config $(CONFIG)) \
	$(if $(filter 1,$(DUMP)),--dump) $(if $(SEED),--seed $(SEED))

deit: .venv/installed ## a whole network in RTL: [MODEL=] [SPARSITY=] [PRUNE=0] [SCHEDULE=] [WEIGHTS= CALIB=] [IMAGE=] [DUMP=1]
	$(PY) -m cocotb_tests.deit $(NETWORK_OPTIONS) $(if $(IMAGE),--image "$(IMAGE)") \
		$(if $(WEIGHTS),--weights "$(WEIGHTS)") $(if $(CALIB),--calib "$(CALIB)") \
		$(if $(SIM),--simulator $(SIM)) $(if $(LATENCY),--latency $(LATENCY)) \
		$(if $(RATE),--rate $(RATE))

image: .venv/installed ## memory image and map of a network: [MODEL=] [SPARSITY=] [PRUNE=0] [SCHEDULE=] [NETWORK=]
	$(PY) -m model image $(NETWORK_OPTIONS)

accuracy: .venv/installed ## drops against the dense network: DATA=folder [MODEL=] [WEIGHTS=] [CALIB=folder]
	$(PY) -m model accuracy --model $(or $(MODEL),deit_tiny) $(if $(DATA),--data "$(DATA)") \
		$(if $(WEIGHTS),--weights "$(WEIGHTS)") $(if $(CALIB),--calib "$(CALIB)") \
		$(if $(STRATEGY),--strategy $(STRATEGY)) $(if $(MASKS),--masks "$(MASKS)") \
		$(if $(SCHEDULE),--schedule "$(SCHEDULE)") $(if $(NETWORK),--network "$(NETWORK)") \
		$(if $(MAPS),--maps "$(MAPS)") $(if $(filter 0,$(INTEGER)),--no-integer) \
		$(addprefix --finetuned ,$(FINETUNED)) \
		$(if $(LIMIT),--limit $(LIMIT)) $(if $(SEED),--seed $(SEED))

search-schedule: .venv/installed ## pruning schedule of fewest cycles: DATA=folder [MODEL=] [WEIGHTS=] [MASKS=] [LOSS=nats] [START=schedule]
	$(PY) -m sim_models search-schedule --model $(or $(MODEL),deit_tiny) \
		$(if $(DATA),--data "$(DATA)") $(if $(WEIGHTS),--weights "$(WEIGHTS)") \
		$(if $(MASKS),--masks "$(MASKS)") $(if $(SPARSITY),--sparsity $(SPARSITY)) \
		$(if $(STRATEGY),--strategy $(STRATEGY)) $(if $(LOSS),--loss $(LOSS)) \
		$(if $(START),--start "$(START)") \
		$(if $(LIMIT),--limit $(LIMIT)) $(if $(CONFIG),--config $(CONFIG)) \
		$(if $(SEED),--seed $(SEED)) $(if $(OUT),--out "$(OUT)")

figures: .venv/installed ## breakdown, speed-up, Pareto and timeline: [FIGURE=name] [MODEL=] [CONFIG=]
	$(PY) -m sim_models figures $(FIGURE) $(if $(MODEL),--model $(MODEL)) \
		$(if $(CONFIG),--config $(CONFIG)) $(if $(SEED),--seed $(SEED))

report: .venv/installed ## page of all figures, tables and RTL runs: [MODEL=] [CONFIG=]
	$(PY) -m sim_models report $(if $(MODEL),--model $(MODEL)) \
		$(if $(CONFIG),--config $(CONFIG)) $(if $(SEED),--seed $(SEED))

train-small: .venv/installed ## train vit_digits on handwritten digits: [EPOCHS=] [SEED=0]
	$(PY) -m model train-small $(if $(EPOCHS),--epochs $(EPOCHS)) $(if $(SEED),--seed $(SEED))

finetune: .venv/installed ## recover accuracy with masks and pruning: DATA= [MODEL=] [WEIGHTS=] [SPARSITY=] [STRATEGY=] [MASKS=] [SCHEDULE=] [STEPS=] [HOLD_BACK=] [EVAL=] [DEVICE=]
	$(PY) -m model finetune $(if $(DATA),--data "$(DATA)") --model $(or $(MODEL),deit_tiny) \
		$(if $(WEIGHTS),--weights "$(WEIGHTS)") $(if $(START),--start "$(START)") \
		$(if $(SPARSITY),--sparsity $(SPARSITY)) $(if $(STRATEGY),--strategy $(STRATEGY)) \
		$(if $(MASKS),--masks "$(MASKS)") $(if $(SCHEDULE),--schedule "$(SCHEDULE)") \
		$(if $(STEPS),--steps $(STEPS)) \
		$(if $(BATCH),--batch-size $(BATCH)) $(if $(EVAL),--eval "$(EVAL)") \
		$(if $(HOLD_BACK),--hold-back $(HOLD_BACK)) $(if $(DEVICE),--device $(DEVICE)) $(if $(SEED),--seed $(SEED)) \
		$(if $(THREADS),--threads $(THREADS)) $(if $(OUT),--out "$(OUT)") $(OPTIONS)

clean: ## remove what was built; .venv stays
	rm -rf build
