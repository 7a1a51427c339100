package op

// Refusal is something that an operation will not do, found before anything was changed. Its exit code is 3.
type Refusal struct {
	Problem, Fix string
}

var (
	_ coder  = (*Refusal)(nil)
	_ hinter = (*Refusal)(nil)
)

// Error is the problem.
func (r *Refusal) Error() string { return r.Problem }

// Hint is the fix.
func (r *Refusal) Hint() string { return r.Fix }

// ExitCode is that of a refused preflight.
func (r *Refusal) ExitCode() int { return 3 }
