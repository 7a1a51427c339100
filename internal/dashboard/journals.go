package dashboard

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/wholefile"
)

// runsShown is how many journals are read.
const runsShown = 12

// Journals is the history that the journals in a folder tell.
type Journals struct {
	Dir string
	// Running says whether a run goes on now; without it a run that has no end counts as cut off.
	Running func() bool

	logs wholefile.Memo[op.Log]
}

var _ History = (*Journals)(nil)

// Entries reads the newest journals.
func (j *Journals) Entries(context.Context) ([]Entry, error) {
	files, err := os.ReadDir(j.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, file := range files {
		if strings.HasSuffix(file.Name(), ".jsonl") {
			names = append(names, file.Name())
		}
	}
	slices.Sort(names)
	slices.Reverse(names)
	var entries []Entry
	var faults []error
	var read []string
	defer func() { j.logs.Only(read...) }()
	for i, name := range names[:min(len(names), runsShown)] {
		path := filepath.Join(j.Dir, name)
		read = append(read, path)
		log, err := j.logs.Of(path, func() (op.Log, error) { return op.ReadJournal(path) })
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if len(log.Records) == 0 {
			continue
		}
		live := i == 0 && log.Outcome() == "" && j.Running != nil && j.Running()
		entries = append(entries, entryOf(strings.TrimSuffix(name, ".jsonl"), log, live))
	}
	return entries, errors.Join(faults...)
}

func entryOf(id string, log op.Log, live bool) Entry {
	meta := log.Meta()
	e := Entry{ID: id, Title: meta.Verb, Begin: log.Records[0].Time, End: log.Time(), Outcome: string(log.Outcome())}
	if who := strings.Trim(meta.User+"@"+meta.Host, "@"); who != "" {
		e.Note = "by " + who
	}
	e.Spans = spansOf(log.Records)
	switch {
	case live:
		e.Outcome, e.End = "running", time.Time{}
		for _, span := range slices.Backward(e.Spans) {
			if span.End.IsZero() {
				e.Note = strings.Trim(e.Note+"; now: "+span.Name, "; ")
				break
			}
		}
	case e.Outcome == "":
		e.Outcome, e.Bad = "cut off", true
		endSpans(e.Spans, e.End)
	default:
		e.Bad = e.Outcome != string(op.OutcomeDone)
		endSpans(e.Spans, e.End)
	}
	for _, record := range slices.Backward(log.Records) {
		if record.Error != "" && e.Bad {
			e.Note = strings.Trim(e.Note+": "+record.Error, ": ")
			break
		}
	}
	return e
}

func spansOf(records []op.Record) []Span {
	var spans []Span
	open := map[string]int{}
	for _, record := range records {
		at, begun := open[record.Step]
		switch record.Kind {
		case op.KindBegin:
			open[record.Step] = len(spans)
			spans = append(spans, Span{Name: record.Step, Begin: record.Time, Outcome: "running"})
		case op.KindEnd, op.KindFailed, op.KindUndone:
			if !begun {
				continue
			}
			spans[at].End = record.Time
			spans[at].Outcome = map[op.Kind]string{op.KindEnd: "done", op.KindFailed: "failed", op.KindUndone: "undone"}[record.Kind]
		}
	}
	return spans
}

// endSpans ends what was begun and never ended.
func endSpans(spans []Span, at time.Time) {
	for i := range spans {
		if spans[i].End.IsZero() {
			spans[i].End, spans[i].Outcome = at, "stopped"
		}
	}
}
