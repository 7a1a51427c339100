package contract

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDifferences(t *testing.T) {
	want := shape{
		types: map[string][]string{
			"$": {"object"}, "$.list": {"array"}, "$.list[]": {"object"}, "$.list[].id": {"string"}, "$.list[].port": {"number"},
			"$.attributes": {"object"}, "$.attributes.*": {"number", "string"},
		},
		optional: map[string]bool{"$.list[].port": true, "$.attributes.*": true},
	}
	cases := []struct {
		body string
		want []string
	}{
		{`{"list":[{"id":"a"},{"id":"b","port":1}],"attributes":{"x":"y","n":2}}`, nil},
		{`{"list":[],"attributes":{}}`, nil},
		{`{"list":[{"id":"a"},{"port":1}],"attributes":{}}`, []string{"$.list[].id is missing"}},
		{`{"list":[{"id":1}],"attributes":{}}`, []string{"$.list[].id is number, recorded as string"}},
		{`{"list":[],"attributes":{"x":null},"new":true}`, []string{"$.attributes.* is null, recorded as number or string", "$.new is not in the recordings"}},
		{`{"attributes":{}}`, []string{"$.list is missing"}},
		{`{`, []string{"unexpected end of JSON input"}},
	}
	for _, c := range cases {
		require.Equal(t, c.want, differences(want, []byte(c.body), nil), c.body)
	}
	require.Empty(t, differences(want, []byte(`{"list":[],"attributes":{},"new":{"a":1}}`), []string{".new"}))
}
