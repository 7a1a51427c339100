package sync

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// watcher tells which names in the watched folders changed. It uses inotify itself: the usual library reports what happens
// in a folder that was moved together with its parent under the name that it had before, and does not tell a file that
// was closed after writing from one that is being written.
type watcher struct {
	home string
	file *os.File
	fd   int

	mu     sync.Mutex
	closed bool             // the number of a closed file may be another file's by now
	names  map[int32]string // folder, relative to the home, of each watch
}

// event is a name that changed. Name is relative to the home; Folder says that it is, or was, a folder.
type event struct {
	Name   string
	Folder bool
	// Overflow: events were lost, and the whole home must be looked at.
	Overflow bool
}

// closeWrite and the moves are how Jenkins ends a save; what is only created is still being written, unless it is a folder.
const mask = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_CREATE | unix.IN_ONLYDIR | unix.IN_DONT_FOLLOW | unix.IN_EXCL_UNLINK

func newWatcher(home string) (*watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watching %s: %w", home, err)
	}
	return &watcher{home: home, fd: fd, file: os.NewFile(uintptr(fd), "inotify"), names: map[int32]string{}}, nil
}

func (w *watcher) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.file.Close()
}

// add watches a folder. One that is watched already under another name (it was moved) gets the new name.
func (w *watcher) add(name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	wd, err := unix.InotifyAddWatch(w.fd, path.Join(w.home, name), mask)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil // gone again: its parent tells
	}
	if err != nil {
		return fmt.Errorf("watching the folder %s: %w", name, err)
	}
	w.names[int32(wd)] = name
	return nil
}

// forget ends the watches of folders that are gone, with all below them.
func (w *watcher) forget(folders []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	for wd, name := range w.names {
		for _, folder := range folders {
			if name == folder || strings.HasPrefix(name, folder+"/") {
				_, _ = unix.InotifyRmWatch(w.fd, uint32(wd)) // the kernel may have done so already
				delete(w.names, wd)
				break
			}
		}
	}
}

// read hands events to tell until the context ends or the watcher is closed.
func (w *watcher) read(ctx context.Context, tell func(event)) error {
	stop := context.AfterFunc(ctx, w.close)
	defer stop()
	buffer := make([]byte, 64<<10)
	for {
		n, err := w.file.Read(buffer)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, os.ErrClosed) {
				return nil
			}
			return fmt.Errorf("reading the changes of %s: %w", w.home, err)
		}
		for data := buffer[:n]; len(data) >= unix.SizeofInotifyEvent; {
			wd := int32(binary.NativeEndian.Uint32(data))
			bits := binary.NativeEndian.Uint32(data[4:])
			length := int(binary.NativeEndian.Uint32(data[12:]))
			name := strings.TrimRight(string(data[unix.SizeofInotifyEvent:unix.SizeofInotifyEvent+length]), "\x00")
			data = data[unix.SizeofInotifyEvent+length:]
			w.translate(wd, bits, name, tell)
		}
	}
}

func (w *watcher) translate(wd int32, bits uint32, name string, tell func(event)) {
	if bits&unix.IN_Q_OVERFLOW != 0 {
		tell(event{Overflow: true})
		return
	}
	w.mu.Lock()
	folder, known := w.names[wd]
	if bits&unix.IN_IGNORED != 0 {
		delete(w.names, wd)
	}
	w.mu.Unlock()
	isFolder := bits&unix.IN_ISDIR != 0
	if !known || name == "" || bits&unix.IN_CREATE != 0 && !isFolder {
		return
	}
	tell(event{Name: path.Join(folder, name), Folder: isFolder})
}
