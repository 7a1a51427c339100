package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/op"
)

// away is a time without an answer: from the last good one to the first after it.
type away struct {
	from, to time.Time
	parts    []part
}

// part is what one piece of that time was for.
type part struct {
	name string
	end  time.Time
}

func (a away) took() time.Duration { return a.to.Sub(a.from) }

// tell prints the pieces one after the other.
func (a away) tell(name string) {
	fmt.Printf("# %s: %.2f s without an answer; load %s\n", name, a.took().Seconds(), load())
	last := a.from
	for _, p := range append(a.parts, part{"the first answer", a.to}) {
		if !p.end.IsZero() {
			fmt.Printf("#   %-40s %6.2f s\n", p.name, p.end.Sub(last).Seconds())
			last = p.end
		}
	}
}

// answered says whether somebody who asked after a moment has got a good answer. One who asked before may still have been waiting.
func (p *prober) answered(after time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.answers, func(a reply) bool { return a.asked.After(after) })
}

// around is the time between two good answers that follow each other, with a moment in it at which there was no controller.
func (p *prober) around(moment time.Time) (a away) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.answers { // which overtake each other
		if !one.came.After(moment) && one.came.After(a.from) {
			a.from = one.came
		}
		if one.came.After(moment) && (a.to.IsZero() || one.came.Before(a.to)) {
			a.to = one.came
		}
	}
	return a
}

// moment reads a time of Marathon's; the zero time where it is none.
func moment(text string) time.Time {
	at, _ := time.Parse(time.RFC3339Nano, text)
	return at
}

// spentOf reads the newest journal of a folder: how long the run took, and how long its steps took together, none of which runs beside another.
func spentOf(t testing.TB, dir string) (run, steps time.Duration) {
	t.Helper()
	journals, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(journals) == 0 {
		t.Fatalf("no journal in %s: %v", dir, err)
	}
	data, err := os.ReadFile(slices.Max(journals))
	if err != nil {
		t.Fatal(err)
	}
	var first, begun time.Time
	for line := range bytes.Lines(data) {
		var record op.Record
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatal(err)
		}
		switch record.Kind {
		case op.KindBeginRun:
			first = record.Time
		case op.KindBegin:
			begun = record.Time
		case op.KindEnd, op.KindFailed:
			steps += record.Time.Sub(begun)
		case op.KindEndRun:
			run = record.Time.Sub(first)
		}
	}
	return run, steps
}

func TestTheTimeWithoutAnAnswer(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	p := &prober{}
	for _, came := range []int{0, 9, 10, 16, 15, 11} { // answers overtake each other
		p.answers = append(p.answers, reply{at(0), at(came)})
	}
	a := p.around(at(12))
	require.Equal(t, away{from: at(11), to: at(15)}, a, "not the longest one, which had another cause")
	require.Equal(t, 4*time.Second, a.took())
	require.False(t, p.answered(at(0)))
	require.True(t, p.answered(at(-1)))
}

func TestTheTimeBetweenTheStepsOfAJournal(t *testing.T) {
	dir, start := t.TempDir(), time.Date(2026, 1, 1, 23, 59, 58, 0, time.UTC)
	var text bytes.Buffer
	for _, one := range []struct {
		seconds int
		kind    op.Kind
	}{{0, op.KindBeginRun}, {1, op.KindBegin}, {4, op.KindEnd}, {6, op.KindBegin}, {7, op.KindFailed}, {10, op.KindEndRun}} {
		line, err := json.Marshal(op.Record{Time: start.Add(time.Duration(one.seconds) * time.Second), Kind: one.kind})
		require.NoError(t, err)
		text.Write(append(line, '\n'))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "1.jsonl"), []byte("another run"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "2.jsonl"), text.Bytes(), 0o600))
	run, steps := spentOf(t, dir)
	require.Equal(t, 10*time.Second, run)
	require.Equal(t, 4*time.Second, steps)
}
