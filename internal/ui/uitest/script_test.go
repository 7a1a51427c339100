package uitest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/ui"
)

// recorder is a test that only notes that it failed.
type recorder struct {
	testing.TB
	errors   []string
	cleanups []func()
}

func (r *recorder) Helper()                           {}
func (r *recorder) Failed() bool                      { return len(r.errors) > 0 }
func (r *recorder) Cleanup(f func())                  { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Error(args ...any)                 { r.errors = append(r.errors, fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) { r.Error(fmt.Sprintf(format, args...)) }

func short(s string) error {
	if len(s) > 3 {
		return errors.New("too long")
	}
	return nil
}

func TestAScriptAnswers(t *testing.T) {
	var p ui.Prompter = New(t, Refused("name", "longer", "too long"), Answer("name", "x"), Enter("key"), Choose("target", "b"), Choose("target", ""),
		Say("sure", true), Back("name"), Fail("name", ui.ErrInterrupted))
	q := ui.Question{Label: "the name", Default: "d", Validate: short, Back: true}
	answer, err := p.Input(q)
	require.NoError(t, err)
	require.Equal(t, "x", answer)
	answer, err = p.Secret(ui.Question{Label: "key", Default: "d"})
	require.NoError(t, err)
	require.Equal(t, "d", answer)
	i, err := p.Select(ui.Question{Label: "target"}, []string{"a", "b"})
	require.NoError(t, err)
	require.Equal(t, 1, i)
	i, err = p.Select(ui.Question{Label: "target", Default: "b"}, []string{"a", "b"})
	require.NoError(t, err)
	require.Equal(t, 1, i)
	yes, err := p.Confirm(ui.Question{Label: "sure"})
	require.NoError(t, err)
	require.True(t, yes)
	_, err = p.Input(q)
	require.ErrorIs(t, err, ui.ErrBack)
	_, err = p.Input(q)
	require.ErrorIs(t, err, ui.ErrInterrupted)
	require.Contains(t, p.(*Script).Transcript(), "! too long")
}

func TestAScriptFailsOnAnythingElse(t *testing.T) {
	q := ui.Question{Label: "name", Validate: short}
	for name, test := range map[string]struct {
		steps []Step
		ask   func(p ui.Prompter)
		want  string
	}{
		"unexpected":      {nil, func(p ui.Prompter) { _, _ = p.Input(q) }, `unexpected question "name"`},
		"unasked":         {[]Step{Enter("name")}, func(ui.Prompter) {}, `"name" was never asked`},
		"another label":   {[]Step{Enter("key")}, func(p ui.Prompter) { _, _ = p.Input(q) }, `asked "name" where "key" was expected`},
		"another kind":    {[]Step{Enter("name")}, func(p ui.Prompter) { _, _ = p.Confirm(q) }, "asked another way"},
		"not refused":     {[]Step{Refused("name", "x", "bad")}, func(p ui.Prompter) { _, _ = p.Input(q) }, "was to be refused"},
		"refused":         {[]Step{Answer("name", "longer")}, func(p ui.Prompter) { _, _ = p.Input(q) }, "too long"},
		"no such option":  {[]Step{Choose("name", "c")}, func(p ui.Prompter) { _, _ = p.Select(q, []string{"a", "b"}) }, "has no option"},
		"two options":     {[]Step{Choose("name", "a")}, func(p ui.Prompter) { _, _ = p.Select(q, []string{"a1", "a2"}) }, "both"},
		"back not wanted": {[]Step{Back("name")}, func(p ui.Prompter) { _, _ = p.Input(q) }, "does not allow to go back"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{TB: t}
			test.ask(New(r, test.steps...))
			for _, f := range r.cleanups {
				f()
			}
			require.Len(t, r.errors, 1)
			require.Contains(t, r.errors[0], test.want)
		})
	}
}
