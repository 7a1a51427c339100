#!/usr/bin/env bash
# Runs every test with the real parts switched on: a missing one fails instead of skipping.
set -euo pipefail

export JOMCTL_TEST_REAL=1
# Whole-command tests share two cores with the clusters that they start, so packages run one after the other.
go test -p 1 -timeout 30m ./... "$@"
