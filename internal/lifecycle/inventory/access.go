package inventory

import (
	"fmt"

	"github.com/jomctl/jomctl/internal/host"
)

// Access is what only the person who runs jomctl can give.
type Access struct {
	// Passphrase is asked for that of an encrypted SSH key; nil means that such a key is an error.
	Passphrase func(file string) (string, error)
	// Version is jomctl's, for the records on the hosts.
	Version string
	// Say gets what is going on before a plan exists; nil means nobody listens.
	Say func(format string, args ...any)
}

// Tell says it to whoever listens.
func (a Access) Tell(format string, args ...any) {
	if a.Say != nil {
		a.Say(format, args...)
	}
}

// UnknownKeysError are hosts whose keys nobody has looked at yet.
type UnknownKeysError struct{ Keys []*host.UnknownKeyError }

// Error lists the keys.
func (e *UnknownKeysError) Error() string {
	text := "the keys of these hosts are not pinned yet:"
	for _, key := range e.Keys {
		text += "\n  " + key.Error()
	}
	return text
}

// Hint is the way out.
func (e *UnknownKeysError) Hint() string {
	return "compare them with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the hosts; then run on a terminal, which asks, or with --accept-host-keys, which pins them"
}

// ExitCode is that of a refused preflight.
func (e *UnknownKeysError) ExitCode() int { return 3 }

// PinKeys pins the keys that were looked at.
func PinKeys(unknown *UnknownKeysError) error {
	for _, key := range unknown.Keys {
		if _, err := host.Pin(key.File, key.Address, key.Key); err != nil {
			return fmt.Errorf("pin the key of host %s: %w", key.Host, err)
		}
	}
	return nil
}
