# Installs Debian packages: $@. Ends with 75 when another package manager is at work.
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
policy=/usr/sbin/policy-rc.d
busy() { grep -qE 'Could not get lock|Unable to lock|Unable to acquire the dpkg frontend lock' "$1"; }
log=$(mktemp) || exit 1
trap 'rm -f "$log"; if grep -qs "Put here by jomctl" "$policy"; then rm -f "$policy"; fi' EXIT
run() {
	"$@" >"$log" 2>&1
	code=$?
	if [ $code != 0 ] && busy "$log"; then grep -E -m1 'lock' "$log" >&2; exit 75; fi
	return $code
}
# Services are not started by their packages. A policy of the host's own stays.
if [ ! -e "$policy" ]; then
	printf '%s\n' '#!/bin/sh' '# Put here by jomctl while it installs packages, and removed right after.' 'exit 101' >"$policy"
	chmod 755 "$policy"
fi
if [ -n "$(dpkg --audit)" ]; then
	run dpkg --force-confdef --force-confold --configure -a || { tail -n 15 "$log" >&2; exit 1; }
fi
install() {
	run apt-get -q -y --no-install-recommends -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install "$@"
}
install "$@" && exit 0
# Lists that are missing or old are the usual reason.
run apt-get -q update || tail -n 5 "$log" >&2
install "$@" && exit 0
tail -n 15 "$log" >&2
exit 1
