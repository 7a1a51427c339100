// Package plugins is what the stand-in has of plugins: a list of names and versions, of which it loads those that Jenkins would load. It
// runs none of them, and behaves as if it had those that it imitates.
package plugins

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Plugin is one line of the list.
type Plugin struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Core is the oldest core that it runs on.
	Core  string `json:"requiredCore"`
	Needs []Need `json:"needs"`
}

// Need is what a plugin asks for. An optional one may be absent.
type Need struct {
	Name     string `json:"name"`
	Optional bool   `json:"optional"`
}

// Failure is a plugin that was not loaded.
type Failure struct{ Name, Version, Why string }

// Read reads the list of a file.
func Read(path string) ([]Plugin, error) {
	var all []Plugin
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("read the list of plugins: %w", err)
	}
	return all, nil
}

// Load tells what a core loads. One that it does not load takes along those that need it, and stops no boot.
func Load(all []Plugin, core string) (loaded []Plugin, failed []Failure) {
	good := map[string]bool{}
	why := map[string]string{}
	for _, p := range all {
		if older(core, p.Core) {
			why[p.Name] = "Jenkins (" + p.Core + ") or higher required"
			continue
		}
		good[p.Name] = true
	}
	for again := true; again; {
		again = false
		for _, p := range all {
			for _, need := range p.Needs {
				if good[p.Name] && !good[need.Name] && !need.Optional {
					good[p.Name], again = false, true
					why[p.Name] = "Plugin is missing: " + need.Name
				}
			}
		}
	}
	for _, p := range all {
		if good[p.Name] {
			loaded = append(loaded, p)
		} else {
			failed = append(failed, Failure{p.Name, p.Version, why[p.Name]})
		}
	}
	return loaded, failed
}

// older compares the numbers that both versions begin with.
func older(version, than string) bool {
	a, b := strings.Split(version, "."), strings.Split(than, ".")
	for i := range min(len(a), len(b)) {
		x, errX := strconv.Atoi(a[i])
		y, errY := strconv.Atoi(b[i])
		if errX != nil || errY != nil {
			return false
		}
		if x != y {
			return x < y
		}
	}
	return len(a) < len(b)
}
