#!/usr/bin/env bash
# Makes sure that lab hosts find a cache of Debian packages on this machine, so that the tenth lab is not slower
# than the mirror. Prints the cache's URL on stdout. A lab without it works, slower: hosts ask whether it answers, each time.
# `lab-apt-cache.sh stop` ends a cache that this script started, and no other; `lab-apt-cache.sh answers` only asks.
set -euo pipefail

state=${JOMCTL_LAB_STATE:-/var/lib/jomctl-lab}
cache=${JOMCTL_LAB_APT_CACHE:-/var/cache/jomctl-lab-apt}
port=3142
# An address of this machine alone that no network of Docker's takes, neither here nor in a lab host.
address=169.254.77.1

# That something accepts the connection proves nothing: some networks answer for every address. This is what apt-cacher-ng
# says to one who asks for no file.
answers() {
	[[ $(ip -4 -o address show dev lo 2>/dev/null) == *" $address/"* ]] &&
		curl --silent --head --max-time 5 --noproxy '*' "http://$address:$port/" 2>/dev/null | grep -q '406 Usage Information'
}

stop() {
	[ -s "$state/apt-cache.pid" ] || return 0
	local pid
	pid=$(cat "$state/apt-cache.pid")
	# The number may have passed to another process since.
	if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = apt-cacher-ng ]; then
		kill "$pid"
		while [ -e "/proc/$pid" ]; do sleep 0.2; done
		ip address delete "$address/32" dev lo
	fi
	rm -f "$state/apt-cache.pid"
}

case ${1:-start} in
answers)
	answers
	exit
	;;
stop)
	stop
	exit
	;;
esac

url=http://$address:$port
if ! answers; then
	mkdir -p "$state"
	exec 9>"$state/apt-cache.lock"
	flock 9
	[ "$(id -u)" -eq 0 ] || {
		echo "starting the cache of packages needs root: run scripts/lab-apt-cache.sh as root once" >&2
		exit 3
	}
	"$(dirname "$0")/lab-packages.sh" apt-cacher-ng:apt-cacher-ng iproute2:ip curl:curl
	ip address add "$address/32" dev lo 2>/dev/null || true # there already
	if ! answers; then # on a machine with a service manager the package starts its own, on every address
		install -d -o apt-cacher-ng -g apt-cacher-ng "$cache" "$cache/log"
		# A configuration of its own: Debian's sends deb.debian.org to ftp.debian.org, which a closed network may not reach.
		mkdir -p "$state/acng"
		printf '%s\n' "CacheDir: $cache" "LogDir: $cache/log" 'SupportDir: /usr/lib/apt-cacher-ng' 'ExThreshold: 30' \
			'PassThroughPattern: .*' >"$state/acng/acng.conf"
		setsid nohup setpriv --reuid apt-cacher-ng --regid apt-cacher-ng --clear-groups \
			/usr/sbin/apt-cacher-ng -c "$state/acng" ForeGround=1 "Port=$port" "BindAddress=$address" \
			"SocketPath=$cache/socket" >>"$state/apt-cache.log" 2>&1 </dev/null 9>&- &
		echo "$!" >"$state/apt-cache.pid"
		for _ in $(seq 100); do
			answers && break
			sleep 0.1
		done
		answers || {
			echo "apt-cacher-ng did not come up; see $state/apt-cache.log" >&2
			exit 1
		}
	fi
fi
echo "$url"
