package terraform

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func TestAHostKeepsItsNumberForLife(t *testing.T) {
	numbers := func(hosts []HostVar) map[string]int {
		all := map[string]int{}
		for _, h := range hosts {
			all[h.Name] = h.Number
		}
		return all
	}
	first := Number([]HostVar{{Name: "m1"}, {Name: "a1"}, {Name: "a2"}}, nil)
	require.Equal(t, map[string]int{"m1": 1, "a1": 2, "a2": 3}, numbers(first))

	have := []Host{{Name: "m1", Number: 1}, {Name: "a1", Number: 2}, {Name: "a2", Number: 3}}
	next := Number([]HostVar{{Name: "a3"}, {Name: "m1"}, {Name: "a2"}}, have)
	require.Equal(t, map[string]int{"m1": 1, "a2": 3, "a3": 4}, numbers(next), "the number of a host that goes is free only when it is gone")

	chosen := Number([]HostVar{{Name: "m1", Number: 2}, {Name: "a1"}, {Name: "a2"}}, nil)
	require.Equal(t, map[string]int{"m1": 2, "a1": 1, "a2": 3}, numbers(chosen))
}

func TestAPrivateKeyIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	o := Options{Dir: filepath.Join(t.TempDir(), "terraform"), Target: "docker", Variables: Variables{SSHPublicKey: "-----BEGIN OPENSSH PRIVATE KEY-----"}}
	_, err := New(t.Context(), o)
	require.ErrorContains(t, err, ".pub")
	require.NoDirExists(t, o.Dir)
	_, err = New(t.Context(), Options{Target: "gce"})
	require.ErrorContains(t, err, `target "gce" has no Terraform module`)
}

func TestTerraformIsFoundOrTheWayToItIsTold(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	t.Setenv("GOBIN", filepath.Join(dir, "gobin"))
	_, err := find(context.Background(), "")
	var missing *ProgramError
	require.ErrorAs(t, err, &missing)
	require.ErrorContains(t, err, "no terraform on PATH")
	require.Contains(t, missing.Hint(), "go install github.com/hashicorp/terraform@v"+Pinned)

	fake := func(path, version string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		text := "#!/bin/sh\necho '{\"terraform_version\": \"" + version + "\", \"platform\": \"linux_amd64\", \"provider_selections\": {}}'\n"
		require.NoError(t, os.WriteFile(path, []byte(text), 0o755))
	}
	fake(filepath.Join(dir, "terraform"), "1.4.7")
	_, err = find(context.Background(), "")
	require.ErrorAs(t, err, &missing)
	require.ErrorContains(t, err, "is Terraform 1.4.7, and 1.5.0 or newer is needed")

	built := filepath.Join(dir, "gobin", "terraform")
	fake(built, "1.5.7")
	path, err := find(context.Background(), "")
	require.NoError(t, err)
	require.Equal(t, built, path, "an old one on PATH does not hide a good one")

	fake(filepath.Join(dir, "terraform"), "1.11.4")
	path, err = find(context.Background(), "")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "terraform"), path)

	_, err = find(context.Background(), filepath.Join(dir, "nowhere"))
	require.ErrorAs(t, err, &missing)
	require.ErrorContains(t, err, "nowhere")
}
