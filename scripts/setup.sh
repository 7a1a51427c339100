#!/usr/bin/env bash
# Installs the Debian packages that are missing. Installing needs root or sudo; where nothing is missing neither is used.
set -euo pipefail

packages=(zookeeper haproxy default-jre-headless python3-jenkins shellcheck openssh-server restic chromium npm)
missing=()
for package in "${packages[@]}"; do
	if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed'; then
		# Any Java will do for ZooKeeper; it need not be Debian's.
		if [ "$package" = default-jre-headless ] && command -v java >/dev/null; then continue; fi
		# And any npm, which fetches what judges the dashboard's accessibility.
		if [ "$package" = npm ] && command -v npm >/dev/null; then continue; fi
		missing+=("$package")
	fi
done
[ ${#missing[@]} -eq 0 ] && exit 0

sudo=()
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || {
		echo "missing packages: ${missing[*]}; as root run: apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
		exit 3
	}
	sudo=(sudo)
fi
echo "installing ${missing[*]}" >&2
"${sudo[@]}" apt-get update -q >&2
# Debian starts the services of packages it installs; jomctl runs its own, so those stay off (policy-rc.d answers 101).
policy=/usr/sbin/policy-rc.d
made=
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
	"${sudo[@]}" chmod 755 "$policy"
	made=yes
fi
trap '[ -z "$made" ] || "${sudo[@]}" rm -f "$policy"' EXIT
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
