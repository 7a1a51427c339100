package terraform

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// engineOf is an engine with these containers and networks.
func engineOf(names ...string) engine {
	return func(context.Context) ([]string, error) { return names, nil }
}

func TestAMachineThatSomebodyHasRemovedIsMadeAgain(t *testing.T) {
	d := startTiny(t, tinyOptions(t, "m1", "a1"))
	d.engine = engineOf()
	first, err := d.Plan(t.Context())
	require.NoError(t, err)
	require.Len(t, first.Create, 3, "what was never made is not lost")
	require.NoError(t, d.Apply(t.Context(), first))

	d.engine = engineOf("ci", "ci-m1", "ci-a1", "other")
	p, err := d.Plan(t.Context())
	require.NoError(t, err)
	require.True(t, p.Empty(), p.Text())
	require.NoError(t, p.Discard())

	d.engine = engineOf("ci", "ci-m1")
	p, err = d.Plan(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{`terraform_data.host["a1"]`}, p.Create)
	require.Empty(t, p.Replace, "there is nothing to lose")
	require.NoError(t, d.Apply(t.Context(), p))

	d.engine = func(context.Context) ([]string, error) { return nil, errors.New("no engine answers") }
	p, err = d.Plan(t.Context())
	require.NoError(t, err)
	require.True(t, p.Empty(), "nobody knows, so nothing is lost")
	require.NoError(t, p.Discard())
}

func TestALostNetworkGoesWithItsMachines(t *testing.T) {
	o := tinyOptions(t, "m1", "a1")
	d := startTiny(t, o)
	apply(t, d)
	d.engine = engineOf("x")
	lost, err := d.lost(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{`terraform_data.host["m1"]`, `terraform_data.host["a1"]`, "terraform_data.network"}, lost)

	o.Variables.Hosts = o.Variables.Hosts[:1]
	less := startTiny(t, o)
	less.engine = engineOf("ci", "ci-m1")
	lost, err = less.lost(t.Context())
	require.NoError(t, err)
	require.Empty(t, lost, "a1 is not wanted any more")
}
