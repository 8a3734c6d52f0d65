# Every command of the project by its name. What they do is in Python: portal/demo/ and tests/.
PYTHON ?= python3
RUN = $(PYTHON) portal/demo/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help demo manage test lint storm bench

help: ## Show these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: python ## Start the portal here (PORT= DATA= APPS= WEBHOOKS=on|off SPEED=)
	@$(RUN) requirements.lock -m portal.demo

manage: python ## A management command for the demo (DATA= its folder, ARGS= the command)
	@$(RUN) requirements.lock -m portal.demo.manage $(ARGS)

test: python ## Set up and run every test this machine can run (ARGS= for pytest)
	@$(RUN) requirements-dev.lock tests/run.py $(ARGS)

lint: python ## Check style, formatting and types
	@$(RUN) requirements-dev.lock tests/lint.py

storm: python ## Try the promises about runs with killed processes (ARGS="R1 R5 --scale 0.1")
	@$(RUN) requirements-dev.lock -m tests.storm $(ARGS)

bench: python ## Measure how fast it is beside a control (ARGS="deliveries polls --quick")
	@$(RUN) requirements-dev.lock -m tests.bench $(ARGS)

.PHONY: python
python:
	@command -v $(PYTHON) >/dev/null || { \
		echo "There is no $(PYTHON) here. Debian and Ubuntu: apt install python3 python3-venv" >&2; exit 1; }
