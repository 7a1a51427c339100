package cluster

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sort"
	"strings"
)

// Diff says where the deployed app is not what the document says, one line per place ("mem: 1400, want 2048"); none
// means equal. Only what the document speaks of counts: the server adds defaults and counters of its own, and 1 and
// 1.0 are the same number. Lists have to be equal in length and order, but for constraints.
func Diff(doc, app []byte) ([]string, error) {
	var want, have any
	if err := json.Unmarshal(doc, &want); err != nil {
		return nil, fmt.Errorf("read the app document: %w", err)
	}
	if err := json.Unmarshal(app, &have); err != nil {
		return nil, fmt.Errorf("read the deployed app: %w", err)
	}
	var lines []string
	w, _ := want.(map[string]any)
	h, _ := have.(map[string]any)
	orderConstraints(w)
	orderConstraints(h)
	compare("", want, have, &lines)
	for _, field := range noDefault {
		if w[field] == nil && !empty(h[field]) {
			lines = append(lines, fmt.Sprintf("%s: %s, want none", field, show(h[field])))
		}
	}
	sort.Strings(lines)
	return lines, nil
}

// orderConstraints makes two lists of constraints comparable: for Marathon they are a set, which it shows in any order.
func orderConstraints(app map[string]any) {
	if list, ok := app["constraints"].([]any); ok {
		sort.SliceStable(list, func(i, j int) bool { return fmt.Sprint(list[i]) < fmt.Sprint(list[j]) })
	}
}

// noDefault are fields that an app has only when somebody has given it one: there silence means none.
var noDefault = []string{
	"cmd", "args", "user", "env", "labels", "constraints", "container", "dependencies", "fetch", "healthChecks",
	"readinessChecks", "secrets", "taskKillGracePeriodSeconds", "acceptedResourceRoles", "resourceLimits",
}

func empty(value any) bool {
	v := reflect.ValueOf(value)
	return !v.IsValid() || (v.Kind() == reflect.Map || v.Kind() == reflect.Slice) && v.Len() == 0
}

func compare(path string, want, have any, lines *[]string) {
	switch w := want.(type) {
	case nil:
		return // null says nothing, as for the server
	case map[string]any:
		h, ok := have.(map[string]any)
		if !ok && have != nil {
			break
		}
		for key, value := range w {
			compare(join(path, key), value, h[key], lines)
		}
		if exact(path) {
			for key, value := range h {
				if _, named := w[key]; !named {
					*lines = append(*lines, fmt.Sprintf("%s: %s, want none", join(path, key), show(value)))
				}
			}
		}
		return
	case []any:
		h, ok := have.([]any)
		if !ok && have != nil || len(h) != len(w) {
			break
		}
		for i, value := range w {
			compare(fmt.Sprintf("%s[%d]", path, i), value, h[i], lines)
		}
		return
	}
	if path == "id" && sameID(want, have) || anyPort(path, want) || reflect.DeepEqual(want, have) || emptyAndAbsent(want, have) {
		return
	}
	*lines = append(*lines, fmt.Sprintf("%s: %s, want %s", path, show(have), show(want)))
}

// exact places are maps whose every key is the user's: a key that the document dropped is a difference.
func exact(path string) bool { return path == "env" || path == "labels" }

// emptyAndAbsent covers what the server leaves out of its answers.
func emptyAndAbsent(want, have any) bool {
	if have != nil {
		return false
	}
	switch w := want.(type) {
	case string:
		return w == ""
	case bool:
		return !w
	}
	return false
}

// anyPort: port 0 lets the server choose one, which it then shows.
func anyPort(path string, want any) bool {
	return want == float64(0) && strings.HasPrefix(path, "portDefinitions[") && strings.HasSuffix(path, ".port") ||
		want == float64(0) && strings.HasSuffix(path, ".servicePort")
}

func sameID(want, have any) bool {
	w, _ := want.(string)
	h, _ := have.(string)
	return strings.Trim(w, "/") == strings.Trim(h, "/")
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func show(value any) string {
	if value == nil {
		return "none"
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return shorten(string(text), 120)
}
