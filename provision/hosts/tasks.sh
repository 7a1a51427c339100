# Ends the tasks that a Mesos agent has left on this host: $1 is the name of its service, $2 "yes" where Docker containers of
# Mesos and of jomctl go, too. Prints how many there were.
service=$1
# They are known by their control group: the agent's own, that of its containerizer, or the slice for executors.
members() {
	grep -lsE "[:/](${service}|mesos_executors\.slice|mesos)(/|\$)" /proc/[0-9]*/cgroup | cut -d / -f 3
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
