package agent

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// logger writes lines in the shape of the real programs' logs.
type logger struct {
	mu  sync.Mutex
	out io.Writer
}

func (l *logger) line(level byte, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.out, "%c%s %5d agent] %s\n", level, time.Now().Format("20060102 15:04:05.000000"), os.Getpid(), fmt.Sprintf(format, args...))
}

func (l *logger) info(format string, args ...any) { l.line('I', format, args...) }
func (l *logger) warn(format string, args ...any) { l.line('W', format, args...) }

// words makes an error in the real program's words, which begin with a capital letter; %w wraps as ever.
func words(format string, args ...any) error { return fmt.Errorf(format, args...) }

// fail writes the last words of a program that cannot go on and returns its exit code.
func (l *logger) fail(format string, args ...any) int {
	l.line('E', "EXIT with status 1: "+format, args...)
	return 1
}
