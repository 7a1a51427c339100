# Ends the tasks that a Mesos agent has left on this host: $1 is the name of its service, $2 "yes" where Docker containers of
# Mesos and of jomctl go, too. Prints how many there were.
service=$1
# A process of another PID namespace is shown as 0, and no business of this host's.
members() {
	for folder in "/sys/fs/cgroup/system.slice/$service" "/sys/fs/cgroup/systemd/system.slice/$service" /sys/fs/cgroup/mesos /sys/fs/cgroup/*/mesos \
		/sys/fs/cgroup/mesos_executors.slice /sys/fs/cgroup/systemd/mesos_executors.slice; do
		[ -d "$folder" ] && find "$folder" -name cgroup.procs -exec cat {} + 2>/dev/null
	done | grep -vx 0 | sort -un
}
ended=$(members | wc -l)
for pid in $(members); do kill -TERM "$pid" 2>/dev/null; done
i=0
while [ -n "$(members)" ] && [ $i -lt 50 ]; do sleep 0.1; i=$((i + 1)); done
for pid in $(members); do kill -KILL "$pid" 2>/dev/null; done
i=0
while [ -n "$(members)" ] && [ $i -lt 50 ]; do sleep 0.1; i=$((i + 1)); done
if [ -n "$(members)" ]; then echo "processes $(members | tr '\n' ' ')do not end" >&2; exit 1; fi
if [ "$2" = yes ] && command -v docker >/dev/null; then
	containers=$(docker ps -aq --filter 'name=^/?mesos-' --filter 'name=^/?jomctl-marathon$') || exit 1
	for container in $containers; do docker rm -f "$container" >/dev/null || exit 1; ended=$((ended + 1)); done
fi
echo "$ended"
