#!/usr/bin/env bash
# Runs the tests that need machines: Terraform, a Docker Engine and hosts with systemd in containers. What labs stand on is made
# here, and what was started is ended again if it was not there before. Exit code 3: this machine cannot run labs.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
stop=()
finish() {
	local script
	for script in "${stop[@]}"; do "$here/$script" stop; done
}
trap finish EXIT
"$here/lab-apt-cache.sh" answers || stop+=(lab-apt-cache.sh)
docker version >/dev/null 2>&1 || stop+=(lab-docker.sh)
terraform=$("$here/lab-check.sh")
export JOMCTL_TEST_REAL=1 JOMCTL_TEST_LAB=1 PATH=$terraform:$PATH

# Whole-command tests build the programs themselves, which the cache of results does not see.
go test -count=1 -p 1 -timeout 35m ./provision/terraform ./images ./e2e/lab/... "$@"
go test -count=1 -timeout 75m -run '^Test(Real)?Hosts|^TestUpgradeLong' ./e2e "$@"
