#!/usr/bin/env bash
# Runs every test with the real parts switched on: a missing one fails instead of skipping. `test.sh lab` runs those that need
# machines instead: Terraform, a Docker Engine and hosts with systemd in containers. What they need is started here and ended
# again, if it was not there before.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
export JOMCTL_TEST_REAL=1

# Whole-command tests build the programs themselves, which the cache of results does not see. They share two cores with the clusters that they start, so packages run one after the other.
if [ "${1:-}" != lab ]; then
	go test -count=1 -p 1 -timeout 35m ./... "$@"
	exit
fi
shift
export JOMCTL_TEST_LAB=1
terraform=$("$here/setup-terraform.sh")
PATH=$(dirname "$terraform"):$PATH
# Only what this run starts is ended by it.
stop=()
"$here/lab-apt-cache.sh" answers || stop+=(lab-apt-cache.sh)
docker version >/dev/null 2>&1 || stop+=(lab-docker.sh)
finish() {
	local script
	for script in "${stop[@]}"; do "$here/$script" stop; done
}
trap finish EXIT
"$here/lab-docker.sh"
go test -count=1 -p 1 -timeout 35m ./provision/terraform ./e2e/lab/... "$@"
go test -count=1 -timeout 35m -run '^Test(Real)?Hosts' ./e2e "$@"
