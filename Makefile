.DEFAULT_GOAL := help
.PHONY: setup check test up demo bench fmt help

setup: ## make .venv with Gridloom and the development tools
	@sh scripts/setup dev

check: ## style, types, import rules, unit tests
	@sh scripts/check

test: ## everything that check does, and all other tests
	@sh scripts/test

up: ## run the fabric in the foreground (ARGS="--port 8081")
	@sh scripts/setup
	@.venv/bin/gridloom up $(ARGS)

demo: ## run a demonstration job on a fabric of its own (ARGS="--output DIR")
	@sh scripts/demo $(ARGS)

bench: ## print the figures of benchmarks/, each with its floor (ARGS=NAME for one)
	@sh scripts/setup dev,bench
	@.venv/bin/python -m benchmarks $(ARGS)

fmt: setup ## format the code, mend what ruff can, write the tables of settings and commands
	@.venv/bin/ruff format
	@.venv/bin/ruff check --fix
	@.venv/bin/python scripts/settings_table.py
	@.venv/bin/python scripts/command_reference.py

help: ## list these verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
