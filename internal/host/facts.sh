# Prints facts of a host for parseFacts, in lines KEY=VALUE and lists KEY=FIELD<tab>FIELD... Arguments: paths whose disks
# matter, "--", names to resolve, "--", packages of interest. It changes nothing and needs only what every Linux has.
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
tab=$(printf '\t')
say() { printf '%s=%s\n' "$1" "$2"; }
have() { command -v "$1" >/dev/null 2>&1; }

say time.first "$(date +%s%N)"
if [ -r /etc/os-release ]; then sed -n 's/^\(ID\|ID_LIKE\|VERSION_ID\|VERSION_CODENAME\|PRETTY_NAME\)=/os.\1=/p' /etc/os-release; fi
say arch "$(uname -m)"
say kernel "$(uname -r)"
say hostname "$(uname -n)"
say uid "$(id -u)"
say user "$(id -un)"
say uptime "$(cut -d ' ' -f 1 /proc/uptime)"
say cpus "$(grep -c '^processor' /proc/cpuinfo)"
sed -n 's/^\(MemTotal\|MemAvailable\|SwapTotal\): *\([0-9]*\) kB$/mem.\1=\2/p' /proc/meminfo
say machine.id "$(cat /etc/machine-id 2>/dev/null)"

if have sudo; then say sudo.installed yes; fi
if [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; then say sudo.works yes; fi

if have systemctl; then
	say systemd.version "$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')"
	say systemd.state "$(systemctl is-system-running 2>/dev/null)"
fi
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
	say cgroup.version 2
	say cgroup.controllers "$(cat /sys/fs/cgroup/cgroup.controllers)"
elif [ -d /sys/fs/cgroup/memory ] || [ -d /sys/fs/cgroup/cpu ]; then
	say cgroup.version 1
	say cgroup.controllers "$(sed -n '/^#/d; s/\t.*//p' /proc/cgroups | tr '\n' ' ')"
fi

while [ $# -gt 0 ] && [ "$1" != -- ]; do
	near=$1
	while [ ! -e "$near" ]; do near=$(dirname "$near"); done
	space=$(timeout 10 df -Pk "$near" 2>/dev/null | awk 'NR == 2 {print $2 "\t" $4}')
	inodes=$(timeout 10 df -Pi "$near" 2>/dev/null | awk 'NR == 2 {print $4}')
	type=$(timeout 10 stat -f -c %T "$near" 2>/dev/null)
	mount=$(timeout 10 df -P "$near" 2>/dev/null | awk 'NR == 2 {print $6}')
	options=$(awk -v mount="$mount" '$2 == mount {found = $4} END {print found}' /proc/mounts)
	say disk "$1$tab$near$tab$space$tab$inodes$tab$type$tab$mount$tab$options"
	shift
done
[ $# -eq 0 ] || shift

while [ $# -gt 0 ] && [ "$1" != -- ]; do
	say name "$1$tab$(timeout 10 getent ahosts "$1" 2>/dev/null | awk '!seen[$1]++ {printf "%s ", $1}')"
	shift
done
[ $# -eq 0 ] || shift
say name.self "$(timeout 10 getent ahosts "$(uname -n)" 2>/dev/null | awk '!seen[$1]++ {printf "%s ", $1}')"
say fqdn "$(timeout 10 hostname -f 2>/dev/null)"

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
	ss -H -l -t -n -p 2>/dev/null | while read -r _ _ _ local _ process; do
		who=$(printf '%s' "$process" | sed -n 's/^users:(("\([^"]*\)",pid=\([0-9]*\),.*/\1\t\2/p')
		say listen "$local$tab$who"
	done
else
	# 0A is LISTEN; the addresses are hexadecimal.
	cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" {print "listen.hex=" $2}'
fi

seen=
for java in /usr/lib/jvm/*/bin/java /opt/*/bin/java /opt/java/*/bin/java /usr/java/*/bin/java "$(command -v java)"; do
	[ -x "$java" ] || continue
	home=$(dirname "$(dirname "$(readlink -f "$java")")")
	case " $seen " in *" $home "*) continue ;; esac
	seen="$seen $home"
	version=
	[ ! -r "$home/release" ] || version=$(sed -n 's/^JAVA_VERSION="\(.*\)"$/\1/p' "$home/release")
	[ -n "$version" ] || version=$("$java" -version 2>&1 | sed -n 's/.*version "\([^"]*\)".*/\1/p')
	say java "$home$tab$version"
done

if have docker; then
	say docker.client "$(docker --version 2>/dev/null | sed -n 's/^Docker version \([^,]*\),.*/\1/p')"
	timeout 10 docker info --format 'docker.server={{.ServerVersion}}
docker.cgroup={{.CgroupDriver}}
docker.storage={{.Driver}}
docker.root={{.DockerRootDir}}' 2>/dev/null
fi

# Old installations: their units, and processes that no unit of jomctl started.
for unit in zookeeper mesos-master mesos-slave mesos-agent marathon jenkins haproxy dcos-mesos-master dcos-mesos-slave dcos-marathon; do
	for folder in /etc/systemd/system /run/systemd/system /usr/lib/systemd/system /lib/systemd/system /etc/init.d; do
		file=$folder/$unit
		[ "$folder" = /etc/init.d ] || file=$file.service
		[ -e "$file" ] || [ -L "$file" ] || continue
		say leftover.unit "$unit$tab$file$tab$(systemctl is-enabled "$unit" 2>/dev/null | head -n 1)$tab$(systemctl is-active "$unit" 2>/dev/null | head -n 1)"
		break
	done
done
namespace=$(readlink /proc/self/ns/pid)
for folder in /proc/[0-9]*; do
	command=$(tr '\0\n\t' '   ' 2>/dev/null <"$folder/cmdline") || continue
	case $command in
	*mesos-master* | *mesos-slave* | *mesos-agent* | *mesosphere.marathon* | *marathon.jar* | *QuorumPeerMain* | *ZooKeeperMain* | *jenkins.war*) ;;
	*) continue ;;
	esac
	pid=${folder#/proc/}
	# A container's processes are not the host's installation.
	[ "$(readlink "$folder/ns/pid" 2>/dev/null)" = "$namespace" ] || continue
	unit=$(sed -n 's,^\(0::\|1:name=systemd:\).*/\([^/]*\.\(service\|scope\)\).*,\2,p' "$folder/cgroup" 2>/dev/null | head -n 1)
	case $unit in jomctl-*) continue ;; esac
	# This script itself has the names that it looks for among its arguments.
	case $command in *time.first*) continue ;; esac
	say leftover.process "$pid$tab$(printf '%s' "$command" | cut -c 1-300)$tab$unit"
done
for file in /etc/mesos/zk /etc/mesos-master /etc/mesos-slave /etc/mesos-agent /etc/marathon /etc/default/marathon /etc/default/mesos /var/lib/mesos /var/lib/zookeeper /opt/mesosphere /tmp/mesos; do
	[ ! -e "$file" ] || say leftover.path "$file"
done
if have timedatectl; then say ntp "$(timedatectl show -p NTPSynchronized --value 2>/dev/null)"; fi
if have getenforce; then say selinux "$(getenforce 2>/dev/null)"; fi
if have firewall-cmd; then say firewall "firewalld $(firewall-cmd --state 2>&1 | head -n 1)"; elif have ufw; then say firewall "ufw $(ufw status 2>/dev/null | sed -n '1s/^Status: //p')"; fi
say time.last "$(date +%s%N)"
