#!/usr/bin/env bash
# Prints the machine and the median of RUNS (default 5) for each figure. Nothing here is a test: no figure fails the run.
set -euo pipefail

runs=${RUNS:-5}
jomctl=$PWD/bin/jomctl
dir=$(mktemp -d "${TMPDIR:-/tmp}/jomctl-bench-XXXXXX")
trap 'cd "$dir" && "$jomctl" destroy --yes >/dev/null 2>&1; rm -rf "$dir"' EXIT

machine() {
	echo "machine: $(nproc) cores, $(awk '/MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
	echo "load:    $(cut -d' ' -f1-3 /proc/loadavg); $(go version)"
}

# seconds COMMAND...: how long it takes, in seconds.
seconds() {
	local begin end
	begin=$(date +%s.%N)
	"$@" >"$dir/out" 2>"$dir/err" || { cat "$dir/err" >&2; return 1; }
	end=$(date +%s.%N)
	awk -v a="$begin" -v b="$end" 'BEGIN {printf "%.3f\n", b - a}'
}

median() { sort -n "$1" | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

figure() { printf '%-58s %10s   limit %s\n' "$1" "$2" "$3"; }

machine
cd "$dir"
cat >cluster.yaml <<'EOF'
apiVersion: jomctl/v1
name: bench
target: local
local: {address: 127.92.1.0}
jenkins: {cloud: {templates: [{label: mesos, idle: 5s}]}}
EOF
for _ in $(seq "$runs"); do
	seconds "$jomctl" install --yes --proof-sleep 5s >>install.times
	seconds "$jomctl" install --yes >>again.times
	seconds "$jomctl" status -o json >>status.times
	seconds "$jomctl" --help >>help.times
	"$jomctl" destroy --yes >/dev/null 2>&1
done
figure "install with five builds of 5 s, idle 5 s (s)" "$(median install.times)" "60"
figure "second install, nothing to do (s)" "$(median again.times)" "2"
figure "status (s)" "$(median status.times)" "0.3"
figure "jomctl --help (s)" "$(median help.times)" "0.05"
cd "$OLDPWD"
go test -run=NONE -bench=. -benchtime=1x -count="$runs" -timeout 20m ./internal/standin/... | grep -E '^(Benchmark|FAIL|panic)' || true
