package contract

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// recordings holds the field sets of a real Mesos 1.11, one file per answer or event: `path type [optional]` per line,
// where [] is an element of an array and * any key. A field is optional when a recorded parent was without it.
//
//go:embed testdata
var recordings embed.FS

// shape is a field set: types by path, and the paths that may be absent.
type shape struct {
	types    map[string][]string
	optional map[string]bool
}

// dynamic are the objects whose keys are data.
func dynamic(name string) bool {
	return slices.Contains([]string{"attributes", "flags", "reserved_resources", "reserved_resources_full"}, name)
}

func recordedShape(t testing.TB, name string) shape {
	t.Helper()
	text, err := recordings.ReadFile("testdata/" + name + ".shape")
	require.NoError(t, err)
	s := shape{types: map[string][]string{}, optional: map[string]bool{}}
	for line := range strings.Lines(string(text)) {
		parts := strings.Fields(line)
		s.types[parts[0]] = strings.Split(parts[1], "|")
		s.optional[parts[0]] = len(parts) > 2
	}
	return s
}

// requireShape fails when the JSON lacks a field that the real program always has there, has one of another type, or has
// one that the real program never showed. allowed are name endings of fields that an answer may have beyond the recordings.
func requireShape(t testing.TB, name string, body []byte, allowed ...string) {
	t.Helper()
	require.Empty(t, differences(recordedShape(t, name), body, allowed), "%s differs from the recordings: %.400s", name, body)
}

func differences(want shape, body []byte, allowed []string) []string {
	var tree any
	if err := json.Unmarshal(body, &tree); err != nil {
		return []string{err.Error()}
	}
	w := walker{counts: map[string]int{}, types: map[string]map[string]bool{}}
	w.walk("$", tree)
	var out []string
	for path, types := range w.types {
		known, ok := want.types[path]
		extra := slices.ContainsFunc(allowed, func(end string) bool {
			return strings.HasSuffix(path, end) || strings.Contains(path, end+".") || strings.Contains(path, end+"[]")
		})
		if !ok && !extra {
			out = append(out, path+" is not in the recordings")
		}
		for kind := range types {
			if ok && !slices.Contains(known, kind) {
				out = append(out, fmt.Sprintf("%s is %s, recorded as %s", path, kind, strings.Join(known, " or ")))
			}
		}
	}
	for path := range want.types {
		parent, _, isField := cutLast(path)
		if isField && !want.optional[path] && w.counts[path] < w.counts[parent] {
			out = append(out, path+" is missing")
		}
	}
	slices.Sort(out)
	return out
}

// cutLast splits `a.b[].c` into `a.b[]` and `c`; an element of an array is no field.
func cutLast(path string) (parent, name string, isField bool) {
	if strings.HasSuffix(path, "[]") {
		return "", "", false
	}
	dot := strings.LastIndex(path, ".")
	if dot < 0 {
		return "", path, false
	}
	return path[:dot], path[dot+1:], true
}

type walker struct {
	counts map[string]int
	types  map[string]map[string]bool
}

func (w walker) walk(path string, value any) {
	kind := "number"
	switch typed := value.(type) {
	case nil:
		kind = "null"
	case bool:
		kind = "bool"
	case string:
		kind = "string"
	case []any:
		kind = "array"
		for _, item := range typed {
			w.walk(path+"[]", item)
		}
	case map[string]any:
		kind = "object"
		_, last, _ := cutLast(path)
		for key, item := range typed {
			if dynamic(last) {
				key = "*"
			}
			w.walk(path+"."+key, item)
		}
	}
	w.counts[path]++
	if w.types[path] == nil {
		w.types[path] = map[string]bool{}
	}
	w.types[path][kind] = true
}
