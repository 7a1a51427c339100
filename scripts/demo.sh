#!/usr/bin/env bash
# Installs target local in ./demo (or DEMO_DIR) and shows its status.
set -euo pipefail

dir=${DEMO_DIR:-demo}
jomctl=$PWD/bin/jomctl
mkdir -p "$dir"
cd "$dir"
if [ -f cluster.yaml ]; then
	"$jomctl" install --yes
else
	"$jomctl" install --name demo --target local --yes
fi
"$jomctl" status
echo "look around:  cd $dir && ../bin/jomctl status --watch      end it:  ../bin/jomctl destroy" >&2
