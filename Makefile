# The commands of a developer. `make install` first, in a virtual environment.
.PHONY: install test check docs bench

install:  ## everything that the tests and the documentation use
	pip install -e '.[all,peers,test,docs]'

test:  ## the tests, on two cores
	OMP_NUM_THREADS=1 pytest

check:  ## format, lint, types, layers, decks
	ruff format --check . && ruff check . && mypy && lint-imports && regdemo bank lint --strict && regdemo bank verify

docs:  ## the site, in docs/site
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict --config-file docs/mkdocs.yml

bench:  ## how long commands take, as ratios
	python benchmarks/commands.py
