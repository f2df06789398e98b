# One command for people, pre-commit and CI: see scripts/check.py. PYTHON is the environment with  pip install -e '.[dev]'
PYTHON ?= $(if $(wildcard .venv/bin/python),.venv/bin/python,python3)

.PHONY: check format lint types layers tests fix readme install-size

check:
	$(PYTHON) scripts/check.py

format lint types layers tests:
	$(PYTHON) scripts/check.py $@

fix:
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

# Numbers and picture of the README, from result files and the command itself
readme:
	$(PYTHON) scripts/docs/readme.py

# Time, size and start-up of a fresh installation -> docs/results/install.json
install-size:
	$(PYTHON) scripts/measure/install.py
