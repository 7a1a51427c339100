package main

import (
	"fmt"
	"os"

	"github.com/jomctl/jomctl/internal/home/shared"
)

// share is one side of a trial of a folder that is to be shared by two hosts.
func share(side, dir, token string) int {
	ctx, stop := interruptible()
	defer stop()
	do := map[string]func() error{"hold": func() error { return shared.Hold(ctx, dir, token) }, "try": func() error { return shared.Try(ctx, dir, token) }}[side]
	if do == nil {
		fmt.Fprintln(os.Stderr, usage)
		return 2
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "jomhome:", err)
		return 1
	}
	return 0
}
