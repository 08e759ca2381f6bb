# Everything a person or a machine does with a checkout; `make help` lists it.
PYTHON ?= python3
VENV := .venv
CLIENTS := var/clients
OPENCLAW := var/openclaw
CONTRACTS := var/contracts
AUDIT := var/audit
LITELLM := var/litellm
SCANNERS := var/scanners
RUN := $(VENV)/bin/python
.DEFAULT_GOAL := help
.PHONY: help up test test-slow clients contracts litellm openclaw test-openclaw lint lint-style lint-tables lint-types audit screenshots format bench bench-budget bench-gateway bench-hostile bench-live bench-pages bench-prediction bench-savings bench-scanner bench-seal requirements venv venv-dev

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

up: venv ## Start Butler and print its addresses; PORT=8123 make up picks the port
	@exec $(RUN) manage.py up

# Without TESTS, all but what starts many processes and kills them, or runs what has to be installed.
test: venv-dev ## Run the test suite; TESTS="tests/keys -x" narrows it
	@BUTLER_VAR_DIR=$${BUTLER_VAR_DIR:-$(CURDIR)/var/test} \
	  $(VENV)/bin/pytest -n 2 --dist loadgroup $(or $(TESTS),-m "not slow")
	@command -v bwrap > /dev/null || \
	  echo 'Tests of fenced commands were skipped: on Debian, apt-get install bubblewrap.'

test-slow: venv-dev ## Run the slow tests: chaos, real clients, OpenClaw, browser
	@BUTLER_VAR_DIR=$${BUTLER_VAR_DIR:-$(CURDIR)/var/test} \
	  $(VENV)/bin/pytest -n 2 --dist loadgroup -m slow
	@test -e $(CLIENTS)/package-lock.json || \
	  echo 'tests/clients was skipped: `make clients` installs the clients it runs.'
	@test -e $(OPENCLAW)/package-lock.json || \
	  echo 'tests/openclaw was skipped: `make openclaw` installs what it runs.'
	@test -e $(CONTRACTS)/package-lock.json || \
	  echo 'tests/treasury/contracts was skipped: `make contracts` installs what it runs.'
	@command -v chromium > /dev/null || \
	  echo 'tests/browser was skipped: on Debian, apt-get install chromium.'

# Copies of what was installed, as below.
clients: ## Install the real clients (SDKs, Claude Code, Codex; 0.8 GB) that tests/clients runs
	@cmp -s tests/clients/requirements.txt $(CLIENTS)/requirements.txt || { \
	  echo 'Installing the clients in Python …' && \
	  $(PYTHON) -m venv --clear $(CLIENTS)/venv && \
	  $(CLIENTS)/venv/bin/pip install --quiet --disable-pip-version-check \
	    -r tests/clients/requirements.txt && \
	  cp tests/clients/requirements.txt $(CLIENTS)/requirements.txt; }
	@cmp -s tests/clients/package-lock.json $(CLIENTS)/package-lock.json || { \
	  echo 'Installing the clients in JavaScript …' && mkdir -p $(CLIENTS)/npm && \
	  cp tests/clients/package.json tests/clients/package-lock.json $(CLIENTS)/npm && \
	  npm ci --prefix $(CLIENTS)/npm --silent --no-audit --no-fund && \
	  cp tests/clients/package-lock.json $(CLIENTS)/package-lock.json; }

contracts: ## Install the mock server of OpenAPI documents (95 MB) that tests/treasury/contracts runs
	@cmp -s tests/treasury/contracts/package-lock.json $(CONTRACTS)/package-lock.json || { \
	  echo 'Installing the mock server …' && mkdir -p $(CONTRACTS)/npm && \
	  cp tests/treasury/contracts/package.json tests/treasury/contracts/package-lock.json \
	    $(CONTRACTS)/npm && \
	  npm ci --prefix $(CONTRACTS)/npm --silent --no-audit --no-fund && \
	  cp tests/treasury/contracts/package-lock.json $(CONTRACTS)/package-lock.json; }

