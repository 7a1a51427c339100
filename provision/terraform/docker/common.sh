# shellcheck shell=bash
# What host.sh and network.sh share. They set `what`, such as "host m1".
label=org.jomctl.cluster

fail() {
	echo "${what:-docker}: $*" >&2
	exit 1
}

# owner KIND NAME: the cluster that the object of that kind belongs to, an empty line for one that no cluster made; fails where
# there is none of that name.
owner() {
	local labels=.Labels
	[ "$1" != container ] || labels=.Config.Labels
	docker inspect --type "$1" --format "{{with $labels}}{{index . \"$label\"}}{{end}}" "$2" 2>/dev/null
}

need_engine() {
	docker version --format '{{.Server.Version}}' >/dev/null 2>&1 ||
		fail "no Docker Engine answers (${DOCKER_HOST:-the default socket}); start it, or set DOCKER_HOST"
}

# undo_unless_finished COMMAND...: runs the command when this process ends without success. A provisioner that fails taints its
# resource, and the destroy provisioner of a tainted one never runs, so what a failed start made must go at once. Terraform ends
# an interrupted provisioner with SIGKILL, which no trap sees: a helper in a session of its own reads from a pipe that this
# process and what it starts hold, and acts when the pipe ends without a word.
undo_unless_finished() {
	# shellcheck disable=SC2016 # expanded by the helper
	exec 8> >(setsid bash -c 'read -r word || true; [ "$word" = finished ] || "$@"' undo "$@" >/dev/null 2>&1)
	# shellcheck disable=SC2064,SC2154 # the command is known now
	trap "code=\$?; [ \$code -eq 0 ] || $(printf '%q ' "$@") || true; echo finished >&8; exit \$code" EXIT
	trap 'exit 130' INT TERM
}
