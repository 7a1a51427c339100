#!/usr/bin/env bash
# Runs every test with the real parts switched on: a missing one fails instead of skipping. `test.sh lab` runs only those that need
# machines: Terraform, a Docker Engine and hosts with systemd in containers; `test.sh here` only those that need none. What labs
# need is started here, and ended again if it was not there before.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
what=all
case ${1:-} in
lab | here)
	what=$1
	shift
	;;
esac
export JOMCTL_TEST_REAL=1
scratch=$(mktemp -d)

# Only what this run starts is ended by it.
stop=()
finish() {
	local script
	[ -z "${check:-}" ] || kill -- "-$check" 2>/dev/null || true
	for script in "${stop[@]}"; do "$here/$script" stop; done
	rm -rf "$scratch"
}
trap finish EXIT

# For the installation of RPM packages, which only root can try. It comes before labs are made ready, which installs packages too: apt
# waits for no other apt that reads its lists.
if [ "$what" != lab ] && [ "$(id -u)" -eq 0 ]; then
	"$here/lab-packages.sh" dnf:dnf rpm:rpm createrepo-c:createrepo_c
fi

# What labs stand on takes minutes on a fresh machine, and is made while other tests wait for their clusters.
if [ "$what" != here ]; then
	"$here/lab-apt-cache.sh" answers || stop+=(lab-apt-cache.sh)
	docker version >/dev/null 2>&1 || stop+=(lab-docker.sh)
	setsid "$here/lab-check.sh" >"$scratch/terraform" 2>"$scratch/talk" </dev/null &
	check=$!
fi

# Whole-command tests build the programs themselves, which the cache of results does not see. They share two cores with the clusters that
# they start, so packages run one after the other.
[ "$what" = lab ] || go test -count=1 -p 1 -timeout 35m ./... "$@"
[ "$what" != here ] || exit 0

code=0
wait "$check" || code=$?
check=
cat "$scratch/talk" >&2
if [ "$code" -eq 3 ] && [ "$what" = all ]; then
	echo "LABS LEFT OUT: this machine cannot run them, for the reason above; everything else has passed" >&2
	exit 0
fi
[ "$code" -eq 0 ] || exit "$code"
export JOMCTL_TEST_LAB=1
PATH=$(cat "$scratch/terraform"):$PATH
go test -count=1 -p 1 -timeout 35m ./provision/terraform ./images ./e2e/lab/... "$@"
go test -count=1 -timeout 35m -run '^Test(Real)?Hosts' ./e2e "$@"
