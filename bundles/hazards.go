package bundles

import (
	_ "embed"
	"fmt"

	"github.com/goccy/go-yaml"

	"github.com/jomctl/jomctl/bundles/version"
)

//go:embed hazards.yaml
var hazards []byte

// Hazard is what an upgrade over a line of LTS releases meets.
type Hazard struct {
	// Since is the first release of the line.
	Since string `yaml:"since" json:"since"`
	// Java are the major versions that the line runs on, for the controller and its build agents.
	Java   []int    `yaml:"java" json:"java"`
	What   []string `yaml:"what" json:"what"`
	Source string   `yaml:"source" json:"source"`
}

// HazardsBetween are those of the lines that come after one core, up to another one, in order.
func HazardsBetween(from, to string) ([]Hazard, error) {
	var all, met []Hazard
	if err := yaml.UnmarshalWithOptions(hazards, &all, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("reading the hazards of upgrades: %w", err)
	}
	for _, one := range all {
		if version.Older(from, one.Since) && !version.Older(to, one.Since) {
			met = append(met, one)
		}
	}
	return met, nil
}
