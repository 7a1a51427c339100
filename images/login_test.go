package images

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPushWithAnAccount(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("DOCKER_HOST", "")
	program, log, seen := filepath.Join(dir, "docker"), filepath.Join(dir, "log"), filepath.Join(dir, "seen")
	require.NoError(t, os.WriteFile(program, []byte(`#!/bin/sh
echo "$@" >>`+log+`
case "$*" in
"context inspect"*) echo unix:///run/other.sock ;;
"--config "*" push "*) stat -c %a "$2/config.json" >`+seen+`; cat "$2/config.json" >>`+seen+`; test ! -e `+dir+`/refuse || { echo "unauthorized: authentication required" >&2; exit 1; } ;;
"image inspect"*) for last; do :; done; echo "${last%:*}@sha256:12" ;;
esac
`), 0o700))
	login := Login{Registry: "registry.example:443", User: "ci", Password: "s3cret"}
	got, err := Docker{Program: program}.Push(t.Context(), "jomctl/agent:1", "registry.example:443", login)
	require.NoError(t, err)
	require.Equal(t, "registry.example:443/jomctl/agent@sha256:12", got)
	text, err := os.ReadFile(seen)
	require.NoError(t, err)
	require.Equal(t, "600\n"+`{"auths":{"registry.example:443":{"auth":"Y2k6czNjcmV0"}}}`+"\n", string(text))
	calls, err := os.ReadFile(log)
	require.NoError(t, err)
	require.NotContains(t, string(calls), "s3cret")
	require.Contains(t, string(calls), "--host unix:///run/other.sock push registry.example:443/jomctl/agent:1", "the engine is the one of the context")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "refuse"), nil, 0o600))
	_, err = Docker{Program: program}.Push(t.Context(), "jomctl/agent:1", "registry.example:443", login)
	require.ErrorContains(t, err, "unauthorized")
	left, err := filepath.Glob(filepath.Join(dir, "jomctl-docker-*"))
	require.NoError(t, err)
	require.Empty(t, left, "%s", strings.Join(left, " "))
}
