# Everything that the project does on a bare Debian 13 (root, python3, make, git): each target sets up what it needs, once.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON := $(firstword $(wildcard /usr/bin/python3) python3)
COLLECTION := .venv/collections/ansible_collections/breakwater/docker
SCENARIOS := $(notdir $(patsubst %/molecule.yml,%,$(wildcard molecule/*/molecule.yml)))
# Some 300 tests run hundreds of engines on two cores for half an hour, and once in some such runs runc, an engine or a
# registry answers late. What fails runs once more: what is broken fails again, and the summary lists each rerun.
RERUN := --reruns 1 -rfER
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help setup bed vm-bed testing-bed demo demo-clean audit test lint docs unit mutants matrix sanity importer site build release pins molecule molecule-vm molecule-testing bench bench-harden bench-registry bench-fleet bench-hosts fuzz browser pictures clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

setup: .venv/installed ## the virtual environment .venv, in which the playbooks run from the checkout

.venv/installed: requirements-dev.txt
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || tests/bed/apt-install.sh python3-venv
	$(PYTHON) -m venv .venv
	pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.txt
	mkdir -p $(dir $(COLLECTION))
	ln -sfn $(CURDIR) $(COLLECTION)
	touch $@

bed: setup ## the test bed: a Docker engine on this machine, and the images of container hosts
	@tests/bed/apt-install.sh openssh-client
	@tests/bed/engine.sh .cache
	@tests/bed/images.sh .cache/bed

vm-bed: bed ## the test bed's virtual machines, for what containers share with the machine: QEMU and a disk
	@tests/bed/vm_image.sh .cache/bed

testing-bed: bed ## the test bed's container hosts of Debian testing, as it is today
	@tests/bed/testing_images.sh .cache/bed

demo: bed ## audit, harden and audit again a throw-away insecure Docker host and its containers
	@python demo/run.py

demo-clean: ## remove the demo's host and reports
	docker rm --force --volumes breakwater-demo
	rm -rf reports/demo-before reports/demo-after

audit: setup ## audit this machine's own Docker, changing nothing
	@ansible-playbook breakwater.docker.compliance -i localhost, -c local -e docker_compliance_report_dir=$(CURDIR)/reports/audit
	@echo "Report: reports/audit/report.html"

test: setup ## all checks: linters, units, browser, sanity, Galaxy's importer, site, build and install, Molecule scenarios
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target vm-bed lint unit browser sanity importer site
	@tests/bed/apt-install.sh gpg gpg-agent
	pytest --numprocesses 2 --no-loadscope-reorder --durations 30 $(RERUN) tests/integration

lint: setup ## linters and type checker
	ruff check
	ruff format --check
	mypy $(COLLECTION)/plugins
	yamllint --strict .
	ansible-lint
	antsibull-changelog lint
	antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=self --skip-rstcheck .

docs: setup ## the pages and READMEs that are made from the catalogue, the evidence schema and the argument specs
	PYTHONPATH=.venv/collections python tests/tools/docs.py

unit: setup ## unit tests with a little fuzzing; they must reach nine tenths of the plugins' branches
	@tests/bed/apt-install.sh binutils binutils-aarch64-linux-gnu
	pytest --numprocesses 2 --cov --cov-report term:skip-covered

mutants: setup ## break rule engine and daemon configuration in 2,000 ways: unit tests must notice nine in ten (10 to 20 minutes)
	@python tests/tools/mutants.py .cache/mutants

fuzz: setup ## fuzz collector, rules and reports with some 180,000 damaged documents: six minutes of two free cores
	FUZZ=1 pytest --numprocesses auto tests/fuzz

browser: setup ## the HTML report in a real Chromium
	@tests/browser/install.sh
	pytest tests/browser

pictures: setup ## the picture of the HTML report in docs, anew
	@tests/browser/install.sh
	PYTHONPATH=.venv/collections python tests/browser/pictures.py

matrix: setup ## unit and sanity tests on the versions of ansible-core that are supported beside the newest
	@tests/bed/apt-install.sh shellcheck
	@tests/bed/matrix.sh $(CURDIR)/.cache/core 2.19 2.20

sanity: setup ## ansible-test sanity
	@tests/bed/apt-install.sh shellcheck
	tests/bed/sanity.sh $(CURDIR)/.cache/sanity

importer: setup ## the collection in Galaxy's importer, which may not warn
	@tests/bed/importer.sh $(CURDIR)/.cache/importer

site: setup ## the documentation as a web site in build/site, with its links checked
	@tests/bed/site.sh $(CURDIR)/.cache/site $(CURDIR)/build/site
	@echo "Site: build/site/README.html"

build: bed ## build the collection, install it into an empty path and audit with the installed copy; release it in a clone
	@tests/bed/apt-install.sh gpg gpg-agent
	pytest tests/integration/test_build.py tests/integration/test_release.py

release: setup ## make release VERSION=1.0.0 KEY=fingerprint: changelog, commit, tag, then the tarball with checksum and signature
	@test -n "$(VERSION)" || { echo "Say which version: make release VERSION=1.0.0, and KEY=... to sign it by a key of gpg"; exit 1; }
	@tests/bed/apt-install.sh gpg gpg-agent
	@python tests/tools/release.py $(VERSION) build/release $(if $(KEY),--key "$(KEY)")

pins: setup ## every requirements*.in anew with hashes into its .txt: the newest of what is not pinned there
	for file in requirements-dev tests/bed/requirements-importer tests/bed/requirements-site; do \
		uv pip compile --quiet --universal --python-version 3.13 --generate-hashes --no-header --no-annotate --upgrade \
			--default-index https://pypi.org/simple $$file.in --output-file $$file.txt || exit 1; \
	done

molecule: $(if $(filter vm_%,$(SCENARIO)),vm-bed,bed) ## one Molecule scenario: make molecule SCENARIO=docker_engine
	@test -n "$(SCENARIO)" || { echo "Say which scenario: make molecule SCENARIO=NAME, one of: $(SCENARIOS)"; exit 1; }
	molecule test -s $(SCENARIO)

molecule-vm: vm-bed ## the Molecule scenarios on virtual machines, which are emulated
	VM=1 pytest tests/integration/test_molecule.py

molecule-testing: testing-bed ## the Molecule scenarios and the audits of real engines on Debian testing in the place of Debian 13
	BREAKWATER_DEBIAN=debiantesting pytest tests/integration/test_molecule.py tests/integration/test_real_engine.py \
		tests/integration/test_rootless_engine.py tests/integration/test_image_store.py \
		tests/integration/test_workload_userns.py tests/integration/test_major_upgrade.py

bench: bed ## time the audit of 0 to 200 containers, and measure its memory
	@python tests/benchmark/bench.py

bench-harden: bed ## time the second run of docker_host and of harden over ssh, beside a ping
	@python tests/benchmark/harden.py

bench-registry: bed ## time concurrent pushes and pulls through the role's registry, beside a bare one
	@python tests/benchmark/registry.py

bench-fleet: setup ## time the audit of 1,000 simulated hosts beside a ping of them (10 to 20 minutes)
	@python tests/benchmark/fleet.py

bench-hosts: bed ## time harden and audit of twenty real hosts in one run, and measure memory
	@python tests/benchmark/hosts.py

clean: demo-clean ## remove all that the other targets made, except Debian's packages
	for machine in .cache/bed/vm/*/; do $(PYTHON) tests/bed/vm.py stop "$$(basename "$$machine")"; done
	docker image ls --quiet breakwater-vm | xargs --no-run-if-empty docker image rm --force
	docker image ls --quiet breakwater-host | xargs --no-run-if-empty docker image rm --force
	docker image ls --quiet breakwater-base | xargs --no-run-if-empty docker image rm --force
	docker image rm --force busybox:local
	rm -rf .cache .venv reports .mypy_cache .ruff_cache .pytest_cache
