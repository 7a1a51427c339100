#!/usr/bin/env bash
# lab-up.sh NAME [HOSTS] [CIDR]: brings up a lab of containers that behave as machines (default 3 hosts in 10.77.0.0/24) with the
# Terraform target docker. The first is a control host, the others are Mesos agents. Prints the inventory as JSON on stdout and how
# to log in on stderr. lab-down.sh NAME removes everything.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
name=${1:?usage: lab-up.sh NAME [HOSTS] [CIDR]}
count=${2:-3}
cidr=${3:-10.77.0.0/24}
lab=${JOMCTL_LAB_STATE:-/var/lib/jomctl-lab}/labs/$name
terraform=$("$here/setup-terraform.sh")

"$here/lab-image.sh" >/dev/null
cache=$("$here/lab-apt-cache.sh") || cache=
mkdir -p "$lab"
chmod 700 "$lab"
[ -f "$lab/id_ed25519" ] || ssh-keygen -q -t ed25519 -N '' -C "lab $name" -f "$lab/id_ed25519"
hosts='{"name":"m1","number":1,"roles":["control"]}'
for ((i = 1; i < count; i++)); do
	hosts+=",{\"name\":\"a$i\",\"number\":$((i + 20)),\"roles\":[\"mesos-agent\"],\"attributes\":{\"rack\":\"r$i\"}}"
done
cat >"$lab/terraform.tfvars.json" <<VARS
{"cluster": "$name", "hosts": [$hosts], "cidr": "$cidr", "ssh_public_key": "$(cat "$lab/id_ed25519.pub")", "options": {"apt_cache": "$cache"}}
VARS
cp "$here/../provision/terraform/docker/"* "$lab/"
"$terraform" "-chdir=$lab" init -input=false -no-color >&2
"$terraform" "-chdir=$lab" apply -input=false -no-color -auto-approve >&2
"$terraform" "-chdir=$lab" output -json inventory
echo "log in with: ssh -i $lab/id_ed25519 admin@ADDRESS (or root@ADDRESS)" >&2
