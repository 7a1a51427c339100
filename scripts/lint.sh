#!/usr/bin/env bash
set -euo pipefail

unformatted=$(gofmt -l cmd internal provision bundles images e2e)
[ -z "$unformatted" ] || { echo "not formatted: $unformatted" >&2; exit 1; }
go vet ./...
shellcheck scripts/*.sh .ci/run
