#!/bin/bash
# Makes or removes the network of a lab cluster. Environment: ACTION (create, destroy), CLUSTER, CIDR.
set -euo pipefail
# shellcheck disable=SC2153 # CLUSTER and cluster are two things
network=$CLUSTER
what="network $network"
# shellcheck source=provision/terraform/docker/common.sh
. "$(dirname "$0")/common.sh"

remove() {
	local leftover
	# What a run that was killed made and no state knows.
	leftover=$(docker ps --all --quiet --filter "label=$label=$CLUSTER")
	# shellcheck disable=SC2086 # a list of ids
	[ -z "$leftover" ] || docker rm --force --volumes $leftover >/dev/null
	leftover=$(docker volume ls --quiet --filter "label=$label=$CLUSTER")
	# shellcheck disable=SC2086
	[ -z "$leftover" ] || docker volume rm $leftover >/dev/null
	local cluster
	cluster=$(owner network "$network") || return 0
	if [ "$cluster" = "$CLUSTER" ]; then
		docker network rm "$network" >/dev/null
	else
		echo "$what was not made by this cluster and stays" >&2
	fi
}

need_engine
if [ "$ACTION" = destroy ]; then
	remove
	exit 0
fi

if cluster=$(owner network "$network"); then
	[ "$cluster" = "$CLUSTER" ] ||
		fail "a Docker network of this name exists that this cluster did not make; choose another cluster name, or remove it: docker network rm $network"
	have=$(docker network inspect --format '{{(index .IPAM.Config 0).Subnet}}' "$network")
	[ "$have" != "$CIDR" ] || exit 0
	remove
fi
undo_unless_finished docker network rm "$network"
if ! said=$(docker network create --driver bridge --subnet "$CIDR" --label "$label=$CLUSTER" "$network" 2>&1); then
	case $said in
	*overlaps*) fail "$CIDR is in use by another network of this machine; set cidr to a free one ($said)" ;;
	*) fail "$said" ;;
	esac
fi
