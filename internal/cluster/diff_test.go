package cluster

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDiff(t *testing.T) {
	for name, c := range map[string]struct {
		doc, app string
		want     []string
	}{
		"server defaults are no difference": {
			`{"id":"/a","cmd":"x","cpus":1,"mem":128}`,
			`{"id":"/a","cmd":"x","cpus":1.0,"mem":128.0,"disk":0.0,"labels":{},"instances":1,"executor":"","version":"v"}`, nil,
		},
		"relative id": {`{"id":"a"}`, `{"id":"/a"}`, nil},
		"number":      {`{"mem":2048}`, `{"mem":1400.0}`, []string{"mem: 1400, want 2048"}},
		"what the server leaves out when empty": {
			`{"env":{},"constraints":[],"healthChecks":[],"executor":"","requirePorts":false}`, `{}`, nil,
		},
		"null says nothing":     {`{"cmd":null}`, `{"args":[]}`, nil},
		"env dropped a key":     {`{"env":{"A":"1"}}`, `{"env":{"A":"1","B":"2"}}`, []string{`env.B: "2", want none`}},
		"env gone from the doc": {`{"id":"/a"}`, `{"id":"/a","env":{"A":"1"}}`, []string{`env: {"A":"1"}, want none`}},
		"constraints in any order": {
			`{"constraints":[["rack","CLUSTER","r1"],["hostname","CLUSTER","h"]]}`, `{"constraints":[["hostname","CLUSTER","h"],["rack","CLUSTER","r1"]]}`, nil,
		},
		"constraint gone":            {`{}`, `{"constraints":[["hostname","CLUSTER","h"]]}`, []string{`constraints: [["hostname","CLUSTER","h"]], want none`}},
		"list of another length":     {`{"args":["a"]}`, `{"args":["a","b"]}`, []string{`args: ["a","b"], want ["a"]`}},
		"port chosen by Marathon":    {`{"portDefinitions":[{"port":0}]}`, `{"portDefinitions":[{"port":10000,"protocol":"tcp"}]}`, nil},
		"fixed port":                 {`{"portDefinitions":[{"port":8080}]}`, `{"portDefinitions":[{"port":10000}]}`, []string{"portDefinitions[0].port: 10000, want 8080"}},
		"inside a health check":      {`{"healthChecks":[{"protocol":"COMMAND","gracePeriodSeconds":60}]}`, `{"healthChecks":[{"protocol":"COMMAND","gracePeriodSeconds":30,"timeoutSeconds":20}]}`, []string{"healthChecks[0].gracePeriodSeconds: 30, want 60"}},
		"string in place of map":     {`{"unreachableStrategy":{"inactiveAfterSeconds":0}}`, `{"unreachableStrategy":"disabled"}`, []string{`unreachableStrategy: "disabled", want {"inactiveAfterSeconds":0}`}},
		"zero against absent":        {`{"taskKillGracePeriodSeconds":30}`, `{}`, []string{"taskKillGracePeriodSeconds: none, want 30"}},
		"true against absent":        {`{"requirePorts":true}`, `{}`, []string{"requirePorts: none, want true"}},
		"nested value in the labels": {`{"labels":{"a":"b"}}`, `{"labels":{"a":"c"}}`, []string{`labels.a: "c", want "b"`}},
	} {
		lines, err := Diff([]byte(c.doc), []byte(c.app))
		require.NoError(t, err, name)
		assert.Equal(t, c.want, lines, name)
	}
	_, err := Diff([]byte("{"), []byte("{}"))
	assert.ErrorContains(t, err, "read the app document")
	_, err = Diff([]byte("{}"), []byte("x"))
	assert.ErrorContains(t, err, "read the deployed app")
}
