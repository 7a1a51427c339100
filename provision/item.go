package provision

import "context"

// Item is something that a host must have: it can be looked at without changing anything, and made.
type Item interface {
	// Title names the item and its host for people.
	Title() string
	// Probe changes nothing. done says that nothing is to be done; changes are the lines for the preview.
	Probe(ctx context.Context) (done bool, changes []string, err error)
	// Apply makes it so, also after an earlier Apply was cut off anywhere.
	Apply(ctx context.Context) (changed bool, err error)
}

type sayKey struct{}

// WithSay returns a context under which items tell what they are doing while they take long.
func WithSay(ctx context.Context, say func(format string, args ...any)) context.Context {
	return context.WithValue(ctx, sayKey{}, say)
}

// Say tells whoever listens.
func Say(ctx context.Context, format string, args ...any) {
	if say, ok := ctx.Value(sayKey{}).(func(string, ...any)); ok {
		say(format, args...)
	}
}
