#!/usr/bin/env bash
# Runs the tests with the real parts switched on: a missing one fails instead of skipping. `test.sh here` leaves out those that need
# machines. test-lab.sh runs all of those, this the short ones.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
what=all
if [ "${1:-}" = here ]; then
	what=here
	shift
fi
export JOMCTL_TEST_REAL=1

# For the installation of RPM packages, which only root can try. It comes before the labs, which install packages too: apt waits for no
# other apt that reads its lists.
[ "$(id -u)" -ne 0 ] || "$here/lab-packages.sh" dnf:dnf rpm:rpm createrepo-c:createrepo_c

scratch=$(mktemp -d)
labs=
finish() {
	if [ -n "$labs" ]; then
		kill -- "-$labs" 2>/dev/null || true
		wait "$labs" || true
	fi
	rm -rf "$scratch"
}
trap finish EXIT

# Hosts that start and clusters that elect leave a machine idle for much of the time, so the labs go on beside the other tests. Those that
# walk a cluster through its whole life take as long as all other tests together, and are left to test-lab.sh.
if [ "$what" = all ]; then
	setsid "$here/test-lab.sh" -skip '^TestHosts|^TestUpgrade' "$@" >"$scratch/labs" 2>&1 </dev/null &
	labs=$!
fi

# Whole-command tests build the programs themselves, which the cache of results does not see. They share two cores with the clusters that
# they start, so packages run one after the other.
go test -count=1 -p 1 -timeout 35m ./... "$@"
[ "$what" = all ] || exit 0

code=0
wait "$labs" || code=$?
labs=
cat "$scratch/labs"
if [ "$code" -eq 3 ]; then
	echo "LABS LEFT OUT: this machine cannot run them, for the reason above; everything else has passed"
	code=0
fi
[ "$code" -eq 0 ]
