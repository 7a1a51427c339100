package dashboard

import _ "embed"

//go:embed grafana.json
var grafana []byte

// Grafana is a Grafana dashboard, as JSON to import, for the metrics of this package.
func Grafana() []byte { return grafana }
