#!/usr/bin/env bash
# Prints the machine, and each figure beside its limit; ends with 1 when one misses it. bench.sh [PART...]: without a word all.
#   figures  the median of RUNS (default 5) on target local
#   edge     how fast the edge follows the controller, and whether others behind it notice (JOMCTL_BENCH_MOVES: 5)
#   dashboard  the processor time of the dashboard and of a watch with 100 Mesos agents (JOMCTL_BENCH_AGENTS), and when the page shows a change
#   images   how long a changed configuration takes to be in a registry as an image, and how much is sent. It needs root, or Docker and a
#            built lab image.
#   home     a saved job in homes of 100 and 10,000 jobs beside git itself, a restore beside `git clone`, and the property test for minutes
#            (JOMCTL_PROPERTY_SECONDS: 180)
#   backup   the second restic backup beside the first, with 1 % changed
#   drills   the standard suite of failover drills on target local with three control hosts and three Mesos agents, and the spread of
#            JOMCTL_DRILL_RUNS runs (3); it takes half an hour
#   release  the check of the links of a war of 100 MB and 70 plugins, made of Debian's jars (JOMCTL_BENCH_JARS: another folder of them)
#   upgrade  an upgrade of the controller beside stopping and starting it alone, and one that is taken back
#   redeploy an upgrade beside a redeployment whose image is pulled when the task starts, on the same lab hosts (JOMCTL_BENCH_ROUNDS: 3;
#            JOMCTL_BENCH_IMAGE_MB: 300 of each image are new; JOMCTL_BENCH_RATE: 50 MB/s from the registry). It needs what images needs.
#   ansible  an install beside Ansible's, on the same lab hosts (JOMCTL_BENCH_HOSTS: 3,10; JOMCTL_BENCH_ROUNDS: 3,1), and what each is made of. It needs root, or
#            Docker and a built lab image; it installs Debian's ansible where there is none, and takes most of an hour.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
runs=${RUNS:-5}
parts=("$@")
[ $# -gt 0 ] || parts=(figures edge dashboard images home backup drills release upgrade redeploy ansible)
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

# metrics PACKAGE BENCHMARK TIMES: runs a Go benchmark, and leaves what it reports in the file metrics, as `NAME UNIT VALUE` by line.
metrics() {
	if ! go test -run=NONE -bench="$2" -benchtime="$3" -timeout 60m "$1" >"$dir/out" 2>&1; then
		cat "$dir/out" >&2
		return 1
	fi
	awk '/^Benchmark/ {sub(/-[0-9]+$/, "", $1); for (i = 3; i < NF; i += 2) print $1, $(i + 1), $i}' "$dir/out" >"$dir/metrics"
}

# of BENCHMARK UNIT: one value of it.
of() { awk -v name="$1" -v unit="$2" '$1 == name && $2 == unit {print $3}' "$dir/metrics"; }

# share A B: A / B.
share() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f\n", a / b}'; }

# held NAME VALUE LIMIT [UNIT]
held() {
	local word=PASS
	if awk -v value="$2" -v limit="$3" 'BEGIN {exit value <= limit}'; then word=MISS missed=1; fi
	printf '%-72s %9s %-2s limit %6s  %s\n' "$1" "$2" "${4:-}" "$3" "$word"
}

# beside NAME VALUE [UNIT]: what explains the others, without a limit.
beside() { printf '%-72s %9s %s\n' "$1" "$2" "${3:-}"; }

home() {
	local one=BenchmarkOneSavedJob large small peer
	metrics ./internal/home/sync "^$one\$" 30x
	large=$one/jobs=10000 small=$one/jobs=100 peer=$one/peer
	held "a saved job of 10,000: processor time of all processes" "$(of "$large" cpu-ms/op)" 50 ms
	held "the same, of 100 jobs" "$(of "$small" cpu-ms/op)" 50 ms
	held "10,000 jobs / 100 jobs" "$(share "$(of "$large" cpu-ms/op)" "$(of "$small" cpu-ms/op)")" 1.5
	held "pushed after the debounce, of 10,000 jobs" "$(of "$large" ms-after-debounce/op)" 300 ms
	held "resident memory with 10,000 jobs" "$(of "$large" rss-MB)" 40 MB
	beside "git add -A, commit, push: processor time, of 10,000 jobs" "$(of "$peer/jobs=10000" cpu-ms/op)" ms
	beside "the same, of 100 jobs" "$(of "$peer/jobs=100" cpu-ms/op)" ms
	metrics ./internal/home/restore '^BenchmarkRestore$' 5x
	held "restore of 10,000 jobs / git clone" "$(of BenchmarkRestore restore/clone)" 1.3
	beside "restore, on the disk when it ends" "$(of BenchmarkRestore s/restore)" s
	beside "git clone" "$(of BenchmarkRestore s/clone)" s
	JOMCTL_PROPERTY_SECONDS=${JOMCTL_PROPERTY_SECONDS:-180} go test -count=1 -run='^TestWhateverHappensTheHistoryBecomesTheHome$' -v -timeout 30m ./internal/home/sync >"$dir/out" 2>&1 ||
		{ cat "$dir/out"; missed=1; }
	grep -E ' steps, |^(---|FAIL)' "$dir/out"
}

backup() {
	metrics ./internal/backup '^BenchmarkSecondBackup$' 1x
	held "second backup with 1 % changed / first" "$(of BenchmarkSecondBackup second/first)" 0.1
	beside "first, 10,000 jobs with a build each" "$(of BenchmarkSecondBackup s/first)" s
	beside "second" "$(of BenchmarkSecondBackup s/second)" s
}

release() {
	metrics ./internal/linkcheck '^BenchmarkCheck$' 3x
	if [ -z "$(of BenchmarkCheck classes)" ]; then
		echo "release: no jars to make a war of: $(grep -m 1 -i skip -A 1 "$dir/out" | tail -n 1)"
		return
	fi
	held "links of a war and 70 plugins" "$(awk -v ns="$(of BenchmarkCheck ns/op)" 'BEGIN {printf "%.2f", ns / 1e9}')" 10 s
	beside "jars in them" "$(of BenchmarkCheck MB)" MB
	beside "classes" "$(of BenchmarkCheck classes)"
	beside "links" "$(of BenchmarkCheck links)"
	beside "heap" "$(of BenchmarkCheck heapMB)" MB
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

# gaps FILE: the times without an answer of at least 100 ms, longest first, of moments in seconds one a line.
gaps() { awk 'NR > 1 && $1 - last >= 0.1 {printf "%.3f\n", $1 - last} {last = $1}' "$1" | sort -rn; }

# away NAME COMMAND...: runs the command while it asks the controller itself, again and again, and leaves the times without an answer in NAME.gaps.
away() {
	local name=$1 asking
	shift
	while :; do
		[ "$(curl -s -o /dev/null -m 1 -w '%{http_code}' http://127.92.2.21:8080/login)" != 200 ] || date +%s.%N
		sleep 0.02
	done >"$name.answers" &
	asking=$!
	"$@" >"$name.out" 2>"$name.err" || true
	kill "$asking"
	wait "$asking" 2>/dev/null || true
	gaps "$name.answers" >"$name.gaps"
}

# tasks N: waits until Marathon has so many healthy tasks of the controller, or none at all.
# shellcheck disable=SC2317 # `away` calls it
tasks() {
	local field=tasksHealthy
	[ "$1" -gt 0 ] || field=tasksRunning
	until curl -s http://127.92.2.10:8090/v2/apps//bench-up/jenkins | grep -q "\"$field\":$1[,}]"; do sleep 0.02; done
}

# shellcheck disable=SC2317 # `away` calls it
scale() { curl -s -o /dev/null -X PUT -H 'Content-Type: application/json' -d "{\"instances\":$1}" "http://127.92.2.10:8090/v2/apps//bench-up/jenkins?force=true"; }

# shellcheck disable=SC2317 # `away` calls it
stop_and_start() {
	scale 0
	tasks 0
	scale 1
	tasks 1
	sleep 1
}

# spent JOURNAL: how long a run took, and how much of it was between the ends and the beginnings of its steps.
spent() {
	awk -F'"' '{split($4, t, /[T:Z]/); now = t[2] * 3600 + t[3] * 60 + t[4]; if (now < last) day += 86400; last = now; now += day}
		$8 == "begin-run" {from = now}
		$8 == "begin" {begun = now}
		$8 == "end" {steps += now - begun}
		$8 == "end-run" {printf "%.3f %.3f\n", now - from, now - from - steps}' "$1"
}

upgrade() {
	cd "$dir"
	cat >cluster.yaml <<'EOT'
apiVersion: jomctl/v1
name: bench-up
target: local
release: previous
local: {address: 127.92.2.0}
jenkins: {cloud: {templates: [{label: mesos, idle: 2s}]}}
backup: {repository: ./backups}
EOT
	"$jomctl" install --yes --proof-sleep 1s >/dev/null 2>&1
	for _ in 1 2 3; do
		away alone stop_and_start
		head -n 1 alone.gaps >>alone.times
	done
	local alone good began n
	for n in 1 2 3; do
		away back "$jomctl" upgrade-jenkins --release default --canary-timeout 300ms --yes
		head -n 1 back.gaps >>back.times
	done
	for n in 1 2 3; do
		cp -r "$here/../bundles/default" "r$n"
		sed -i "s/^name: default$/name: r$n/" "r$n/bundle.yaml"
		began=$(date +%s.%N)
		away good "$jomctl" upgrade-jenkins --release "./r$n" --yes -o json
		head -n 1 good.gaps >>good.times
		spent "$(tail -n 1 good.out | sed 's/.*"journal":"\([^"]*\)".*/\1/')" >spent.times
		awk '{print $2}' spent.times >>between.times
		awk '{print $1 - $2}' spent.times >>steps.times
		awk -v a="$began" -v b="$(date +%s.%N)" '{printf "%.3f\n", b - a - $1}' spent.times >>around.times
	done
	alone=$(median alone.times) good=$(median good.times)
	echo "controller stopped and started alone: $alone s without an answer (median of 3)"
	figure "upgrade: last answer of the old version to the first of the new, of 3" "$good" "$(awk -v t="$alone" 'BEGIN {printf "%.2f", t * 1.15}')"
	figure "upgrade taken back: the longest time without an answer, of 3" "$(median back.times)" "$(awk -v t="$good" 'BEGIN {printf "%.2f", t * 1.5}')"
	figure "upgrade: what it took between its steps, the most of 3" "$(sort -n between.times | tail -n 1)" 3
	beside "upgrade: the steps themselves" "$(median steps.times)" s
	beside "upgrade: the command before the run and after it: looks, checks, preview" "$(median around.times)" s
	"$jomctl" destroy --yes >/dev/null 2>&1
	cd "$here/.."
}

redeploy() {
	local terraform
	terraform=$("$here/setup-terraform.sh")
	PATH=$(dirname "$terraform"):$PATH
	"$here/lab-apt-cache.sh" answers || stop+=(lab-apt-cache.sh)
	docker version >/dev/null 2>&1 || stop+=(lab-docker.sh)
	"$here/lab-docker.sh"
	JOMCTL_TEST_LAB=1 limits BenchmarkUpgradeBesideRedeploy
}

# drills prints a table of the suite; a missed target, or a cluster that does not recover, fails it.
drills() {
	JOMCTL_TEST_REAL=1 JOMCTL_TEST_DRILLS=1 go test ./e2e -count=1 -timeout 100m -v -run '^TestTheStandardSuiteThreeTimes$' || missed=1
}

machine
for part in "${parts[@]}"; do
	case $part in
	figures) figures ;;
	edge) limits BenchmarkEdgeFollowsTheController ;;
	dashboard) limits BenchmarkDashboard ;;
	images) images ;;
	home) home ;;
	backup) backup ;;
	drills) drills ;;
	release) release ;;
	upgrade) upgrade ;;
	redeploy) redeploy ;;
	ansible) ansible ;;
	*)
		echo "bench.sh knows figures, edge, dashboard, images, home, backup, drills, release, upgrade, redeploy and ansible, not $part" >&2
		exit 2
		;;
	esac
done
exit "$missed"
