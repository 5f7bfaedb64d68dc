# The few things people type. `make demo` and `make test` need nothing but Rust and, on Debian or Ubuntu, apt-get.
.PHONY: demo test bench bench-kitesim lint docs deny age browser browsers mail postgres python node clean

CARGO ?= cargo
VENV := target/venv

demo: browser
	$(CARGO) build --release --locked --quiet --bin firstbell --bin kitesim
	target/release/firstbell demo

test: age browsers mail postgres python node
	$(CARGO) build --workspace --locked --all-targets
	$(CARGO) test --workspace --locked

bench: browsers
	python3 bench/login/run.py --write

# How much the simulated Kite bears; half a minute.
bench-kitesim:
	$(CARGO) bench --locked -p kitesim --bench kitesim -- --write

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

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

# The official Python client, for the tests that use it.
python: $(VENV)/ready
$(VENV)/ready: crates/firstbell/tests/requirements.txt
	packaging/python.sh $(VENV) crates/firstbell/tests/requirements.txt

# The official JavaScript client, for the tests that use it.
node: target/node/ready
target/node/ready: crates/kitesim/tests/node/package-lock.json
	packaging/node.sh target/node crates/kitesim/tests/node

clean:
	$(CARGO) clean
