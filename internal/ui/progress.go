package ui

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

const (
	// sayEvery is how often a waiting step may write a line where lines cannot be drawn over.
	sayEvery = 5 * time.Second
	// drawEvery is how often the running steps are drawn on a terminal.
	drawEvery = 100 * time.Millisecond
	// mostLines bounds the running steps that are drawn at the same time.
	mostLines = 12
)

// Mark is how a step ended, as far as it is drawn.
type Mark int

// The marks.
const (
	MarkDone Mark = iota
	MarkSkipped
	MarkFailed
	MarkStopped
	MarkUndone
)

type markStyle struct{ word, sign, color string }

func (m Mark) style() markStyle {
	switch m {
	case MarkSkipped:
		return markStyle{"skipped", "-", "\x1b[2m"}
	case MarkFailed:
		return markStyle{"failed", "✗", "\x1b[31m"}
	case MarkStopped:
		return markStyle{"stopped", "!", "\x1b[33m"}
	case MarkUndone:
		return markStyle{"undone", "↩", "\x1b[32m"}
	}
	return markStyle{"done", "✓", "\x1b[32m"}
}

// Progress draws steps: on a terminal one line per step with what it says, redrawn while it runs, and one plain line per
// ended step otherwise. All methods may be called from any goroutine.
type Progress struct {
	mu      sync.Mutex
	w       io.Writer
	streams Streams
	redraw  bool
	verbose bool
	now     func() time.Time
	active  []*activeStep
	drawn   int
	frame   int
	status  func() string
	quit    chan struct{}
	wg      sync.WaitGroup
}

type activeStep struct {
	id, title, said, printed string
	started, told            time.Time
}

// NewProgress starts drawing on Err; Close ends it. Verbose writes everything that steps say, line by line.
func NewProgress(streams Streams, verbose bool) *Progress {
	p := newProgress(streams, verbose, time.Now)
	every := time.Second
	if p.redraw {
		every = drawEvery
	}
	p.wg.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-p.quit:
				return
			case <-ticker.C:
				p.tick()
			}
		}
	})
	return p
}

func newProgress(streams Streams, verbose bool, now func() time.Time) *Progress {
	return &Progress{w: streams.Err, streams: streams, redraw: streams.Redraws() && !verbose, verbose: verbose, now: now, quit: make(chan struct{})}
}

// Close takes the running steps off the terminal. Calls after it do nothing harmful.
func (p *Progress) Close() {
	p.mu.Lock()
	select {
	case <-p.quit:
		p.mu.Unlock()
		return
	default:
	}
	close(p.quit)
	p.erase()
	p.active = nil
	p.mu.Unlock()
	p.wg.Wait()
}

// Line writes one line above the running steps.
func (p *Progress) Line(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line(text)
}

// Status draws a line below the running steps of a terminal: what text says at that moment, nothing where it says nothing.
func (p *Progress) Status(text func() string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = text
}

// Stage announces a group of steps.
func (p *Progress) Stage(name string) {
	if name == "" {
		return
	}
	p.Line(p.paint("\x1b[1m", Clean(name)))
}

// Start shows a step as running.
func (p *Progress) Start(id, title string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.active = append(p.active, &activeStep{id: id, title: Clean(title), started: now, told: now})
	p.draw()
}

// Say shows what a running step does or waits for.
func (p *Progress) Say(id, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, step := range p.active {
		if step.id == id {
			step.said = Clean(text)
			p.tell(step)
		}
	}
	p.draw()
}

// End shows how a step ended. Note is added to its line: why it failed, as a rule.
func (p *Progress) End(id string, mark Mark, note string, elapsed time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	title := id
	for i, step := range p.active {
		if step.id == id {
			title = step.title
			p.active = append(p.active[:i], p.active[i+1:]...)
			break
		}
	}
	style := mark.style()
	text := title
	if mark != MarkSkipped {
		text += " (" + Elapsed(elapsed) + ")"
	}
	if note != "" {
		text += ": " + Clean(note)
	}
	lead := fmt.Sprintf("%-7s", style.word)
	if p.redraw && p.streams.Unicode() {
		lead = style.sign
	}
	p.line("  " + p.paint(style.color, lead) + " " + text)
}

func (p *Progress) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frame++
	for _, step := range p.active {
		p.tell(step)
	}
	p.draw()
}

// tell writes what a step says where nothing is redrawn: when it is new, and not too often.
func (p *Progress) tell(step *activeStep) {
	now := p.now()
	if p.redraw || step.said == step.printed || (!p.verbose && now.Sub(step.told) < sayEvery) {
		return
	}
	step.printed, step.told = step.said, now
	p.line(fmt.Sprintf("  %-7s %s (%s): %s", "...", step.title, Elapsed(now.Sub(step.started)), step.said))
}

// line writes a whole line above the running steps.
func (p *Progress) line(text string) {
	p.erase()
	_, _ = io.WriteString(p.w, text+"\n")
	p.draw()
}

func (p *Progress) erase() {
	if p.drawn > 0 {
		fmt.Fprintf(p.w, "\x1b[%dA\r\x1b[J", p.drawn)
		p.drawn = 0
	}
}

func (p *Progress) draw() {
	if !p.redraw || (len(p.active) == 0 && p.drawn == 0) {
		return
	}
	var text strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&text, "\x1b[%dA\r\x1b[J", p.drawn)
	}
	shown := p.active[:min(len(p.active), mostLines)]
	for _, step := range shown {
		text.WriteString(p.running(step) + "\n")
	}
	p.drawn = len(shown)
	if more := len(p.active) - len(shown); more > 0 {
		fmt.Fprintf(&text, "    and %d more\n", more)
		p.drawn++
	}
	if status := p.statusLine(); status != "" && len(shown) > 0 {
		text.WriteString(status + "\n")
		p.drawn++
	}
	_, _ = io.WriteString(p.w, text.String())
}

func (p *Progress) statusLine() string {
	if p.status == nil {
		return ""
	}
	return p.cut(Clean(p.status()))
}

func (p *Progress) running(step *activeStep) string {
	frames := []rune(`|/-\`)
	if p.streams.Unicode() {
		frames = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	}
	text := fmt.Sprintf("  %c %s (%s)", frames[p.frame%len(frames)], step.title, Elapsed(p.now().Sub(step.started)))
	if step.said != "" {
		text += ": " + step.said
	}
	return p.cut(text)
}

// cut keeps a line on one line: one that wraps would be two lines high, and the next erase would leave one of them.
func (p *Progress) cut(text string) string {
	width := p.streams.Width
	if width == 0 {
		width = 80
	}
	return Cut(text, max(width-1, 1))
}

func (p *Progress) paint(color, text string) string {
	if !p.streams.ErrColor() {
		return text
	}
	return color + text + "\x1b[0m"
}

// Elapsed shortens a duration for people: 0.3s, 12s, 2m05s, 1h02m.
func Elapsed(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}
