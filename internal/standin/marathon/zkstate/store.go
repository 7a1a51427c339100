package zkstate

import (
	"encoding/binary"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"

	"github.com/go-zookeeper/zk"
)

// Store keeps records below <root>/state/<category>/<bucket>/<id>. Writes are gathered and written in the order of their
// first change; Flush waits until everything written so far is there.
type Store struct {
	conn    *Conn
	root    string
	mu      sync.Mutex
	changed *sync.Cond
	dirty   map[string][]byte // nil is a deletion
	order   []string
	since   map[string]uint64 // number of the first unwritten change of each waiting path
	asked   uint64
	written uint64
	known   map[string]bool
	err     error
	failed  func(error)
}

const batch = 64

// OpenStore starts the writer; failed is called once, from it, when ZooKeeper refuses a write.
func OpenStore(conn *Conn, root string, failed func(error)) *Store {
	s := &Store{conn: conn, root: join(root, "state"), dirty: map[string][]byte{}, since: map[string]uint64{}, known: map[string]bool{}, failed: failed}
	s.changed = sync.NewCond(&s.mu)
	go s.write()
	return s
}

// Bucket is the folder that Marathon puts an id into: the absolute value of Java's hash modulo 16, in hex.
func Bucket(id string) string {
	var hash int32
	for _, unit := range utf16.Encode([]rune(id)) {
		hash = 31*hash + int32(unit)
	}
	n := hash % 16
	if n < 0 {
		n = -n
	}
	return strconv.FormatInt(int64(n), 16)
}

func (s *Store) path(category, id string) string {
	first, _, _ := strings.Cut(id, "/")
	return join(s.root, category, Bucket(first), id)
}

// Put writes a record soon. An id of the form a/b is a version b of the record a.
func (s *Store) Put(category, id string, data []byte) {
	if data == nil {
		data = []byte{}
	}
	s.mark(s.path(category, id), data)
}

// Delete removes a record soon.
func (s *Store) Delete(category, id string) { s.mark(s.path(category, id), nil) }

func (s *Store) mark(path string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, waiting := s.dirty[path]; !waiting {
		s.order = append(s.order, path)
		s.since[path] = s.asked + 1
	}
	s.dirty[path] = data
	s.asked++
	s.changed.Broadcast()
}

// Flush waits until everything put so far is in ZooKeeper.
func (s *Store) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	until := s.asked
	for s.written < until && s.err == nil {
		s.changed.Wait()
	}
	return s.err
}

func (s *Store) write() {
	for {
		s.mu.Lock()
		for len(s.order) == 0 {
			s.changed.Wait()
		}
		n := min(len(s.order), batch)
		paths := append([]string(nil), s.order[:n]...)
		values := map[string][]byte{}
		for _, path := range paths {
			values[path] = s.dirty[path]
			delete(s.dirty, path)
			delete(s.since, path)
		}
		s.order = s.order[n:]
		upTo := s.asked
		if len(s.order) > 0 {
			upTo = s.since[s.order[0]] - 1
		}
		s.mu.Unlock()
		err := s.apply(paths, values)
		s.mu.Lock()
		if err != nil {
			s.err = err
		} else {
			s.written = upTo
		}
		s.changed.Broadcast()
		s.mu.Unlock()
		if err != nil {
			s.failed(err)
			return
		}
	}
}

func (s *Store) apply(paths []string, values map[string][]byte) error {
	var ops []any
	creating := map[string]bool{}
	for _, path := range paths {
		data := values[path]
		switch {
		case data == nil && s.known[path]:
			ops = append(ops, &zk.DeleteRequest{Path: path, Version: -1})
			delete(s.known, path)
		case data == nil:
		case s.known[path]:
			ops = append(ops, &zk.SetDataRequest{Path: path, Data: data, Version: -1})
		default:
			parent := path[:strings.LastIndex(path, "/")]
			if !s.known[parent] && !creating[parent] {
				if err := s.conn.MakeDirs(parent); err != nil {
					return err
				}
				s.known[parent] = true
			}
			ops = append(ops, &zk.CreateRequest{Path: path, Data: data, Acl: zk.WorldACL(zk.PermAll)})
			creating[path], s.known[path] = true, true
		}
	}
	if len(ops) == 0 {
		return nil
	}
	if _, err := s.conn.Multi(ops...); err != nil {
		return fmt.Errorf("write %d changes of state to ZooKeeper: %w", len(ops), err)
	}
	return nil
}

// Load reads every record of a category: id (or id/version) to data. Empty nodes are left out.
func (s *Store) Load(category string) (map[string][]byte, error) {
	out := map[string][]byte{}
	buckets, err := s.children(join(s.root, category))
	if err != nil {
		return nil, err
	}
	for _, bucket := range buckets {
		dir := join(s.root, category, bucket)
		ids, err := s.children(dir)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			if err := s.read(out, join(dir, id), id); err != nil {
				return nil, err
			}
			versions, err := s.children(join(dir, id))
			if err != nil {
				return nil, err
			}
			for _, version := range versions {
				if err := s.read(out, join(dir, id, version), id+"/"+version); err != nil {
					return nil, err
				}
			}
		}
	}
	return out, nil
}

func (s *Store) read(out map[string][]byte, path, id string) error {
	data, _, err := s.conn.Get(path)
	if err == zk.ErrNoNode {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	s.mu.Lock()
	s.known[path] = true
	s.mu.Unlock()
	if len(data) > 0 {
		out[id] = data
	}
	return nil
}

func (s *Store) children(path string) ([]string, error) {
	names, _, err := s.conn.Children(path)
	if err == zk.ErrNoNode {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", path, err)
	}
	s.mu.Lock()
	s.known[path] = true
	s.mu.Unlock()
	sort.Strings(names)
	return names, nil
}

// FrameworkID reads the id that Mesos gave, empty if there is none yet.
func (s *Store) FrameworkID() (string, error) {
	data, _, err := s.conn.Get(join(s.root, "framework-id/b/id"))
	if err == zk.ErrNoNode {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the framework id: %w", err)
	}
	if len(data) < 2 || data[0] != 0x0a {
		return "", fmt.Errorf("read the framework id: %d bytes that are no framework id", len(data))
	}
	length, n := binary.Uvarint(data[1:])
	if n <= 0 || int(length) != len(data)-1-n {
		return "", fmt.Errorf("read the framework id: wrong length")
	}
	return string(data[1+n:]), nil
}

// SetFrameworkID writes the id at once, as the protobuf message that Marathon writes.
func (s *Store) SetFrameworkID(id string) error {
	data := append(binary.AppendUvarint([]byte{0x0a}, uint64(len(id))), id...)
	path := join(s.root, "framework-id/b/id")
	if err := s.conn.MakeDirs(join(s.root, "framework-id/b")); err != nil {
		return err
	}
	_, err := s.conn.Create(path, data, 0, zk.WorldACL(zk.PermAll))
	if err == zk.ErrNodeExists {
		_, err = s.conn.Set(path, data, -1)
	}
	if err != nil {
		return fmt.Errorf("write the framework id: %w", err)
	}
	return nil
}
