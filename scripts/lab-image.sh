#!/usr/bin/env bash
# Builds the image of a lab host, jomctl-lab:bookworm: Debian 12 with systemd and sshd, as plain as a fresh virtual machine. It is built
# from Debian's packages, since no registry need be reached, and again only when this script changes. Prints its name on stdout.
#
# A container of it reads at start JOMCTL_LAB_KEY (public SSH keys, one a line, for root and for admin, who has sudo without a
# password) and JOMCTL_LAB_APT_CACHE (URL of a cache of packages, asked each time whether it answers). Start it as
# provision/terraform/docker does.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
name=jomctl-lab
suite=bookworm
tag=$name:$suite-$(sha256sum "$here/lab-image.sh" | cut -c1-12)

"$here/lab-docker.sh"
state=${JOMCTL_LAB_STATE:-/var/lib/jomctl-lab}

present() { docker image inspect "$tag" >/dev/null 2>&1; }

finish() {
	docker tag "$tag" "$name:$suite"
	echo "$name:$suite"
	exit 0
}

if present; then finish; fi
if [ "$(id -u)" -ne 0 ]; then
	echo "the image $tag is not built yet, and debootstrap needs root: run scripts/lab-image.sh as root once" >&2
	exit 3
fi
mkdir -p "$state"
exec 9>"$state/image.lock"
flock 9
if present; then finish; fi

"$here/lab-packages.sh" debootstrap:debootstrap
mirror=http://deb.debian.org/debian
if cache=$("$here/lab-apt-cache.sh"); then via=$cache/deb.debian.org/debian; else via=$mirror; fi

root=$(mktemp -d "$state/image.XXXXXX")
trap 'rm -rf "$root"' EXIT
packages=systemd,systemd-sysv,dbus,openssh-server,sudo,iproute2,iputils-ping,netbase,procps,ca-certificates,curl,gnupg,python3,python3-apt
echo "building $tag with debootstrap (about a minute; log: $state/image.log)" >&2
bootstrap() { debootstrap --variant=minbase "--include=$packages" "$suite" "$root" "$1" >>"$state/image.log" 2>&1 9>&-; }
: >"$state/image.log"
bootstrap "$via" || { [ "$via" != "$mirror" ] && rm -rf "${root:?}"/* && bootstrap "$mirror"; } || {
	echo "debootstrap failed; the end of $state/image.log:" >&2
	tail -n 5 "$state/image.log" >&2
	exit 1
}

cat >"$root/etc/apt/sources.list" <<SOURCES
deb $mirror $suite main
deb $mirror $suite-updates main
deb http://deb.debian.org/debian-security $suite-security main
SOURCES
cat >"$root/etc/apt/apt.conf.d/90lab" <<'APT'
Acquire::http::Proxy-Auto-Detect "/usr/local/lib/lab/apt-proxy";
Acquire::Languages "none";
Acquire::Retries "3";
APT

mkdir -p "$root/usr/local/lib/lab" "$root/var/log/journal"
# Only Debian's own packages go through the cache; repositories of a test are asked directly, so that its faults are seen.
cat >"$root/usr/local/lib/lab/apt-proxy" <<'PROXY'
#!/bin/bash
case "$1" in
*://deb.debian.org/*)
	cache=$(cat /etc/lab-apt-cache 2>/dev/null)
	# Some networks answer for every address, so the answer must be that of apt-cacher-ng.
	if [ -n "$cache" ] && curl --silent --head --max-time 2 --noproxy '*' "$cache/" | grep -q '406 Usage Information'; then
		echo "$cache"
		exit 0
	fi
	;;
esac
echo DIRECT
PROXY
# What cloud-init does on a virtual machine: host keys, the user's key.
cat >"$root/usr/local/lib/lab/init" <<'INIT'
#!/bin/bash
set -euo pipefail
value() { tr '\0' '\n' </proc/1/environ | awk -v name="$1" 'index($0, name "=") == 1 {on = 1; print substr($0, length(name) + 2); next} /^[A-Za-z_]+=/ {on = 0} on'; }
umask 077
keys=$(value JOMCTL_LAB_KEY)
for home in /root /home/admin; do
	mkdir -p "$home/.ssh"
	[ -z "$keys" ] || printf '%s\n' "$keys" >"$home/.ssh/authorized_keys"
done
chown -R admin:admin /home/admin/.ssh
umask 022
value JOMCTL_LAB_APT_CACHE >/etc/lab-apt-cache
ssh-keygen -A
INIT
cat >"$root/etc/systemd/system/lab-init.service" <<'UNIT'
[Unit]
Description=First start of a lab host: SSH keys
Before=ssh.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/lib/lab/init

[Install]
WantedBy=multi-user.target
UNIT
chmod 755 "$root/usr/local/lib/lab/apt-proxy" "$root/usr/local/lib/lab/init"

chroot "$root" /bin/bash -eu >>"$state/image.log" 2>&1 <<'CHROOT'
useradd --create-home --shell /bin/bash admin
echo 'admin ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/90-admin
chmod 440 /etc/sudoers.d/90-admin
systemctl enable lab-init.service ssh.service
# A container has no consoles; the timers of apt would hold its lock at a time of their own.
systemctl mask getty.target console-getty.service systemd-logind-varlink.socket apt-daily.timer apt-daily-upgrade.timer \
	dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
rm -f /etc/ssh/ssh_host_* /etc/hostname
# Each host draws its own at its first start; dbus made one when it was installed, which would be taken over.
: >/etc/machine-id
ln -sf /etc/machine-id /var/lib/dbus/machine-id
rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/* /var/log/*.log /var/cache/debconf/*-old
CHROOT

tar -C "$root" --numeric-owner --xattrs -c . | docker import --change 'CMD ["/sbin/init"]' \
	--change 'ENV container=docker' --change "LABEL org.jomctl.lab=$tag" - "$tag" >>"$state/image.log"
finish
