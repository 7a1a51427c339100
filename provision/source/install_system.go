package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jomctl/jomctl/internal/host"
)

const (
	policyPath = "/usr/sbin/policy-rc.d"
	savedPath  = "/usr/sbin/policy-rc.d.before-jomctl"
	// policyText keeps packages from starting their services during the installation (101: action forbidden by policy).
	policyText = "#!/bin/sh\n# Put here by jomctl while it installs packages, and removed right after.\nexit 101\n"
	// lockTries times the pause of 5 s is how long another apt is waited for: 15 minutes.
	lockTries = 180
)

// Unfinished says whether an installation of packages on a Debian was cut off so that services cannot be started there: System without
// names puts that right.
func Unfinished(ctx context.Context, m host.Machine) (bool, error) {
	if _, err := host.Ask(ctx, m, "stat", "-c", "%a %n", "--", policyPath); err != nil {
		return false, nil //nolint:nilerr // most hosts have no policy
	}
	text, err := m.ReadFile(ctx, policyPath)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return string(text) == policyText, err
}

// forbidStarts keeps packages from starting services until done is called. What an interrupted run left is recognised.
func (i *Installer) forbidStarts(ctx context.Context, m host.Machine) (done func() error, err error) {
	old, err := m.ReadFile(ctx, policyPath)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && string(old) == policyText:
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", policyPath, err)
	default:
		if _, err := m.WriteFile(ctx, savedPath, old, 0o755); err != nil {
			return nil, fmt.Errorf("keep the host's own %s: %w", policyPath, err)
		}
	}
	if _, err := m.WriteFile(ctx, policyPath, []byte(policyText), 0o755); err != nil {
		return nil, fmt.Errorf("forbid the start of services: %w", err)
	}
	return func() error {
		ctx := context.WithoutCancel(ctx)
		saved, err := m.ReadFile(ctx, savedPath)
		if errors.Is(err, fs.ErrNotExist) {
			return m.Remove(ctx, policyPath)
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", savedPath, err)
		}
		if _, err := m.WriteFile(ctx, policyPath, saved, 0o755); err != nil {
			return fmt.Errorf("restore the host's own %s: %w", policyPath, err)
		}
		return m.Remove(ctx, savedPath)
	}, nil
}
