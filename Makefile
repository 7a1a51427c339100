# Everything a person types here works from a fresh clone on Debian with Go, gcc, git and apt.
SHELL := /bin/bash
BIN   := bin
GO    := go
VERSION := $(shell cat VERSION)
COMMIT  := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X github.com/jomctl/jomctl/internal/cli.version=$(VERSION) -X github.com/jomctl/jomctl/internal/cli.commit=$(COMMIT)

.PHONY: build demo test test-here test-lab test-upgrade test-fast bench lint clean setup

build: ## bin/jomctl, bin/jomhome, bin/standin
	@mkdir -p $(BIN)
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/jomctl ./cmd/jomhome ./cmd/standin

setup: ## the Debian packages that target local and the tests need
	@scripts/setup.sh

demo: setup build ## a Jenkins on Mesos on this machine, proven
	@scripts/demo.sh

test: setup build ## everything but the long labs, with the real ZooKeeper, HAProxy, sshd, Terraform, Docker and hosts with systemd; half an hour
	@scripts/test.sh

test-here: setup build ## everything that needs no machines
	@scripts/test.sh here

test-lab: setup build ## clusters on lab hosts with systemd, from packages of a signed repository; needs root, or Docker and a built lab image (JOMCTL_TEST_SEVEN=1: also seven hosts at once)
	@scripts/test-lab.sh

test-upgrade: setup build ## upgrades of the controller alone, which make test runs, too: cut at every record, and on a real ZooKeeper, HAProxy and restic
	JOMCTL_TEST_REAL=1 $(GO) test -count=1 -timeout 15m -run Upgrade ./internal/lifecycle ./internal/cli ./e2e
	$(GO) test -count=1 ./internal/lifecycle/upgrade

test-fast: ## unit tests alone: no packages, no root, no network
	$(GO) test ./...

bench: setup build ## timings; the machine and the median of five runs are printed
	@scripts/bench.sh

lint: ## formatting, vet, shell scripts
	@scripts/lint.sh

clean: ## built files only; a running demo is ended by `bin/jomctl destroy`
	rm -rf $(BIN) build
