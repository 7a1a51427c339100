package master

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAppendJSON(t *testing.T) {
	value := object{
		"b": []object{{"x": double(2)}, {}}, "a": "q\"\\\n\u00e9\x7f", "c": []string{"one", "t\two"}, "d": true, "e": 1, "f": int32(-2), "g": uint32(3),
		"h": ready(`{"r":[]}`), "i": []string{}, "j": 1.5, "k": object{},
	}
	out := appendJSON(nil, value)
	require.True(t, json.Valid(out), "%s", out)
	require.Contains(t, string(out), `"b":[{"x":2.0},{}]`)
	require.Contains(t, string(out), `"h":{"r":[]},"i":[],"j":1.5,"k":{}`)
	var back map[string]any
	require.NoError(t, json.Unmarshal(out, &back))
	require.Equal(t, value["a"], back["a"])
	require.Equal(t, []any{"one", "t\two"}, back["c"])
	require.Panics(t, func() { appendJSON(nil, struct{}{}) })
}
