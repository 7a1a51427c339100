package host

import "context"

// Asker answers questions: commands that change nothing, read no input and leave nothing running behind. They may be
// answered one after the other, and cost much less than Run does.
type Asker interface {
	// Ask is Run for a question.
	Ask(ctx context.Context, argv ...string) (Output, error)
}

// Ask asks the machine, by Run where it knows nothing cheaper.
func Ask(ctx context.Context, m Machine, argv ...string) (Output, error) {
	if asker, ok := m.(Asker); ok {
		return asker.Ask(ctx, argv...)
	}
	return m.Run(ctx, argv...)
}

// Looking is the machine for those who only look: its Run asks.
func Looking(m Machine) Machine { return looking{m} }

type looking struct{ Machine }

func (l looking) Run(ctx context.Context, argv ...string) (Output, error) {
	return Ask(ctx, l.Machine, argv...)
}
