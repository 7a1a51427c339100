package cli

import (
	"context"
	"errors"

	"github.com/spf13/pflag"

	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/ui"
)

func bindAcceptKeys(flags *pflag.FlagSet, accept *bool) {
	flags.BoolVar(accept, "accept-host-keys", false, "pin the SSH keys of hosts that are met for the first time; a changed key is refused all the same")
}

// accessOf is what hosts are logged in to with.
func accessOf(s *session) inventory.Access {
	access := inventory.Access{Version: currentBuild().Version, Say: s.Say}
	if s.Streams.CanPrompt() {
		access.Passphrase = func(file string) (string, error) {
			return ui.NewPrompter(s.Streams).Secret(ui.Question{Label: "Passphrase of " + file})
		}
	}
	return access
}

// openHosts looks at the machines of the cluster. Host keys that nobody has looked at are shown, and pinned only when
// somebody says so: neither silence nor --yes is about them.
func openHosts(ctx context.Context, s *session, accept bool) (*lifecycle.Env, error) {
	access := accessOf(s)
	for {
		env, err := lifecycle.Open(ctx, s.Cluster, access)
		var unknown *inventory.UnknownKeysError
		if !errors.As(err, &unknown) {
			return env, err
		}
		if !accept {
			if !s.Streams.CanPrompt() || s.Yes {
				return nil, err
			}
			s.Say("%v", unknown)
			yes, askErr := askYesNo(ctx, s.Streams, "Are these the keys of your hosts? Pin them")
			if askErr != nil {
				return nil, askErr
			}
			if !yes {
				return nil, &declinedError{}
			}
		}
		if err := inventory.PinKeys(unknown); err != nil {
			return nil, err
		}
		for _, key := range unknown.Keys {
			s.Say("pinned the key of host %s (%s)", key.Host, key.Address)
		}
	}
}
