#!/usr/bin/env bash
# Makes sure that a Docker Engine answers: installs Debian's where there is none and starts dockerd where no service manager does.
# `lab-docker.sh stop` ends a dockerd that this script started, and no other. Needs root for both. Prints nothing on stdout.
set -euo pipefail

state=${JOMCTL_LAB_STATE:-/var/lib/jomctl-lab}

answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

stop() {
	[ -s "$state/dockerd.pid" ] || return 0
	local pid
	pid=$(cat "$state/dockerd.pid")
	# The number may have passed to another process since.
	if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]; then
		kill "$pid"
		while [ -e "/proc/$pid" ]; do sleep 0.2; done
	fi
	rm -f "$state/dockerd.pid"
}

[ "${1:-start}" = stop ] && {
	stop
	exit 0
}
answers && exit 0
if [ -n "${DOCKER_HOST:-}" ]; then
	echo "no Docker Engine answers at $DOCKER_HOST (DOCKER_HOST)" >&2
	exit 3
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "no Docker Engine answers, and starting one needs root: start the service docker, or join the group docker" >&2
	exit 3
fi

mkdir -p "$state"
exec 9>"$state/lock"
flock 9 # several tests may ask at once
answers && exit 0
"$(dirname "$0")/lab-packages.sh" docker.io:dockerd iptables:iptables
answers && exit 0 # the package's own service was started

log=$state/dockerd.log
echo "starting dockerd (log: $log)" >&2
setsid nohup dockerd >>"$log" 2>&1 </dev/null 9>&- &
pid=$!
echo "$pid" >"$state/dockerd.pid"
for _ in $(seq 300); do
	answers && exit 0
	kill -0 "$pid" 2>/dev/null || break
	sleep 0.2
done
echo "dockerd did not come up; the end of $log:" >&2
tail -n 5 "$log" >&2
exit 3
