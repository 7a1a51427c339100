package upgrade

import (
	"fmt"
	"strings"
)

// Reason is one thing that stands against an upgrade.
type Reason struct {
	Subject string `json:"subject"`
	Problem string `json:"problem"`
	Fix     string `json:"fix,omitempty"`
}

// RefusedError is an upgrade that does not begin. Its exit code is 3.
type RefusedError struct{ Reasons []Reason }

// Error lists all reasons, each with its fix.
func (e *RefusedError) Error() string {
	var b strings.Builder
	b.WriteString("the upgrade does not begin; the old version serves as before")
	for _, one := range e.Reasons {
		fmt.Fprintf(&b, "\n- %s: %s", one.Subject, one.Problem)
		if one.Fix != "" {
			fmt.Fprintf(&b, "\n  fix: %s", one.Fix)
		}
	}
	return b.String()
}

// ExitCode is that of a refused check.
func (*RefusedError) ExitCode() int { return 3 }

// OpenedError is a way back that is asked for when the new version works already. Its exit code is 3.
type OpenedError struct{}

// Error says what would be lost.
func (e *OpenedError) Error() string {
	return "the new version is proven and has taken up work: taking the run back would lose the builds since then"
}

// Hint is the way forward.
func (e *OpenedError) Hint() string {
	return "go on with `jomctl resume`"
}

// ExitCode is that of a refused check.
func (*OpenedError) ExitCode() int { return 3 }
