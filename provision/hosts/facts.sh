# Prints KEY=VALUE lines about this host. $1: paths to look at, $2: names to resolve, each in words.
echo "uid=$(id -u)"
echo "arch=$(uname -m)"
echo "machine=$(cat /etc/machine-id 2>/dev/null)"
[ -d /run/systemd/system ] && echo "systemd=$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p')"
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo cgroup=2; elif [ -d /sys/fs/cgroup/memory ]; then echo cgroup=1; fi
echo "cpus=$(nproc)"
sed -n 's/^MemTotal: *\([0-9]*\) kB/mem=\1/p; s/^MemAvailable: *\([0-9]*\) kB/available=\1/p' /proc/meminfo
sed -n 's/^/os./p' /etc/os-release
for path in $1; do
	have=$path
	while [ ! -e "$have" ]; do have=$(dirname "$have"); done
	echo "disk=$path $(df -Pk "$have" | awk 'NR == 2 {print $2, $4}') $(stat -f -c %d "$have")"
done
for name in $2; do echo "resolves=$name $(getent ahosts "$name" | awk '!seen[$1]++ {printf "%s ", $1}')"; done
echo "addresses=$(ip -o addr show 2>/dev/null | awk '{sub("/.*", "", $4); printf "%s ", $4}')"
ss -H -ltnp 2>/dev/null | awk '{print "listens=" $4, $6}'
for java in /usr/lib/jvm/*/bin/java /opt/*/bin/java "$(command -v java)"; do
	real=$(readlink -f "$java") || continue
	[ -x "$real" ] || continue
	home=${real%/bin/java}
	case " $seen " in *" $home "*) continue ;; esac
	seen="$seen $home"
	version=$(sed -n 's/^JAVA_VERSION="\(.*\)"/\1/p' "$home/release" 2>/dev/null)
	[ -n "$version" ] || version=$("$real" -version 2>&1 | sed -n 's/.*version "\([^"]*\)".*/\1/p')
	echo "java=$version $home"
done
for program in docker haproxy docker-registry registry apt-get dnf bash git; do
	path=$(command -v "$program") && echo "program=$program $path"
done
[ -x /usr/sbin/haproxy ] && echo "haproxy=$(/usr/sbin/haproxy -v 2>/dev/null | sed -n '1s/.*version \([0-9.]*\).*/\1/p')"
dpkg-query -W -f '${db:Status-Abbrev}' docker.io 2>/dev/null | grep -q '^.i' && echo dockerio=yes
for jar in /usr/share/java/zookeeper.jar /usr/share/java/slf4j-simple.jar; do [ -r "$jar" ] && echo "jar=$jar"; done
for path in /var/lib/mesos /etc/mesos /etc/mesos-master /etc/mesos-slave /etc/mesos-agent /etc/marathon /etc/default/mesos /etc/default/marathon /var/lib/zookeeper/version-2; do
	[ -e "$path" ] && [ -n "$(ls -A "$path" 2>/dev/null)" ] && echo "leftover=$path"
done
for unit in zookeeper mesos-master mesos-slave mesos-agent marathon haproxy docker-registry; do
	state=$(systemctl show -p ActiveState --value "$unit.service" 2>/dev/null)
	[ "$state" = active ] || [ "$state" = activating ] && echo "active=$unit"
done
command -v firewall-cmd >/dev/null && firewall-cmd --state >/dev/null 2>&1 && echo firewall=firewalld
command -v ufw >/dev/null && ufw status 2>/dev/null | grep -q '^Status: active' && echo firewall=ufw
echo end=yes
