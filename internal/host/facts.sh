# Prints facts of a host for parseFacts, in lines KEY=VALUE and lists KEY=FIELD<tab>FIELD... Arguments: paths whose disks
# matter, "--", names to resolve, "--", packages of interest. It changes nothing and needs only what every Linux has.
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
tab=$(printf '\t')
say() { printf '%s=%s\n' "$1" "$2"; }
have() { command -v "$1" >/dev/null 2>&1; }

say time.first "$(date +%s%N)"
sed -n -e 's/^\(ID\|ID_LIKE\|VERSION_ID\|VERSION_CODENAME\|PRETTY_NAME\)=/os.\1=/p' \
	-e 's/^\(MemTotal\|MemAvailable\|SwapTotal\): *\([0-9]*\) kB$/mem.\1=\2/p' /etc/os-release /proc/meminfo 2>/dev/null
# In this order, whatever the order of the options.
read -r hostname kernel arch <<-NAMES
	$(uname -n -r -m)
NAMES
say arch "$arch"
say kernel "$kernel"
say hostname "$hostname"
uid=$(id -u)
say uid "$uid"
say user "$(id -un)"
read -r uptime _ </proc/uptime && say uptime "$uptime"
say cpus "$(grep -c '^processor' /proc/cpuinfo)"
if [ -r /etc/machine-id ] && read -r id </etc/machine-id; then say machine.id "$id"; fi

if have sudo; then say sudo.installed yes; fi
if [ "$uid" = 0 ] || sudo -n true 2>/dev/null; then say sudo.works yes; fi

if have systemctl; then
	manager=$(systemctl show -p Version -p SystemState 2>/dev/null | sed -n 's/^Version=[^0-9]*\([0-9]*\).*/systemd.version=\1/p; s/^SystemState=/systemd.state=/p')
	case $manager in
	*systemd.version=*systemd.state=* | *systemd.state=*systemd.version=*) printf '%s\n' "$manager" ;;
	*) # it is not there, or too old to say it in this way
		say systemd.version "$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')"
		say systemd.state "$(systemctl is-system-running 2>/dev/null)"
		;;
	esac
fi
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
	say cgroup.version 2
	read -r controllers </sys/fs/cgroup/cgroup.controllers && say cgroup.controllers "$controllers"
elif [ -d /sys/fs/cgroup/memory ] || [ -d /sys/fs/cgroup/cpu ]; then
	say cgroup.version 1
	say cgroup.controllers "$(sed -n '/^#/d; s/\t.*//p' /proc/cgroups | tr '\n' ' ')"
fi

while [ $# -gt 0 ] && [ "$1" != -- ]; do
	near=$1
	while [ ! -e "$near" ]; do near=$(dirname "$near"); done
	block='' blocks='' free='' inodes='' type='' options=''
	read -r block blocks free inodes type <<-SPACE
		$(timeout 10 stat -L -f -c '%S %b %a %d %T' "$near" 2>/dev/null)
	SPACE
	mount=$(timeout 10 stat -L -c %m "$near" 2>/dev/null)
	while read -r _ at _ how _; do [ "$at" != "$mount" ] || options=$how; done </proc/mounts
	say disk "$1$tab$near$tab$((${blocks:-0} * (${block:-0} / 512) / 2))$tab$((${free:-0} * (${block:-0} / 512) / 2))$tab$inodes$tab$type$tab$mount$tab$options"
	shift
done
[ $# -eq 0 ] || shift

# resolve prints the addresses of a name, each once.
resolve() {
	all=' '
	while read -r address _; do
		[ -n "$address" ] || continue
		case $all in *" $address "*) ;; *) all="$all$address " ;; esac
	done <<-ADDRESSES
		$(timeout 10 getent ahosts "$1" 2>/dev/null)
	ADDRESSES
	printf '%s' "${all# }"
}
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	say name "$1$tab$(resolve "$1")"
	shift
