#!/usr/bin/env bash
# Prints the path of a Terraform, 1.5 or newer: the one on PATH, or else one that Go builds from the last release under the Mozilla
# licence (about four minutes, once; it stays in Go's bin folder).
set -euo pipefail

version=1.5.7
usable() {
	local have
	have=$("$1" version -json 2>/dev/null | sed -n 's/.*"terraform_version": "\([0-9]*\)\.\([0-9]*\)\..*/\1 \2/p')
	[ -n "$have" ] && awk -v have="$have" 'BEGIN {split(have, v, " "); exit !(v[1] > 1 || (v[1] == 1 && v[2] >= 5))}'
}

if found=$(command -v terraform) && usable "$found"; then
	echo "$found"
	exit 0
fi
built=$(go env GOBIN)
[ -n "$built" ] || built=$(go env GOPATH | cut -d: -f1)/bin
if ! usable "$built/terraform"; then
	echo "building Terraform $version with Go, about four minutes" >&2
	go install "github.com/hashicorp/terraform@v$version" >&2
	usable "$built/terraform" || {
		echo "$built/terraform was built, but does not run" >&2
		exit 1
	}
fi
echo "$built/terraform"
