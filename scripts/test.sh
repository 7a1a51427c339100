#!/usr/bin/env bash
# Runs every test with the real parts switched on: a missing one fails instead of skipping. `test.sh lab` runs those on lab hosts alone.
# What the lab needs is started here and ended again, if it was not there before.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
export JOMCTL_TEST_REAL=1
# Tests find Terraform on PATH. Where it or Docker cannot be had, the tests that need them say so and fail, and the others run.
if terraform=$("$here/setup-terraform.sh"); then PATH=$(dirname "$terraform"):$PATH; fi
# Only what this run starts is ended by it.
stop=()
"$here/lab-apt-cache.sh" answers || stop+=(lab-apt-cache.sh)
docker version >/dev/null 2>&1 || stop+=(lab-docker.sh)
finish() {
	local script
	for script in "${stop[@]}"; do "$here/$script" stop; done
}
trap finish EXIT
"$here/lab-docker.sh" || true

# Whole-command tests share two cores with the clusters that they start, so packages run one after the other.
if [ "${1:-}" = lab ]; then
	shift
	go test -p 1 -timeout 30m ./e2e -run '^TestHosts' "$@"
else
	go test -p 1 -timeout 40m -skip '^TestHosts' ./... "$@"
fi
