package core

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGroups(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	shop := `{"id":"/shop","apps":[{"id":"db","cmd":"sleep 1000","cpus":0.1,"mem":32},{"id":"web","cmd":"sleep 1000","cpus":0.1,"mem":32,"dependencies":["db"],"instances":2}],
		"groups":[{"id":"sub","apps":[{"id":"x","cmd":"sleep 1000","cpus":0.1,"mem":32,"dependencies":["/shop/web"]}]}]}`
	_, err := r.core.CreateGroup("/", []byte(shop), Request{})
	require.NoError(t, err)
	r.idle("create")
	g, err := r.core.Group("/shop", GroupEmbed{Groups: true, Apps: true})
	require.NoError(t, err)
	assert.Len(t, g.Apps, 2)
	require.Len(t, g.Groups, 1)
	assert.Equal(t, "/shop/sub", g.Groups[0].ID)
	assert.Len(t, r.mesos.Running(), 4)
	steps, err := r.core.DryRunGroup("/shop", []byte(`{"apps":[{"id":"db","cmd":"sleep 1000","cpus":0.2,"mem":32},{"id":"web","cmd":"sleep 1000","cpus":0.1,"mem":32,"dependencies":["db"],"instances":3}]}`))
	require.NoError(t, err)
	assert.Equal(t, []Step{{Actions: []Action{{"RestartApplication", "/shop/db"}}}, {Actions: []Action{{"RestartApplication", "/shop/web"}}}}, steps,
		"ports are not assigned in a dry run, so web counts as changed: the real program says the same")
	assert.Len(t, r.mesos.Running(), 4, "a dry run changes nothing")
	_, err = r.core.UpdateGroup("/shop", []byte(`{"scaleBy":2}`), Request{})
	require.NoError(t, err)
	r.idle("scale")
	assert.Equal(t, 4, r.app("/shop/web").Instances)
	_, err = r.core.UpdateGroup("/shop", []byte(`{"apps":null,"groups":null}`), Request{})
	require.NoError(t, err)
	assert.Equal(t, 4, r.app("/shop/web").Instances, "nulls keep")
	_, err = r.core.UpdateGroup("/shop", []byte(`{"apps":[],"groups":[]}`), Request{})
	require.NoError(t, err)
	r.idle("emptied")
	assert.Empty(t, r.mesos.Running())
	g, err = r.core.Group("/shop", GroupEmbed{Groups: true, Apps: true})
	require.NoError(t, err)
	assert.Empty(t, g.Apps)
	_, err = r.core.DeleteGroup("/shop", Request{})
	require.NoError(t, err)
	_, err = r.core.Group("/shop", GroupEmbed{})
	assert.EqualError(t, err, "Group '/shop' does not exist")
	for body, text := range map[string]string{
		`{"apps":[]}`:      "Group / is already created. Use PUT to change this group.",
		`{"id":"/Bad_Id"}`: "error.pattern",
		`{"id":"/abs","apps":[{"id":"/elsewhere/x","cmd":"sleep 1","cpus":0.1}]}`:                                                "Identifier is not child of '/abs'",
		`{"id":"/cyc","apps":[{"id":"a","cmd":"sleep 1","dependencies":["b"]},{"id":"b","cmd":"sleep 1","dependencies":["a"]}]}`: "Dependency graph has cyclic dependencies.",
		`{"id":"/p","pods":[{"id":"x"}]}`:        "does not do pods",
		`{"version":"2020-01-01T00:00:00.000Z"}`: "does not do the return of a group to a version",
	} {
		_, err := r.core.CreateGroup("/", []byte(body), Request{})
		assert.ErrorContains(t, err, text, body)
	}
}
