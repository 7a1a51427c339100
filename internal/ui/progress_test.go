package ui

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clock is a time that moves when the test says so.
type clock struct{ at time.Time }

func (c *clock) now() time.Time        { return c.at }
func (c *clock) pass(d time.Duration)  { c.at = c.at.Add(d) }
func terminal(w *bytes.Buffer) Streams { return Streams{Err: w, ErrTTY: true, Width: 40, Env: env()} }

var sequence = regexp.MustCompile(`^\x1b\[(\d*)([A-Za-z])`)

// screen plays the bytes on a small terminal and returns its lines.
func screen(t *testing.T, text string) []string {
	t.Helper()
	lines, row := []string{""}, 0
	for text != "" {
		if match := sequence.FindStringSubmatch(text); match != nil {
			switch match[2] {
			case "A":
				up, err := strconv.Atoi(match[1])
				require.NoError(t, err)
				row -= up
				require.GreaterOrEqual(t, row, 0, "the cursor leaves the screen")
			case "J":
				lines = append(lines[:row], "")
			case "m":
			default:
				t.Fatalf("unknown sequence %q", match[0])
			}
			text = text[len(match[0]):]
			continue
		}
		switch text[0] {
		case '\n':
			if row++; row == len(lines) {
				lines = append(lines, "")
			}
		case '\r':
		default:
			lines[row] += text[:1]
			require.LessOrEqual(t, len(lines[row]), 80)
		}
		text = text[1:]
	}
	return lines[:len(lines)-1]
}

func TestProgressIsRedrawnOnATerminal(t *testing.T) {
	var out bytes.Buffer
	c := &clock{}
	p := newProgress(terminal(&out), false, c.now)
	p.Stage("masters")
	p.Start("m1", "start master 1")
	p.Start("m2", "start master 2")
	c.pass(12 * time.Second)
	p.Say("m1", "1 of 3 answer\nand more than fits into it")
	require.Equal(t, []string{"masters", "  | start master 1 (12s): 1 of 3 ans...", "  | start master 2 (12s)"}, screen(t, out.String()))
	p.tick()
	require.Equal(t, "  / start master 2 (12s)", screen(t, out.String())[2])
	p.End("m1", MarkDone, "", 12*time.Second)
	require.Equal(t, []string{"masters", "  done    start master 1 (12s)", "  / start master 2 (12s)"}, screen(t, out.String()))
	p.Line("a note")
	p.End("m2", MarkFailed, "no leader", 90*time.Second)
	require.Equal(t, []string{"masters", "  done    start master 1 (12s)", "a note", "  failed  start master 2 (1m30s): no leader"}, screen(t, out.String()))
	p.Start("m3", "start master 3")
	p.Close()
	p.Close()
	require.Len(t, screen(t, out.String()), 4, "nothing half-done stays on the screen")
}

func TestProgressBoundsWhatItRedraws(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(terminal(&out), false, (&clock{}).now)
	for i := range 20 {
		p.Start(fmt.Sprint(i), fmt.Sprintf("agent %d", i))
	}
	lines := screen(t, out.String())
	require.Len(t, lines, 13)
	require.Equal(t, "    and 8 more", lines[12])
	for i := range 20 {
		p.End(fmt.Sprint(i), MarkDone, "", 0)
	}
	require.Len(t, screen(t, out.String()), 20)
}

func TestProgressIsPlainElsewhere(t *testing.T) {
	s, _, _, out := Buffers()
	c := &clock{}
	p := newProgress(s, false, c.now)
	p.Stage("masters")
	p.Stage("")
	p.Start("m1", "start master 1")
	p.Say("m1", "0 of 3 answer")
	p.tick()
	require.Equal(t, "masters\n", out.String(), "a step that is over soon says nothing")
	c.pass(5 * time.Second)
	p.tick()
	c.pass(time.Second)
	p.Say("m1", "1 of 3 answer")
	p.tick()
	c.pass(5 * time.Second)
	p.Say("m1", "2 of 3 answer")
	c.pass(9 * time.Second)
	p.tick()
	p.End("m1", MarkDone, "", 20*time.Second)
	p.Start("m2", "start master 2")
	p.End("m2", MarkSkipped, "", time.Second)
	p.End("m3", MarkStopped, "", time.Second)
	p.End("m4", MarkUndone, "", 0)
	require.Equal(t, strings.Join([]string{
		"masters",
		"  ...     start master 1 (5.0s): 0 of 3 answer",
		"  ...     start master 1 (11s): 2 of 3 answer",
		"  done    start master 1 (20s)",
		"  skipped start master 2",
		"  stopped m3 (1.0s)",
		"  undone  m4 (0.0s)",
		"",
	}, "\n"), out.String())
	require.NotContains(t, out.String(), "\x1b")
}

func TestVerboseProgressWritesEverySentence(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(terminal(&out), true, (&clock{}).now)
	p.Start("m1", "start master 1")
	p.Say("m1", "first")
	p.Say("m1", "second")
	p.Say("m1", "second")
	require.Equal(t, "  ...     start master 1 (0.0s): first\n  ...     start master 1 (0.0s): second\n", out.String())
}

func TestMarksAndColours(t *testing.T) {
	var out bytes.Buffer
	s := terminal(&out)
	s.Env = env("LANG", "C.UTF-8")
	p := newProgress(s, false, (&clock{}).now)
	p.Start("m1", "start")
	require.Contains(t, out.String(), "⠋ start")
	p.End("m1", MarkFailed, "", 0)
	require.Contains(t, out.String(), "\x1b[31m✗\x1b[0m start (0.0s)\n")
}

func TestProgressIsDrawnByItselfAndFromEverywhere(t *testing.T) {
	s, _, _, out := Buffers()
	p := NewProgress(s, false)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			id := fmt.Sprint(i)
			p.Start(id, "agent "+id)
			p.Say(id, "working")
			p.End(id, MarkDone, "", 0)
		})
	}
	wg.Wait()
	p.Close()
	require.Equal(t, 8, strings.Count(out.String(), "done"))
}

func TestElapsed(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0.3s": 300 * time.Millisecond, "12s": 12 * time.Second, "2m05s": 125 * time.Second, "1h02m": 62*time.Minute + 9*time.Second,
	} {
		require.Equal(t, want, Elapsed(d))
	}
}

func TestProgressHasALineOfItsOwnBelowTheSteps(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(terminal(&out), false, (&clock{}).now)
	text := "1m05s so far"
	p.Status(func() string { return text })
	require.Empty(t, screen(t, out.String()), "not without a step")
	p.Start("m1", "start master 1")
	require.Equal(t, []string{"  | start master 1 (0.0s)", "1m05s so far"}, screen(t, out.String()))
	text = "1m06s so far, and much more than fits into one line"
	p.tick()
	require.Equal(t, []string{"  / start master 1 (0.0s)", "1m06s so far, and much more than fit..."}, screen(t, out.String()))
	p.End("m1", MarkDone, "", 0)
	require.Equal(t, []string{"  done    start master 1 (0.0s)"}, screen(t, out.String()))
}
