# The few things people type. `make demo` and `make test` need nothing but Rust and, on Debian or Ubuntu, apt-get.
.PHONY: demo test clients test-clients bench bench-kitesim fuzz mutants lint docs deny age browser browsers mail postgres redis python node pages sbom deb reproduce release-test packaging-test server signing clean

CARGO ?= cargo
VENV := target/venv

demo: browser
	$(CARGO) build --release --locked --quiet --bin firstbell --bin kitesim
	target/release/firstbell demo

test: age browsers mail postgres redis python node
	$(CARGO) build --workspace --locked --all-targets
	CARGO="$(CARGO)" python3 packaging/tests.py
	$(MAKE) test-clients

# The packages for programs in Python and JavaScript, as a registry would get them: into target/clients.
clients: python node
	$(VENV)/bin/python clients/tests/packages.py

# They against a stand-in, the simulated Kite and the daemon, which must be built (make test does); three minutes.
test-clients: clients
	cd clients/python && ../../$(VENV)/bin/mypy --cache-dir ../../target/mypy
	$(VENV)/bin/ruff check --no-cache --config clients/python/pyproject.toml clients
	cd target/node && node --test ../../clients/node/test/token.test.js ../../clients/node/test/official.test.js
	set -e; for test in clients/python/tests/test_*.py clients/tests/test_readme.py clients/tests/three_days.py; do \
	    $(VENV)/bin/python -W ignore::ResourceWarning $$test; done

bench: browsers
	python3 bench/login/run.py --write

# How much the simulated Kite bears; half a minute.
bench-kitesim:
	$(CARGO) bench --locked -p kitesim --bench kitesim -- --write

# Everything that strangers write, a minute for each target; see fuzz/README.md.
fuzz:
	fuzz/run.sh 60

# What decides, changed one small piece at a time: each change must be noticed by a test. Half an hour.
mutants:
	packaging/mutants.sh

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) clippy --manifest-path fuzz/Cargo.toml --target-dir target --locked -- -D warnings

docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --locked

deny:
	packaging/deny.sh

# A browser for the demo, and for the tests the full one and its driver too; says how where it cannot.
browser:
	packaging/browser.sh

browsers:
	packaging/browser.sh all

# The age program and a keyring, for the tests of the vault and of where secrets come from.
age:
	packaging/age.sh

# A mail server, for the tests that send letters.
mail:
	packaging/mail.sh

# A database server, for the tests in which several nodes share a store.
postgres:
	packaging/postgres.sh

# The manual's pages and the shells' completions: target/man and target/completions.
pages:
	$(CARGO) run --locked --quiet --example pages -- target

# What each program is made of, in CycloneDX's form: target/packaging/PROGRAM.cdx.json.
sbom:
	mkdir -p target/packaging
	packaging/sbom.py firstbell target/packaging/firstbell.cdx.json
	packaging/sbom.py kitesim target/packaging/kitesim.cdx.json

# A Debian package in target/packaging; the same commit and the same compiler give the same bytes, wherever they are.
deb:
	packaging/build.sh target/shipped
	packaging/deb.sh target/shipped/release target/packaging

# The last commit, built twice in two folders, with the same bytes; many minutes.
reproduce:
	packaging/reproduce.sh

# What a release has beside the programs: pages, completions, bills of materials, signatures; seconds.
release-test: pages sbom signing
	packaging/tests/release.sh target

# What signs and verifies, and the shells that complete.
signing:
	packaging/signing.sh

# Installs the package in a clean Debian that is booted, and logs in under the shipped units and in a container; needs root.
packaging-test: server pages
	$(CARGO) build --release --locked --quiet --bin firstbell --bin kitesim
	packaging/tests/units.sh target/release

# What the packaging is tried with.
server:
	packaging/server.sh

# The official Python client, and what checks and builds ours, for the tests that use them.
# A Redis server, for the tests in which a token goes there.
redis:
	packaging/redis.sh

python: $(VENV)/ready
$(VENV)/ready: crates/firstbell/tests/requirements.txt clients/python/tests/requirements.txt
	packaging/python.sh $(VENV) clients/python/tests/requirements.txt

# The official JavaScript client, for the tests that use it.
node: target/node/ready
target/node/ready: crates/kitesim/tests/node/package-lock.json
	packaging/node.sh target/node crates/kitesim/tests/node

clean:
	$(CARGO) clean
