package contract

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

//go:embed testdata/shapes.json
var shapes []byte

func shape(t testing.TB, name string) any {
	var all map[string]any
	require.NoError(t, json.Unmarshal(shapes, &all))
	want, ok := all[name]
	require.True(t, ok, "no recorded shape %s", name)
	return want
}

// requireShape compares field names and types with a recorded answer; values do not count, and null fits everything.
func requireShape(t testing.TB, name string, got Answer) {
	t.Helper()
	require.Equal(t, 200, got.Status, "%s: %s", name, got.Body)
	require.Contains(t, got.Header.Get("Content-Type"), "application/json", name)
	var value any
	require.NoError(t, json.Unmarshal([]byte(got.Body), &value), got.Body)
	var diffs []string
	compare("", shape(t, name), value, &diffs)
	require.Empty(t, diffs, "%s differs from the recording:\n%s\ngot %s", name, strings.Join(diffs, "\n"), got.Body)
}

func compare(path string, want, got any, diffs *[]string) {
	if want == nil || got == nil {
		return
	}
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			*diffs = append(*diffs, fmt.Sprintf("%s: want an object, got %v", path, got))
			return
		}
		compareObjects(path, w, g, diffs)
	case []any:
		g, ok := got.([]any)
		if !ok {
			*diffs = append(*diffs, fmt.Sprintf("%s: want a list, got %v", path, got))
			return
		}
		compareLists(path, w, g, diffs)
	default:
		if fmt.Sprintf("%T", want) != fmt.Sprintf("%T", got) {
			*diffs = append(*diffs, fmt.Sprintf("%s: want %T, got %T", path, want, got))
		}
	}
}

func compareObjects(path string, want, got map[string]any, diffs *[]string) {
	if want["_class"] != got["_class"] {
		*diffs = append(*diffs, fmt.Sprintf("%s: want class %v, got %v", path, want["_class"], got["_class"]))
		return
	}
	var names []string
	for k := range want {
		names = append(names, k)
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			*diffs = append(*diffs, path+"/"+k+": not in the recording")
		}
	}
	sort.Strings(names)
	for _, k := range names {
		g, ok := got[k]
		if !ok {
			*diffs = append(*diffs, path+"/"+k+": missing")
			continue
		}
		compare(path+"/"+k, want[k], g, diffs)
	}
}

// compareLists compares each member with the recorded one of its class.
func compareLists(path string, want, got []any, diffs *[]string) {
	for i, g := range got {
		for _, w := range want {
			if class(w) == class(g) {
				compare(fmt.Sprintf("%s[%d]", path, i), w, g, diffs)
				break
			}
		}
	}
}

func class(v any) any {
	if m, ok := v.(map[string]any); ok {
		return m["_class"]
	}
	return nil
}

// field reads a text from a JSON object.
func field(t testing.TB, text string, path ...string) string {
	t.Helper()
	return fmt.Sprint(value(t, text, path...))
}

func value(t testing.TB, text string, path ...string) any {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	for _, p := range path {
		m, ok := v.(map[string]any)
		require.True(t, ok, "%s in %s", p, text)
		v = m[p]
	}
	return v
}