# Its scripts would ask for a newer node than the one that comes along, and build what is not used.
openclaw: ## Install OpenClaw (0.8 GB) with a node of its own, which tests/openclaw runs
	@cmp -s tests/openclaw/package-lock.json $(OPENCLAW)/package-lock.json || { \
	  echo 'Installing OpenClaw …' && mkdir -p $(OPENCLAW)/npm && \
	  cp tests/openclaw/package.json tests/openclaw/package-lock.json $(OPENCLAW)/npm && \
	  npm ci --prefix $(OPENCLAW)/npm --silent --no-audit --no-fund --ignore-scripts --omit=optional && \
	  cp tests/openclaw/package-lock.json $(OPENCLAW)/package-lock.json; }

test-openclaw: venv-dev openclaw ## Run tasks through a real gateway of OpenClaw
	@BUTLER_OPENCLAW_TESTS=required BUTLER_VAR_DIR=$${BUTLER_VAR_DIR:-$(CURDIR)/var/test} \
	  $(VENV)/bin/pytest tests/openclaw

lint: lint-style lint-types lint-tables ## Check style, secrets, types, migrations and the production settings

lint-style: venv-dev
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(RUN) -m security.scanner scan --tracked
	@$(VENV)/bin/bandit --quiet --recursive . --configfile pyproject.toml

lint-types: venv-dev
	@$(VENV)/bin/mypy .

lint-tables: venv-dev
	@$(RUN) manage.py makemigrations --check --dry-run
	@BUTLER_PRODUCTION=yes BUTLER_PUBLIC_URL=https://butler.example.com \
	BUTLER_SECRET_KEY=$$($(RUN) -c 'import secrets; print(secrets.token_urlsafe(50))') \
	BUTLER_DEBUG=no $(RUN) manage.py check --deploy --fail-level WARNING

# Not a part of `lint`: an advisory that comes out today must not stop a change that has nothing to do
# with it. `--strict`: a version for which no advisories can be had is a failure, not a pass.
audit: venv ## Look for the pinned versions in the advisories of PyPI and npm, which it needs a network for
	@test -x $(AUDIT)/bin/pip-audit || { $(PYTHON) -m venv --clear $(AUDIT) && \
	  $(AUDIT)/bin/pip install --quiet --disable-pip-version-check pip-audit==2.10.1; }
	@failed=; for pins in requirements-dev.txt tests/clients/requirements.txt; do \
	  echo "$$pins:"; \
	  $(AUDIT)/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off -r $$pins || failed=yes; \
	done; \
	for folder in tests/clients tests/openclaw tests/treasury/contracts; do \
	  echo "$$folder/package-lock.json:"; \
	  npm audit --prefix $$folder --package-lock-only || failed=yes; \
	done; test -z "$$failed"

screenshots: venv-dev ## Make the pictures of all pages in docs/screenshots again
	@$(RUN) -m tests.browser.screenshots

format: venv-dev ## Bring the code into the house's shape
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

bench: venv ## Measure what this machine can do, beside PostgreSQL itself
	@$(RUN) -m bench

bench-budget: venv ## Measure how much of a budget conversations can use, in both wire formats
	@$(RUN) -m bench.budget

# Not resolved into pins of ours: it is not a part of Butler, and runs in an environment of its own.
litellm: ## Install LiteLLM's proxy (0.8 GB), which `make bench-gateway` then measures too
	@test -x $(LITELLM)/bin/litellm || { $(PYTHON) -m venv --clear $(LITELLM) && \
	  $(LITELLM)/bin/pip install --quiet --disable-pip-version-check 'litellm[proxy]==1.108.7'; }

bench-gateway: venv ## Measure the gateway beside a bare proxy; ARGS=--quick takes five minutes
	@$(RUN) -m bench.gateway $(ARGS)

bench-hostile: venv ## Measure what attacks take from honest agents; ARGS="--only hang-ups" picks
	@$(RUN) -m bench.hostile $(ARGS)

bench-pages: venv ## Measure the dashboard's pages on a million charges; ARGS="--charges 10000000" for more
	@$(RUN) -m bench.pages $(ARGS)

bench-live: venv ## Measure what 200 open dashboards cost, and whether agents notice them
	@$(RUN) -m bench.live $(ARGS)

