package provision

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// reloadMark is there from before a file of a program that reads its files again is changed until it was told to: a run
// that is cut off in between leaves a program with its old files, and nothing else would show it.
func (s Service) reloadMark() string { return s.Dirs[0] + "/.reload" }

func (s Service) reloadPending(ctx context.Context) (bool, error) {
	if s.ReloadSignal == "" {
		return false, nil
	}
	_, err := s.Host.Stat(ctx, s.reloadMark())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// markReload leaves the mark where a file is about to change.
func (s Service) markReload(ctx context.Context) error {
	if s.ReloadSignal == "" {
		return nil
	}
	for _, f := range s.Files {
		line, err := s.probeFile(ctx, f)
		if err != nil {
			return err
		}
		if line != "" {
			_, err := s.Host.WriteFile(ctx, s.reloadMark(), nil, 0o600)
			return err
		}
	}
	return nil
}

// reload tells the program to read its files again where the mark is there. One that has just been started has done so.
func (s Service) reload(ctx context.Context, started bool) (bool, error) {
	pending, err := s.reloadPending(ctx)
	if err != nil || !pending {
		return false, err
	}
	if !started {
		status, err := s.Host.Units().Status(ctx, s.Unit.Name)
		if err != nil {
			return false, err
		}
		if status.Running { // otherwise it reads them when it is started again
			if _, err := s.Host.Run(ctx, "kill", "-"+s.ReloadSignal, fmt.Sprint(status.PID)); err != nil {
				return false, err
			}
		}
	}
	return true, s.Host.Remove(ctx, s.reloadMark())
}
