package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// FromTerraform says that Terraform makes the machines of the target.
func (t Target) FromTerraform() bool {
	return t == TargetDocker || t == TargetAWS || t == TargetOpenStack
}

// Is says that the host has the role.
func (h Host) Is(r Role) bool { return slices.Contains(h.Roles, r) }

// HostsWith are the hosts that have the role, in the order of the file.
func (c *Cluster) HostsWith(r Role) []Host {
	var hosts []Host
	for _, h := range c.Hosts {
		if h.Is(r) {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// Host finds a host by its name.
func (c *Cluster) Host(name string) (Host, bool) {
	for _, h := range c.Hosts {
		if h.Name == name {
			return h, true
		}
	}
	return Host{}, false
}

// Dir is the absolute folder of the file; the working folder when there is no file.
func (c *Cluster) Dir() string {
	dir, err := filepath.Abs(filepath.Dir(c.File))
	if err != nil { // only when the working folder is gone
		return filepath.Dir(c.File)
	}
	return dir
}

// StateDir is the absolute path of .jomctl beside the file: secrets, journals, logs, the disks of local hosts.
func (c *Cluster) StateDir() string { return filepath.Join(c.Dir(), ".jomctl") }

// Resolve makes a path of the file absolute: ~ is the user's home folder, anything relative is taken from the file's folder.
// The empty path stays empty.
func (c *Cluster) Resolve(path string) string {
	if path == "" {
		return ""
	}
	if rest, ok := strings.CutPrefix(path, "~"); ok && (rest == "" || rest[0] == '/') {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(c.Dir(), path)
}

// Path is the absolute path of a `file:` secret and false for any other.
func (s Secret) Path(c *Cluster) (string, bool) {
	path, ok := strings.CutPrefix(string(s), "file:")
	return c.Resolve(path), ok && path != ""
}

// Resolve reads the secret, without the line end a file has. A file that is not there gives an error that is fs.ErrNotExist,
// an unset variable likewise; an empty secret is an error. The empty reference is the empty secret.
func (s Secret) Resolve(c *Cluster) (string, error) {
	if s == "" {
		return "", nil
	}
	if name, ok := strings.CutPrefix(string(s), "env:"); ok {
		value, set := os.LookupEnv(name)
		if !set {
			return "", fmt.Errorf("read secret %s: the environment variable is not set: %w", s, fs.ErrNotExist)
		}
		if value == "" {
			return "", fmt.Errorf("read secret %s: the environment variable is empty", s)
		}
		return value, nil
	}
	path, ok := s.Path(c)
	if !ok {
		return "", errors.New("read a secret: the reference is neither env:NAME nor file:PATH")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	value := strings.TrimRight(string(data), "\r\n")
	if value == "" {
		return "", fmt.Errorf("read secret %s: the file is empty", path)
	}
	return value, nil
}

// Title is the source in a few words, for people.
func (s Source) Title() string {
	if s.Standin {
		return "stand-in"
	}
	for _, k := range s.kinds() {
		return k.name + " " + k.value
	}
	return "none"
}

// IdleMinutes is the idle time in whole minutes, rounded up, which is what the real plugin knows.
func (t Template) IdleMinutes() int {
	const minute = Duration(60e9)
	return int((t.Idle + minute - 1) / minute)
}
