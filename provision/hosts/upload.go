package hosts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/jomctl/jomctl/internal/host"
)

// Program is a program of this machine that hosts get. It is read once for all of them.
type Program struct {
	path string
	load func() ([]byte, FileMark, error)
}

// NewProgram is the program at a path of this machine, which is read when it is first needed.
func NewProgram(path string) *Program {
	type loaded struct {
		data []byte
		mark FileMark
	}
	read := sync.OnceValues(func() (loaded, error) {
		data, err := os.ReadFile(path)
		sum := sha256.Sum256(data)
		return loaded{data, FileMark{SHA256: hex.EncodeToString(sum[:]), Mode: "755"}}, err
	})
	return &Program{path: path, load: func() ([]byte, FileMark, error) { l, err := read(); return l.data, l.mark, err }}
}

// Path is where the program is on this machine.
func (p *Program) Path() string { return p.path }

// Sum is the sha256 of the program in hex digits.
func (p *Program) Sum() (string, error) {
	_, mark, err := p.load()
	return mark.SHA256, err
}

// Upload is a program of this machine that a host gets as it is.
type Upload struct {
	Host host.Machine
	From *Program
	To   string // a path of the host
}

// Title implements provision.Item.
func (i Upload) Title() string { return i.To + " on " + i.Host.Name() }

// read returns the program and what the host must have.
func (i Upload) read() ([]byte, FileMark, error) {
	data, mark, err := i.From.load()
	if err != nil {
		err = fmt.Errorf("read the program for host %s: %w", i.Host.Name(), err)
	}
	return data, mark, err
}

// Probe implements provision.Item. The program is not fetched from the host for it.
func (i Upload) Probe(ctx context.Context) (bool, []string, error) {
	_, want, err := i.read()
	if err != nil {
		return false, nil, err
	}
	have, err := marks(ctx, i.Host, []string{i.To})
	if err != nil {
		return false, nil, err
	}
	if have[i.To] == want {
		return true, nil, nil
	}
	return false, []string{i.Host.Name() + ": upload " + i.To}, nil
}

// Apply implements provision.Item. The file is replaced as a whole, so that one that runs is not written over.
func (i Upload) Apply(ctx context.Context) (bool, error) {
	if done, _, err := i.Probe(ctx); err != nil || done {
		return false, err
	}
	data, want, err := i.read()
	if err != nil {
		return false, err
	}
	if uploader, ok := i.Host.(host.Uploader); ok {
		if _, err := uploader.Upload(ctx, i.From.path, i.To, 0o755); err != nil {
			return false, err
		}
	} else if _, err := i.Host.WriteFile(ctx, i.To, data, 0o755); err != nil {
		return false, fmt.Errorf("upload %s to host %s: %w", i.From.path, i.Host.Name(), err)
	}
	have, err := marks(ctx, i.Host, []string{i.To})
	if err == nil && have[i.To] != want {
		err = errors.New("it did not arrive as it was sent: is the disk full or failing?")
	}
	if err != nil {
		return true, fmt.Errorf("check %s on host %s: %w", i.To, i.Host.Name(), err)
	}
	return true, nil
}

func (i Upload) contents(context.Context) (contents, error) {
	_, want, err := i.read()
	return contents{files: map[string]FileMark{i.To: want}}, err
}

// marks are the checksums and permissions of those of the files that are there, by two commands for all of them.
func marks(ctx context.Context, m host.Machine, paths []string) (map[string]FileMark, error) {
	all := map[string]FileMark{}
	if len(paths) == 0 {
		return all, nil
	}
	sums, err := host.Ask(ctx, m, append([]string{"sha256sum", "--"}, paths...)...)
	if err != nil && sums.Code < 1 { // which is also said when one of them is missing
		return nil, fmt.Errorf("ask host %s for checksums: %w", m.Name(), err)
	}
	modes, err := host.Ask(ctx, m, append([]string{"stat", "-c", "%a %n", "--"}, paths...)...)
	if err != nil && modes.Code < 1 {
		return nil, fmt.Errorf("ask host %s for permissions: %w", m.Name(), err)
	}
	for line := range strings.Lines(sums.Stdout) {
		if sum, path, ok := strings.Cut(strings.TrimRight(line, "\n"), "  "); ok {
			all[path] = FileMark{SHA256: sum}
		}
	}
	for line := range strings.Lines(modes.Stdout) {
		mode, path, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
		if one, ok := all[path]; ok {
			one.Mode = mode
			all[path] = one
		}
	}
	return all, nil
}