done
[ $# -eq 0 ] || shift
say name.self "$(resolve "$hostname")"

if have dpkg-query; then
	say packager dpkg
	[ $# -eq 0 ] || dpkg-query -W -f 'package=${Package}\t${Version}\t${db:Status-Status}\n' "$@" 2>/dev/null | sed -n 's/\tinstalled$//p'
elif have rpm; then
	say packager rpm
	[ $# -eq 0 ] || rpm -q --qf 'package=%{NAME}\t%{VERSION}-%{RELEASE}\n' "$@" 2>/dev/null | grep '^package='
fi

if have ip; then
	say route "$(ip -4 route get 192.0.2.1 2>/dev/null | sed -n 's/.* dev \([^ ]*\).* src \([^ ]*\).*/\1\t\2/p')"
	ip -o addr show scope global 2>/dev/null | awk '{sub("/.*", "", $4); print "address=" $4 "\t" $2}'
fi
if have ss; then
	ss -H -l -t -n -p 2>/dev/null | awk '{
		who = ""
		if (match($0, /users:\(\("[^"]*",pid=[0-9]+/)) {
			who = substr($0, RSTART + 9, RLENGTH - 9)
			sub(/",pid=/, "\t", who)
		}
		print "listen=" $4 "\t" who
	}'
else
	# 0A is LISTEN; the addresses are hexadecimal.
	cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" {print "listen.hex=" $2}'
fi

seen=
for java in /usr/lib/jvm/*/bin/java /opt/*/bin/java /opt/java/*/bin/java /usr/java/*/bin/java "$(command -v java)"; do
	[ -x "$java" ] || continue
	home=$(readlink -f "$java")
	home=${home%/bin/java}
	case " $seen " in *" $home "*) continue ;; esac
	seen="$seen $home"
	version=
	[ ! -r "$home/release" ] || version=$(sed -n 's/^JAVA_VERSION="\(.*\)"$/\1/p' "$home/release")
	[ -n "$version" ] || version=$("$java" -version 2>&1 | sed -n 's/.*version "\([^"]*\)".*/\1/p')
	# Where the folder has the whole version in its name, as on RHEL-like systems, an update takes it away: there are lasting names for it.
	case $home in
	/usr/lib/jvm/*[0-9].[0-9]*)
		for link in /usr/lib/jvm/jre-*-openjdk /usr/lib/jvm/java-*-openjdk; do
			if [ "$(readlink -f "$link")" = "$home" ]; then
				home=$link
				break
			fi
		done
		;;
	esac
	say java "$home$tab$version"
done

# Old installations: their units, and processes that no unit of jomctl started.
units=
for unit in zookeeper mesos-master mesos-slave mesos-agent marathon jenkins haproxy dcos-mesos-master dcos-mesos-slave dcos-marathon; do
	for folder in /etc/systemd/system /run/systemd/system /usr/lib/systemd/system /lib/systemd/system /etc/init.d; do
		file=$folder/$unit
		[ "$folder" = /etc/init.d ] || file=$file.service
		[ -e "$file" ] || [ -L "$file" ] || continue
		say leftover.unit "$unit$tab$file"
		units="$units $unit.service"
		break
	done
done
# shellcheck disable=SC2086 # these are words
[ -z "$units" ] || systemctl show -p Id -p UnitFileState -p ActiveState $units 2>/dev/null | awk 'BEGIN {RS = ""; FS = "\n"} {
	delete is
	for (i = 1; i <= NF; i++) {
		at = index($i, "=")
		is[substr($i, 1, at - 1)] = substr($i, at + 1)
	}
	sub(/\.service$/, "", is["Id"])
	print "leftover.state=" is["Id"] "\t" is["UnitFileState"] "\t" is["ActiveState"]
}'
namespace=$(readlink /proc/self/ns/pid)
# shellcheck disable=SC2013 # none of these paths has a space
for file in $(grep -lE 'mesos-(master|slave|agent)|mesosphere\.marathon|marathon\.jar|QuorumPeerMain|ZooKeeperMain|jenkins\.war' /proc/[0-9]*/cmdline 2>/dev/null); do
	folder=${file%/cmdline}
	command=$(tr '\0\n\t' '   ' 2>/dev/null <"$file") || continue
	pid=${folder#/proc/}
	# This script itself has the names that it looks for among its arguments, and so has what has just looked for them.
	case $command in *time.first* | grep\ -lE\ * | '') continue ;; esac
	# A container's processes are not the host's installation.
	[ "$(readlink "$folder/ns/pid" 2>/dev/null)" = "$namespace" ] || continue
	unit=$(sed -n 's,^\(0::\|1:name=systemd:\).*/\([^/]*\.\(service\|scope\)\).*,\2,p' "$folder/cgroup" 2>/dev/null | head -n 1)
	case $unit in jomctl-*) continue ;; esac
	say leftover.process "$pid$tab$(printf '%s' "$command" | cut -c 1-300)$tab$unit"
done
for file in /etc/mesos/zk /etc/mesos-master /etc/mesos-slave /etc/mesos-agent /etc/marathon /etc/default/marathon /etc/default/mesos /var/lib/mesos /var/lib/zookeeper /opt/mesosphere /tmp/mesos; do
	[ ! -e "$file" ] || say leftover.path "$file"
done
if have getenforce; then say selinux "$(getenforce 2>/dev/null)"; fi
# What `semanage permissive -a haproxy_t` has made is a module.
[ ! -d /sys/fs/selinux ] || ! have semodule || semodule -l 2>/dev/null | sed -n 's/^permissive_\([a-z0-9_]*\).*/selinux.permissive=\1/p'

if have firewall-cmd; then say firewall "firewalld $(firewall-cmd --state 2>&1 | head -n 1)"; elif have ufw; then say firewall "ufw $(ufw status 2>/dev/null | sed -n '1s/^Status: //p')"; fi
say time.last "$(date +%s%N)"
