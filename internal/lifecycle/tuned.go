package lifecycle

import (
	"encoding/json"
	"fmt"

	"github.com/jomctl/jomctl/internal/config"
)

// tuned puts the times of the cluster file into a controller's app. What the file does not say stays as the release has it.
func tuned(doc []byte, t *config.Tuning) ([]byte, error) {
	if t == nil {
		return doc, nil
	}
	var app map[string]any
	if err := json.Unmarshal(doc, &app); err != nil {
		return nil, fmt.Errorf("tuning the controller's app: %w", err)
	}
	put := func(into map[string]any, key string, d config.Duration) {
		if d > 0 {
			into[key] = int(d.Duration().Seconds())
		}
	}
	put(app, "backoffSeconds", t.Backoff)
	put(app, "maxLaunchDelaySeconds", t.MaxBackoff)
	checks, _ := app["healthChecks"].([]any)
	for _, one := range checks {
		check, ok := one.(map[string]any)
		if !ok {
			continue
		}
		put(check, "intervalSeconds", t.HealthInterval)
		put(check, "timeoutSeconds", t.HealthTimeout)
		if t.HealthFailures > 0 {
			check["maxConsecutiveFailures"] = t.HealthFailures
		}
	}
	return json.Marshal(app)
}
