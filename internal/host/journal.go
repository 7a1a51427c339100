package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Logs are units whose logs can be read. Both kinds of units are.
type Logs interface {
	// Journal returns the last lines that a unit wrote, oldest first. A unit that never ran has none.
	Journal(ctx context.Context, name string, lines int) (string, error)
}

var _, _ Logs = (*Systemd)(nil), (*localUnits)(nil)

// tailSize is how far back the last lines of a log file are looked for.
const tailSize = 1 << 20

func (l *localUnits) Journal(_ context.Context, name string, lines int) (string, error) {
	var u Unit
	err := readJSON(filepath.Join(l.folder(name), specName), &u)
	if err == nil {
		var text []byte
		if text, err = lastLines(u.LogFile, lines); err == nil {
			return string(text), nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return "", fmt.Errorf("read the log of unit %s: %w", name, err)
}

func lastLines(path string, lines int) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	start := max(0, size-tailSize)
	text, err := io.ReadAll(io.NewSectionReader(file, start, size-start))
	if err != nil {
		return nil, err
	}
	if lines <= 0 {
		return nil, nil
	}
	end := len(bytes.TrimSuffix(text, []byte("\n")))
	for cut := end; lines > 0; lines-- {
		if cut = bytes.LastIndexByte(text[:cut], '\n'); cut < 0 {
			return text, nil
		}
		end = cut + 1
	}
	return text[end:], nil
}
