#!/bin/bash
# Makes or removes the network of a lab cluster. Environment: ACTION (create, destroy), CLUSTER, CIDR.
set -euo pipefail
network=$CLUSTER
label=org.jomctl.cluster

fail() {
	echo "network $network: $*" >&2
	exit 1
}

# ours: the object of that kind and name carries this cluster's label. 1: it does not. 2: it does not exist.
ours() {
	local owner
	owner=$(docker "$1" inspect --format "{{index .Labels \"$label\"}}" "$2" 2>/dev/null) || return 2
	[ "$owner" = "$CLUSTER" ]
}

remove_all() {
	local leftover
	# What a run that was killed made and no state knows.
	leftover=$(docker ps --all --quiet --filter "label=$label=$CLUSTER")
	# shellcheck disable=SC2086 # a list of ids
	[ -z "$leftover" ] || docker rm --force --volumes $leftover >/dev/null
	leftover=$(docker volume ls --quiet --filter "label=$label=$CLUSTER")
	# shellcheck disable=SC2086
	[ -z "$leftover" ] || docker volume rm $leftover >/dev/null
	local code=0
	ours network "$network" || code=$?
	case $code in
	0) docker network rm "$network" >/dev/null ;;
	1) echo "network $network was not made by this cluster and stays" >&2 ;;
	esac
}

docker version --format '{{.Server.Version}}' >/dev/null 2>&1 ||
	fail "no Docker Engine answers (${DOCKER_HOST:-the default socket}); start it, or set DOCKER_HOST"
if [ "$ACTION" = destroy ]; then
	remove_all
	exit 0
fi

code=0
ours network "$network" || code=$?
case $code in
0)
	have=$(docker network inspect --format '{{(index .IPAM.Config 0).Subnet}}' "$network")
	[ "$have" = "$CIDR" ] && exit 0
	remove_all
	;;
1) fail "a Docker network of this name exists that this cluster did not make; choose another cluster name, or remove it: docker network rm $network" ;;
esac
if ! said=$(docker network create --driver bridge --subnet "$CIDR" --label "$label=$CLUSTER" "$network" 2>&1); then
	case $said in
	*overlaps*) fail "$CIDR is in use by another network of this machine; set cidr to a free one ($said)" ;;
	*) fail "$said" ;;
	esac
fi
