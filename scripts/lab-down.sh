#!/usr/bin/env bash
# lab-down.sh NAME: removes the containers, volumes, network, key and state of a lab that lab-up.sh made.
set -euo pipefail

name=${1:?usage: lab-down.sh NAME}
lab=${JOMCTL_LAB_STATE:-/var/lib/jomctl-lab}/labs/$name
[ -d "$lab" ] || {
	echo "there is no lab $name" >&2
	exit 0
}
terraform=$("$(dirname "$0")/setup-terraform.sh")
"$terraform" "-chdir=$lab" destroy -input=false -no-color -auto-approve >&2
rm -rf "$lab"
