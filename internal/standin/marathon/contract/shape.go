package contract

import (
	"fmt"
	"regexp"
	"sort"
	"strings"
)

// differences lists where a document has other fields or other types than a recorded one. Values may differ; a recorded null stands
// for anything; of a list the first elements are compared. Maps with free keys are named in free.
func differences(path string, want, got any, free map[string]bool) []string {
	switch w := want.(type) {
	case nil:
		return nil
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s: %T instead of an object", path, got)}
		}
		if free[path] {
			return nil
		}
		return objectDifferences(path, w, g, free)
	case []any:
		g, ok := got.([]any)
		if !ok {
			return []string{fmt.Sprintf("%s: %T instead of a list", path, got)}
		}
		if len(w) == 0 || len(g) == 0 {
			return nil
		}
		return differences(path+"[]", w[0], g[0], free)
	case string:
		g, ok := got.(string)
		if !ok {
			return []string{fmt.Sprintf("%s: %T instead of a string", path, got)}
		}
		if timestamp.MatchString(w) && !timestamp.MatchString(g) {
			return []string{fmt.Sprintf("%s: %q is no timestamp like %q", path, g, w)}
		}
		return nil
	default:
		if got == nil || fmt.Sprintf("%T", want) != fmt.Sprintf("%T", got) {
			return []string{fmt.Sprintf("%s: %T instead of %T", path, got, want)}
		}
		return nil
	}
}

var timestamp = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)

func objectDifferences(path string, want, got map[string]any, free map[string]bool) []string {
	var out []string
	for key, value := range want {
		if _, there := got[key]; !there {
			out = append(out, path+"."+key+": missing")
			continue
		}
		out = append(out, differences(path+"."+key, value, got[key], free)...)
	}
	for key := range got {
		if _, known := want[key]; !known {
			out = append(out, path+"."+key+": not in the recording")
		}
	}
	sort.Strings(out)
	return out
}

// leave takes optional keys out of every object of a document, such as region, which only agents with a domain have.
func leave(doc any, keys ...string) any {
	switch d := doc.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range d {
			if !strings.Contains(" "+strings.Join(keys, " ")+" ", " "+key+" ") {
				out[key] = leave(value, keys...)
			}
		}
		return out
	case []any:
		out := make([]any, len(d))
		for n, value := range d {
			out[n] = leave(value, keys...)
		}
		return out
	}
	return doc
}
