#!/usr/bin/env bash
# Makes everything that a lab stands on: Terraform, a Docker Engine, the hosts' image; and brings up one host as the Terraform target docker
# does. Exit 0 when it came up, 3 with the reason when this machine cannot run labs (no root, no Docker Engine, no containers with
# systemd), 1 when something that should work did not. Prints the folder of Terraform's program on stdout.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
modules=$here/../provision/terraform/docker
# The engine first and at full priority, which every lab host inherits; what only computes yields to tests that run meanwhile.
"$here/lab-docker.sh"
terraform=$(nice -n 19 "$here/setup-terraform.sh")
image=$(nice -n 19 "$here/lab-image.sh")
"$here/lab-apt-cache.sh" >/dev/null || true # labs work without it, slower

export CLUSTER=lab-check-$$ CIDR=10.79.255.0/24 NAME=h ADDRESS=10.79.255.10 IMAGE=$image FLAVOR='' KEY='' CACHE=''
undo() {
	ACTION=destroy bash "$modules/host.sh" >/dev/null 2>&1 || true
	ACTION=destroy bash "$modules/network.sh" >/dev/null 2>&1 || true
}
trap undo EXIT
if ! said=$(ACTION=create bash "$modules/network.sh" 2>&1 && ACTION=create bash "$modules/host.sh" 2>&1); then
	echo "a container with systemd as its first process does not come up on this machine: $said" >&2
	exit 3
fi
dirname "$terraform"
