#!/usr/bin/env bash
# build-providers.sh DIR [aws|openstack|moto]... builds the Terraform providers of the cloud modules with Go into DIR, a filesystem mirror
# for JOMCTL_TEST_PROVIDERS, for places where the registry of Terraform cannot be reached. Where it can, `terraform providers mirror DIR`
# brings the providers themselves. About 2 minutes of one core for openstack and 8 for aws, of which only what belongs to EC2 is built;
# moto is the stand-in of AWS for the test that makes and removes hosts.
set -euo pipefail

[ $# -ge 1 ] || {
	sed -n '2,5s/^# //p' "$0" >&2
	exit 2
}
mkdir -p "$1"
mirror=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- openstack aws moto
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
arch=$(go env GOOS)_$(go env GOARCH)

# copied MODULE@VERSION unpacks a module, which Go verifies, where it may be changed.
copied() {
	local dir
	dir=$(cd "$work" && go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
	[ -n "$dir" ] || {
		echo "Go cannot get $1" >&2
		exit 1
	}
	mkdir "$work/source"
	cp -r "$dir/." "$work/source"
	chmod -R u+w "$work/source"
}

# built SOURCE VERSION builds the program in the copy into its place in the mirror.
built() {
	local to="$mirror/registry.terraform.io/$1/$2/$arch"
	mkdir -p "$to"
	(cd "$work/source" && nice -n 10 go build -ldflags '-s -w' -o "$to/terraform-provider-${1#*/}_v$2" .)
	rm -rf "$work/source"
	echo "$to" >&2
}

openstack() {
	copied github.com/terraform-provider-openstack/terraform-provider-openstack@v1.54.1
	built terraform-provider-openstack/openstack 1.54.1
}

# The whole provider knows 260 services and takes hours; the module needs one, which leans on a few others.
aws() {
	copied github.com/hashicorp/terraform-provider-aws@v1.60.1-0.20260602190131-5f2286d6d836
	local keep='ec2|kms|meta|organizations|s3|sts' used
	sed -i -E "/internal\/service\/($keep)\"|^\t\t($keep)\.ServicePackage/!{/internal\/service\/|ServicePackage\(ctx\),/d}" \
		"$work/source/internal/provider/sdkv2/service_packages_gen.go"
	used=$(cd "$work/source" && grep -rhoE '\.[A-Z][A-Za-z0-9]+Client\(' --include='*.go' \
		internal/service/{ec2,kms,meta,organizations,s3,s3control,sts} internal/{conns,provider,sweep,tags,tfresource} | tr -d '.(' | sort -u)
	clients "$used" "$work/source/internal/conns/awsclient_gen.go"
	built hashicorp/aws 6.47.1
}

# clients NAMES FILE leaves those of the functions for clients that are used, and what they import.
clients() {
	awk -v used="$1" '
		BEGIN { n = split(used, list, "\n"); for (i = 1; i <= n; i++) keep[list[i]] = 1 }
		/^func \(c \*AWSClient\) / { name = $4; sub(/\(.*/, "", name); inside = 1 }
		!inside { head[++heads] = $0 }
		inside && (name in keep) { body = body $0 "\n" }
		/^}/ { inside = 0 }
		END {
			for (i = 1; i <= heads; i++) {
				line = head[i]
				if (line ~ /aws-sdk-go-v2\/service\//) {
					what = line; sub(/"$/, "", what); sub(/.*\//, "", what)
					if (line ~ /^\t[a-z0-9_]+ "/) { what = line; sub(/^\t/, "", what); sub(/ .*/, "", what) }
					if (index(body, "*" what ".") == 0) continue
				}
				print line
			}
			printf "%s", body
		}' "$2" >"$2.new"
	mv "$2.new" "$2"
	gofmt -l "$2" >/dev/null
}

moto() {
	python3 -m venv "$mirror/moto"
	"$mirror/moto/bin/pip" install -q 'moto[ec2,server]'
}

for what in "$@"; do
	case $what in
	openstack | aws | moto) "$what" ;;
	*)
		echo "$what: must be openstack, aws or moto" >&2
		exit 2
		;;
	esac
done
