package master

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// openLog returns a function that writes lines in the real program's form to stderr, unless --quiet, and to
// mesos-master.INFO in --log_dir. With a --logging_level above INFO it writes nothing, as all its lines are of that level.
func openLog(f *flags, stderr io.Writer) (log func(format string, args ...any), err error) {
	var outs []io.Writer
	if !f.yes("quiet") {
		outs = append(outs, stderr)
	}
	if dir := f.get("log_dir"); dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fatalf("Could not initialize logging: Failed to create directory '%s': %v", dir, err)
		}
		file, err := os.OpenFile(filepath.Join(dir, "mesos-master.INFO"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, fatalf("Could not initialize logging: %v", err)
		}
		outs = append(outs, file)
	}
	switch f.get("logging_level") {
	case "INFO":
	case "WARNING", "ERROR":
		outs = nil
	default:
		return nil, fatalf("'%s' is not a valid logging level. Possible values for 'logging_level' flag are: 'INFO', 'WARNING', 'ERROR'.", f.get("logging_level"))
	}
	out := io.MultiWriter(outs...)
	var mu sync.Mutex
	pid := os.Getpid()
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		// A log that cannot be written must not stop the master.
		_, _ = fmt.Fprintf(out, "I%s %5d master] %s\n", time.Now().Format("20060102 15:04:05.000000"), pid, fmt.Sprintf(format, args...))
	}, nil
}
