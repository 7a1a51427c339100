package agent

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Fields of the v1 answers that are doubles, and lists that the real agent shows when they are empty.
var (
	doubles = []string{
		"value", "timestamp", "failover_timeout", "build_time", "cpus_user_time_secs", "cpus_system_time_secs", "cpus_soft_limit", "refuse_seconds",
		"delay_seconds", "interval_seconds", "timeout_seconds", "grace_period_seconds",
	}
	shownEmpty = []string{
		"pending_tasks", "queued_tasks", "launched_tasks", "terminated_tasks", "completed_tasks", "executors", "completed_executors",
		"frameworks", "completed_frameworks",
	}
)

// tidy turns a message into the JSON of the real agent: no nulls, empty lists only where they are shown, doubles with a
// point. Only the type is left of an answer without containers.
func tidy(message any) (any, error) {
	content, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	var value map[string]any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	clean(value)
	if containers, ok := value["get_containers"].(map[string]any); ok && len(containers) == 0 {
		delete(value, "get_containers")
	}
	return value, nil
}

func clean(object map[string]any) {
	for name, value := range object {
		switch v := value.(type) {
		case nil:
			delete(object, name)
			if slices.Contains(shownEmpty, name) {
				object[name] = []any{}
			}
		case map[string]any:
			clean(v)
			if len(v) == 0 && name == "limits" || len(v) == 0 && name == "offer_filters" {
				delete(object, name)
			}
		case []any:
			if len(v) == 0 && !slices.Contains(shownEmpty, name) {
				delete(object, name)
			}
			for _, one := range v {
				if inner, ok := one.(map[string]any); ok {
					clean(inner)
				}
			}
		case json.Number:
			if slices.Contains(doubles, name) && !strings.ContainsAny(v.String(), ".eE") {
				object[name] = json.RawMessage(v.String() + ".0")
			}
		}
	}
}
