package wholefile

import (
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"time"
)

// settled is how long a file must have been left alone before what was made of it is kept: longer than the tick of any file system's clock,
// so that a later change cannot have the same time.
const settled = 2 * time.Second

// Memo keeps what was made of files and folders for as long as they stay as they were, for those who look at them again and again. A file is the same while its
// inode, size and times are, and a folder while nothing comes to it, goes or gets another name. The zero Memo is ready, and safe for several goroutines.
type Memo[T any] struct {
	mu    sync.Mutex
	known map[string]memory[T]
}

type memory[T any] struct {
	info  fs.FileInfo
	value T
}

// Of is what read makes of the path, or has made of it before. read must depend on the path's content alone. Its errors are passed on and not kept; it is also
// called, for its error, where nothing is at the path. Everybody gets the same value: it must not be changed.
func (m *Memo[T]) Of(path string, read func() (T, error)) (T, error) {
	asked := time.Now()
	info, err := os.Stat(path)
	m.mu.Lock()
	old, known := m.known[path]
	m.mu.Unlock()
	if err == nil && known && same(old.info, info) {
		return old.value, nil
	}
	value, failed := read()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil || failed != nil || asked.Sub(changed(info)) < settled {
		delete(m.known, path)
		return value, failed
	}
	if m.known == nil {
		m.known = map[string]memory[T]{}
	}
	m.known[path] = memory[T]{info, value}
	return value, nil
}

// Only forgets all other paths.
func (m *Memo[T]) Only(paths ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.known, func(path string, _ memory[T]) bool { return !slices.Contains(paths, path) })
}

func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && changed(a).Equal(changed(b))
}
