package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Config is a Set as it lies in a file on the host that has the home. Paths are absolute.
type Config struct {
	Cluster string `json:"cluster"`
	Release string `json:"release,omitempty"`
	Home    string `json:"home"`
	// Shared says that several hosts have the home; only one of them makes a backup at a time.
	Shared bool `json:"shared,omitempty"`
	// Location, PasswordFile, EnvironmentFile, KeyFile and KnownHosts are those of Repository.
	Location        string `json:"repository"`
	PasswordFile    string `json:"passwordFile"`
	EnvironmentFile string `json:"environmentFile,omitempty"`
	KeyFile         string `json:"keyFile,omitempty"`
	KnownHosts      string `json:"knownHosts,omitempty"`
	// State is a folder for records, test restores and restic's cache.
	State  string `json:"state"`
	Last   int    `json:"last"`
	Weekly int    `json:"weekly"`
	// PeriodSeconds is the time between two backups of the schedule, 0 without one.
	PeriodSeconds int  `json:"periodSeconds,omitempty"`
	KeyElsewhere  bool `json:"keyElsewhere,omitempty"`
	// Account is a file of an account whose password a restored home gets.
	Account string `json:"account,omitempty"`
	// History says that the home has a history in git.
	History bool `json:"history,omitempty"`
}

// LoadConfig reads and checks the file.
func LoadConfig(path string) (Config, error) {
	var c Config
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		return c, fmt.Errorf("reading the file of the backups: %w", err)
	}
	for name, value := range map[string]string{"home": c.Home, "state": c.State, "passwordFile": c.PasswordFile} {
		if !filepath.IsAbs(value) {
			err = errors.Join(err, fmt.Errorf("file of the backups %s: %s: %q: want an absolute path", path, name, value))
		}
	}
	if c.Cluster == "" || c.Location == "" {
		err = errors.Join(err, fmt.Errorf("file of the backups %s: cluster and repository: want both", path))
	}
	return c, err
}

// Set are the backups that the file is about.
func (c Config) Set() Set {
	return Set{Home: c.Home, Tags: Tags{Cluster: c.Cluster, Release: c.Release}, Last: c.Last, Weekly: c.Weekly, KeyElsewhere: c.KeyElsewhere,
		Records: Records(filepath.Join(c.State, "records")), Scratch: filepath.Join(c.State, "scratch"),
		Repository: Repository{Location: c.Location, PasswordFile: c.PasswordFile, EnvironmentFile: c.EnvironmentFile, KeyFile: c.KeyFile, KnownHosts: c.KnownHosts,
			Cache: filepath.Join(c.State, "cache")}}
}

func (c Config) period() time.Duration { return time.Duration(c.PeriodSeconds) * time.Second }
