#!/bin/bash
# Makes or removes one lab host. Environment: ACTION (create, destroy), CLUSTER, NAME; to create also ADDRESS, IMAGE, FLAVOR, KEY
# (public SSH keys) and CACHE (URL of a cache of packages).
set -euo pipefail
# shellcheck disable=SC2153 # CLUSTER and cluster are two things
container=$CLUSTER-$NAME
volume=$container-docker
what="host $NAME"
# shellcheck source=provision/terraform/docker/common.sh
. "$(dirname "$0")/common.sh"

remove() {
	docker rm --force --volumes "$container" >/dev/null 2>&1 || true
	docker volume rm "$volume" >/dev/null 2>&1 || true
	! owner container "$container" >/dev/null || fail "container $container cannot be removed: $(docker rm --force "$container" 2>&1)"
	! owner volume "$volume" >/dev/null || fail "volume $volume cannot be removed: $(docker volume rm "$volume" 2>&1)"
}

need_engine
if cluster=$(owner container "$container") && [ "$cluster" != "$CLUSTER" ]; then
	[ "$ACTION" != destroy ] || exit 0 # somebody else's of the same name
	fail "a container $container exists that this cluster did not make; choose another cluster name, or remove it: docker rm -f $container"
fi
if [ "$ACTION" = destroy ]; then
	remove
	exit 0
fi

docker image inspect "$IMAGE" >/dev/null 2>&1 || docker pull --quiet "$IMAGE" >/dev/null 2>&1 ||
	fail "there is no image $IMAGE and it cannot be pulled; scripts/lab-image.sh builds jomctl-lab:bookworm"
limits=()
[ -z "$FLAVOR" ] || limits=(--cpus "${FLAVOR%x*}" --memory "${FLAVOR#*x}")

remove # what a killed run left
undo_unless_finished bash -c "docker rm -fv '$container'; docker volume rm '$volume'"
docker volume create --label "$label=$CLUSTER" "$volume" >/dev/null
# container_uuid becomes the machine id, which all containers of a virtual machine would share otherwise.
# SYS_RESOURCE is left out because engines that may not grant it refuse the container; systemd, sshd and a nested Docker
# Engine do without.
said=$(docker run --detach --name "$container" --hostname "$NAME" --label "$label=$CLUSTER" \
	--network "$CLUSTER" --ip "$ADDRESS" --network-alias "$NAME" --stop-signal SIGRTMIN+3 "${limits[@]}" \
	--cap-add ALL --cap-drop SYS_RESOURCE --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
	--cgroupns host --volume /sys/fs/cgroup:/sys/fs/cgroup --volume "$volume:/var/lib/docker" \
	--tmpfs /run:exec,mode=755 --tmpfs /run/lock \
	--env container=docker --env "container_uuid=$(cat /proc/sys/kernel/random/uuid)" --env "JOMCTL_LAB_KEY=$KEY" --env "JOMCTL_LAB_APT_CACHE=$CACHE" \
	"$IMAGE" /sbin/init 2>&1 >/dev/null) || fail "$said"

state=
for _ in $(seq 600); do
	# Without --wait the answer "starting" comes before the bus of systemd does.
	state=$(docker exec "$container" systemctl is-system-running 2>/dev/null) || true
	case $state in
	running | degraded | maintenance) break ;;
	esac
	[ "$(docker inspect --format '{{.State.Running}}' "$container" 2>/dev/null)" = true ] ||
		fail "the container ended at once: $(docker logs --tail 5 "$container" 2>&1)"
	sleep 0.3
done
[ "$state" = running ] ||
	fail "systemd is ${state:-not up} after the start: $(docker exec "$container" systemctl list-units --failed --plain --no-legend 2>&1 | awk '{print $1}' | tr '\n' ' ')"
docker exec "$container" systemctl is-active --quiet ssh || fail "sshd does not run: $(docker exec "$container" journalctl -u ssh -n 5 --no-pager 2>&1)"
