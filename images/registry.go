package images

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// PushError is a registry that does not take an image.
type PushError struct {
	Err error
	Fix string
}

// Error is what the engine said.
func (e *PushError) Error() string { return e.Err.Error() }

// Unwrap returns it.
func (e *PushError) Unwrap() error { return e.Err }

// ExitCode is that of a refusal.
func (e *PushError) ExitCode() int { return 3 }

// Hint is the fix.
func (e *PushError) Hint() string { return e.Fix }

// explain adds what can be done to what the engine said about a registry.
func explain(err error, registry string) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	host, _, _ := strings.Cut(registry, "/")
	for _, known := range []struct{ said, fix string }{
		// A registry of the cluster has no TLS, and a Docker Engine speaks plain HTTP to loopback addresses only unless it is told.
		{"server gave HTTP response to HTTPS client", fmt.Sprintf("the registry speaks plain HTTP, which the Docker Engine of this machine must be told: put {\"insecure-registries\": [%q]} into /etc/docker/daemon.json, then sudo systemctl reload docker; "+
			"or push by way of a Mesos agent, whose engine knows it (docs/hosts.md)", host)},
		{"no basic auth credentials", login(host)},
		{"unauthorized", login(host)},
		{"authentication required", login(host)},
		{"connection refused", "nothing listens there: the cluster's own registry is there from the first `jomctl install` on"},
		{"no such host", "the name is not known to this machine: see `registry` in the cluster file, or name another with --registry"},
		{"timeout", "the registry does not answer this machine: its port (5000) must be open, or push by way of a Mesos agent (docs/hosts.md)"},
	} {
		if strings.Contains(err.Error(), known.said) {
			return &PushError{err, known.fix}
		}
	}
	return err
}

func login(host string) string { return "docker login " + host + ", then once more" }
