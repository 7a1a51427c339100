package host

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// EachError are the errors of several hosts.
type EachError struct {
	// Hosts are the names of the hosts that failed, in the order in which they were given.
	Hosts []string
	// Errors has one error for each of them.
	Errors map[string]error
	Of     int // how many hosts there were
}

// Error has a line for each host, which begins with its name unless its error says it already.
func (e *EachError) Error() string {
	lines := make([]string, len(e.Hosts))
	for i, name := range e.Hosts {
		lines[i] = e.Errors[name].Error()
		if !strings.Contains(lines[i], name) {
			lines[i] = "host " + name + ": " + lines[i]
		}
	}
	if e.Of == 1 {
		return lines[0]
	}
	return fmt.Sprintf("%d of %d hosts failed:\n%s", len(lines), e.Of, strings.Join(lines, "\n"))
}

// Unwrap gives all errors to errors.Is and errors.As.
func (e *EachError) Unwrap() []error {
	all := make([]error, len(e.Hosts))
	for i, name := range e.Hosts {
		all[i] = e.Errors[name]
	}
	return all
}

// Each calls f for all machines, at most parallel of them at the same time (0 means all), and goes on when one fails. The
// error is an *EachError with all that failed; those which had not begun when the context ended have its error.
func Each(ctx context.Context, machines []Machine, parallel int, f func(context.Context, Machine) error) error {
	if parallel <= 0 {
		parallel = max(len(machines), 1)
	}
	places := make(chan struct{}, parallel)
	errs := make([]error, len(machines))
	var wait sync.WaitGroup
	for i, m := range machines {
		// A free place and the end of the context may be there together; the end counts.
		select {
		case places <- struct{}{}:
			errs[i] = ctx.Err()
		case <-ctx.Done():
			errs[i] = ctx.Err()
			continue
		}
		if errs[i] != nil {
			<-places
			continue
		}
		wait.Go(func() {
			defer func() { <-places }()
			errs[i] = f(ctx, m)
		})
	}
	wait.Wait()
	all := &EachError{Errors: map[string]error{}, Of: len(machines)}
	for i, err := range errs {
		if name := machines[i].Name(); err != nil && !slices.Contains(all.Hosts, name) {
			all.Hosts, all.Errors[name] = append(all.Hosts, name), err
		}
	}
	if len(all.Hosts) == 0 {
		return nil
	}
	return all
}
