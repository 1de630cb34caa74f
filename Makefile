PYTHON ?= python3.11
VENV = .venv
BIN = $(VENV)/bin
TORTURE = tests/providers/ledger/test_crowd.py tests/providers/ledger/test_restarts.py \
	tests/providers/credentials/test_rekey.py

.PHONY: run test torture check docs screenshots lock format

run: $(VENV)/.runtime
	@exec $(BIN)/python manage.py up

test: $(VENV)/.development
	$(BIN)/pytest -n 3 --no-loadscope-reorder $(ARGS)

# The long forms of what proves that no money is lost: minutes, not seconds.
torture: $(VENV)/.development
	GAIWEB_TORTURE=1 $(BIN)/pytest $(TORTURE) $(ARGS)

check: $(VENV)/.development
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/djlint --quiet --lint templates
	@# Without a database the look at its history only warns; the models are what counts here.
	$(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

docs: $(VENV)/.runtime
	$(BIN)/python -m gaiweb.config.table
	$(BIN)/python docs/errors.py
	$(BIN)/python docs/metrics.py
	$(BIN)/python docs/engine.py

screenshots: $(VENV)/.development
	$(BIN)/python docs/screenshots.py

format: $(VENV)/.development
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/.runtime: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.development: $(VENV)/.runtime requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-dev.txt
	@touch $@

# For maintainers: needs uv on the path.
lock:
	uv pip compile -q --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --python-version 3.11 --generate-hashes requirements.in -o requirements.txt
	uv pip compile -q --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --python-version 3.11 --generate-hashes requirements-dev.in -o requirements-dev.txt
