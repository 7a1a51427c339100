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
declare -A jobs
finish() {
	local job
	for job in "${jobs[@]}"; do
		kill -- "-$job" 2>/dev/null || true
		wait "$job" || true
	done
	rm -rf "$scratch"
}
trap finish EXIT

# begin NAME COMMAND... runs a command beside the others; end NAME waits for it, prints what it said, and gives its exit code.
begin() {
	local name=$1
	shift
	setsid "$@" >"$scratch/$name" 2>&1 </dev/null &
	jobs[$name]=$!
}
end() {
	local code=0
	wait "${jobs[$1]}" || code=$?
	unset "jobs[$1]"
	cat "$scratch/$1"
	return "$code"
}

# Hosts that start and clusters that elect leave a machine idle for much of the time, so labs, whole commands and the other packages go on
# beside each other. Labs that walk a cluster through its whole life take as long as all other tests together, and are left to test-lab.sh.
[ "$what" = here ] || begin labs "$here/test-lab.sh" -skip '^TestHosts' "$@"

# Packages run one after the other, as each has programs with time-outs of their own.
mapfile -t packages < <(go list ./... | grep -v '/e2e$')
begin packages go test -count=1 -p 1 -timeout 35m "${packages[@]}" "$@"

# Whole-command tests build the programs themselves, which the cache of results does not see.
failed=0
go test -count=1 -timeout 35m ./e2e "$@" || failed=1
end packages || failed=1
if [ "$what" = all ]; then
	code=0
	end labs || code=$?
	if [ "$code" -eq 3 ]; then
		echo "LABS LEFT OUT: this machine cannot run them, for the reason above; everything else has passed"
		code=0
	fi
	[ "$code" -eq 0 ] || failed=1
fi
[ "$failed" -eq 0 ]