bench-prediction: venv ## Measure forecasts on recorded work; BUTLER_BENCH_DATA names its folder
	@OPENBLAS_NUM_THREADS=1 $(RUN) -m bench.prediction $(ARGS)

bench-savings: venv ## Measure proposals of savings on fleets whose best choice is known
	@OPENBLAS_NUM_THREADS=1 $(RUN) -m bench.savings $(ARGS)

bench-scanner: venv ## Compare the secret scanner with others; ARGS=--show lists what it missed
	@test -x $(SCANNERS)/bin/credsweeper || { $(PYTHON) -m venv --clear $(SCANNERS) && \
	  $(SCANNERS)/bin/pip install --quiet --disable-pip-version-check \
	    detect-secrets==1.5.0 credsweeper==1.19.5; }
	@command -v gitleaks > /dev/null || \
	  echo 'gitleaks is not installed and left out: on Debian 13, apt-get install gitleaks.'
	@$(RUN) -m bench.scanner $(ARGS)

bench-seal: venv ## Measure what the audit chain costs writers, its lag, and verifying it
	@$(RUN) -m bench.seal $(ARGS)

requirements: ## Resolve requirements*.in into the pinned requirements*.txt
	@$(PYTHON) -m venv --clear var/resolve
	@var/resolve/bin/pip install --quiet --upgrade -r requirements.in
	@{ echo '# Made by `make requirements` from requirements.in.'; \
	   var/resolve/bin/pip freeze; } > requirements.txt
	@var/resolve/bin/pip install --quiet -c requirements.txt -r requirements-dev.in
	@{ echo '# Made by `make requirements` from requirements-dev.in.'; echo '-r requirements.txt'; \
	   var/resolve/bin/pip freeze | grep -vxFf requirements.txt; } > requirements-dev.txt
	@$(PYTHON) -m venv --clear var/resolve
	@var/resolve/bin/pip install --quiet --upgrade -r tests/clients/requirements.in
	@{ echo '# Made by `make requirements` from requirements.in.'; \
	   var/resolve/bin/pip freeze; } > tests/clients/requirements.txt
	@cd tests/clients && npm install --silent --package-lock-only --omit-lockfile-registry-resolved
	@cd tests/treasury/contracts && npm install --silent --package-lock-only \
	  --omit-lockfile-registry-resolved
	@cd tests/openclaw && npm install --silent --package-lock-only --omit-lockfile-registry-resolved \
	  --ignore-scripts
	@rm -rf var/resolve

# Copies of what was installed say when to install again; dates of files would lie after a checkout.
# What is there may be half of an environment, or that of a Python which was replaced since.
venv: $(VENV)/bin/python
	@{ cmp -s requirements.txt $(VENV)/requirements.txt && $(RUN) -c 'import django' 2> /dev/null; } || { \
	  $(RUN) -c 'import pip' 2> /dev/null || $(PYTHON) -m venv --clear $(VENV); \
	  echo 'Installing what Butler runs on …' && \
	  { $(INSTALL) -r requirements.txt || { echo $(NOT_INSTALLED) >&2; exit 1; }; } && \
	  cp requirements.txt $(VENV)/requirements.txt; }

venv-dev: venv
	@cmp -s requirements-dev.txt $(VENV)/requirements-dev.txt || { \
	  echo 'Installing what the tests need …' && \
	  { $(INSTALL) -r requirements-dev.txt || { echo $(NOT_INSTALLED) >&2; exit 1; }; } && \
	  cp requirements-dev.txt $(VENV)/requirements-dev.txt; }

# By the interpreter: the script pip has the path of the folder in it, which may have been moved.
INSTALL = $(RUN) -m pip install --quiet --disable-pip-version-check
NOT_INSTALLED = 'Not everything was installed. With the network, or PIP_INDEX_URL set to a mirror, run it again.'

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || { \
	  echo "Butler needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is" \
	    "$$($(PYTHON) --version 2>&1 || true)." \
	    "Say which to use, for example: make up PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); \
	  echo "No virtual environment could be made; on Debian: apt-get install python3-venv" >&2; exit 1; }
