#!/usr/bin/env bash
# Prints the machine, and each figure beside its limit; ends with 1 when one misses it. bench.sh [figures] [edge] [images] [ansible]: without a word all.
#   figures  the median of RUNS (default 5) on target local
#   edge     how fast the edge follows the controller, and whether others behind it notice (JOMCTL_BENCH_MOVES: 5)
#   images   how long a changed configuration takes to be in a registry as an image, and how much is sent. It needs root, or Docker and a
#            built lab image.
#   ansible  an install beside Ansible's, on the same lab hosts (JOMCTL_BENCH_HOSTS: 3,10; JOMCTL_BENCH_ROUNDS: 3,1), and what each is made of. It needs root, or
#            Docker and a built lab image; it installs Debian's ansible where there is none, and takes most of an hour.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
runs=${RUNS:-5}
parts=("$@")
[ $# -gt 0 ] || parts=(figures edge images ansible)
missed=0
jomctl=$PWD/bin/jomctl
dir=$(mktemp -d "${TMPDIR:-/tmp}/jomctl-bench-XXXXXX")
# Only what this run starts is ended by it.
stop=()
# shellcheck disable=SC2317 # the trap calls it
finish() {
	local script
	if [ -d "$dir/.jomctl" ]; then (cd "$dir" && "$jomctl" destroy --yes >/dev/null 2>&1) || true; fi
	rm -rf "$dir"
	for script in "${stop[@]}"; do "$here/$script" stop; done
}
trap finish EXIT

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

# figure NAME SECONDS LIMIT
figure() {
	local word=PASS
	if awk -v value="$2" -v limit="$3" 'BEGIN {exit value <= limit}'; then word=MISS missed=1; fi
	printf '%-72s %9s s  limit %6s  %s\n' "$1" "$2" "$3" "$word"
}

figures() {
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
	figure "install with five builds of 5 s, idle 5 s" "$(median install.times)" 60
	figure "second install, nothing to do" "$(median again.times)" 2
	figure "status" "$(median status.times)" 0.3
	figure "jomctl --help" "$(median help.times)" 0.05
	cd "$here/.."
	go test -run=NONE -bench=. -benchtime=1x -count="$runs" -timeout 20m ./internal/standin/... | grep -E '^(Benchmark|FAIL|panic)' || true
}

# limits NAME: a benchmark that judges itself.
limits() {
	JOMCTL_BENCH_BIN=$PWD/bin go test -run=NONE -bench="^$1\$" -benchtime=1x -timeout 3h ./e2e/bench || missed=1
}

ansible() {
	local terraform
	"$here/lab-packages.sh" ansible:ansible-playbook openssh-client:ssh-keyscan
	terraform=$("$here/setup-terraform.sh")
	PATH=$(dirname "$terraform"):$PATH
	"$here/lab-apt-cache.sh" answers || stop+=(lab-apt-cache.sh)
	docker version >/dev/null 2>&1 || stop+=(lab-docker.sh)
	"$here/lab-docker.sh"
	JOMCTL_TEST_LAB=1 limits BenchmarkInstallBesideAnsible
}

images() {
	"$here/lab-apt-cache.sh" answers || stop+=(lab-apt-cache.sh)
	docker version >/dev/null 2>&1 || stop+=(lab-docker.sh)
	"$here/lab-docker.sh"
	"$here/lab-image.sh" >/dev/null
	printf 'FROM jomctl-lab:bookworm\nRUN echo %s >/etc/lab-apt-cache\n' "$("$here/lab-apt-cache.sh" || true)" | docker build -q -t jomctl-lab/base:1 - >/dev/null
	JOMCTL_BENCH_BASE=jomctl-lab/base:1 limits BenchmarkChangedConfiguration
}

machine
for part in "${parts[@]}"; do
	case $part in
	figures) figures ;;
	edge) limits BenchmarkEdgeFollowsTheController ;;
	images) images ;;
	ansible) ansible ;;
	*)
		echo "bench.sh knows figures, edge, images and ansible, not $part" >&2
		exit 2
		;;
	esac
done
exit "$missed"
