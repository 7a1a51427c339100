package sync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/home/keep"
)

// node is one file of the last commit.
type node struct {
	hash git.Hash
	exec bool
	// seen is the state of the file on disk that is known to have this content; zero when that is not known yet.
	seen keep.Stamp
	// home is the file's name in the home where that is another one.
	home string
}

// tree is what the last commit holds, by the names of the history, and how the files on disk relate to it.
type tree struct {
	home  string
	table *keep.Table
	nodes map[string]node
	// users are the names in the history of files whose name in the home is made by Jenkins.
	users map[string]string
	// refused are the files (names in the home) that must not be kept as they are now, with the reason.
	refused map[string]refusal
}

type refusal struct {
	reason string
	seen   keep.Stamp
	// silent: nobody needs to know.
	silent bool
}

func newTree(home string) *tree {
	return &tree{home: home, table: keep.NewTable(), nodes: map[string]node{}, users: map[string]string{}, refused: map[string]refusal{}}
}

// load makes the tree that of a commit.
func (t *tree) load(ctx context.Context, repo *git.Repo, commit git.Hash) error {
	t.nodes, t.users = map[string]node{}, map[string]string{}
	if commit.IsZero() {
		return nil
	}
	return repo.Tree(ctx, commit, func(e git.Entry) error {
		if !t.table.File(e.Path) {
			return nil // somebody's README stays as it is
		}
		t.nodes[strings.Clone(e.Path)] = node{hash: e.Hash, exec: e.Executable}
		return nil
	})
}

// dirty are names in the home that must be looked at.
type dirty struct {
	files   map[string]bool
	folders map[string]bool
	// all: every name.
	all bool
}

// many is when looking at everything costs less than remembering names.
const many = 20000

func (d *dirty) add(e event) {
	if e.Overflow || len(d.files)+len(d.folders) >= many {
		*d = dirty{all: true}
	}
	if d.all {
		return
	}
	if d.files == nil {
		d.files, d.folders = map[string]bool{}, map[string]bool{}
	}
	if e.Folder {
		d.folders[e.Name] = true
	} else {
		d.files[e.Name] = true
	}
}

// merge puts names back that could not be dealt with.
func (d *dirty) merge(other dirty) {
	if other.all {
		*d = dirty{all: true}
	}
	for name := range other.files {
		d.add(event{Name: name})
	}
	for name := range other.folders {
		d.add(event{Name: name, Folder: true})
	}
}

// change is one file that differs from the last commit.
type change struct {
	name string // in the history
	node node
	// data is the content, or nil where it is read again because all of them together would be too much.
	data    []byte
	deleted bool
	isNew   bool
}

// changes are what a look at the home found.
type changes struct {
	list []change
	// retry are files that were written to meanwhile.
	retry []string
	held  int // bytes of data in list
}

// maxHeld bounds the contents that are held until they are committed.
const maxHeld = 2 << 20

// look compares the dirty names with the last commit. watch is called with each folder before it is read, so that nothing
// that happens later is missed; gone with folders that are no more.
func (t *tree) look(d dirty, watch func(string), gone func([]string)) (changes, error) {
	var c changes
	l := &looker{tree: t, watch: watch, found: map[string]bool{}, blocked: map[string]bool{}}
	if d.all {
		if err := l.walk(""); err != nil {
			return c, err
		}
	} else {
		for name := range d.files {
			l.candidates = append(l.candidates, name)
		}
		for name := range d.folders {
			if info, err := os.Lstat(path.Join(t.home, name)); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
				l.lost = append(l.lost, name)
				if err == nil {
					l.link(name, info.Mode())
				}
				continue
			}
			if err := l.walk(name); err != nil {
				return c, err
			}
		}
		if len(l.lost) > 0 {
			gone(l.lost)
		}
	}
	slices.Sort(l.candidates)
	for _, name := range slices.Compact(l.candidates) {
		t.compare(name, l, &c)
	}
	t.deletions(d, l, &c)
	return c, nil
}

type looker struct {
	tree       *tree
	watch      func(string)
	candidates []string
	// lost are the folders that are not there, blocked those that cannot be read or are links.
	lost    []string
	blocked map[string]bool
	found   map[string]bool // names in the history that are there
}

func (l *looker) walk(folder string) error {
	if !l.tree.table.Folder(folder) {
		return nil
	}
	l.watch(folder)
	entries, err := os.ReadDir(path.Join(l.tree.home, folder))
	delete(l.tree.refused, folder)
	switch {
	case err == nil:
	case folder == "":
		return fmt.Errorf("looking through the home: %w", err)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		l.lost = append(l.lost, folder)
		return nil
	default: // one folder must not stop the history of all others
		l.blocked[folder] = true
		l.tree.refused[folder] = refusal{reason: err.Error()}
		return nil
	}
	for _, entry := range entries {
		name := path.Join(folder, entry.Name())
		switch {
		case entry.IsDir():
			if err := l.walk(name); err != nil {
				return err
			}
		case l.tree.table.File(name):
			l.candidates = append(l.candidates, name)
		default:
			l.link(name, entry.Type())
		}
		if l.tree.table.Reserved(name) {
			l.blocked[name] = true
			l.tree.refused[name] = refusal{reason: keep.ReservedName}
		}
	}
	return nil
}

// link refuses a link in the place of a folder that may hold kept files, as of a job that was moved to another disk. What the history has of it stays.
func (l *looker) link(name string, mode fs.FileMode) {
	if mode&fs.ModeSymlink != 0 && l.tree.table.Folder(name) {
		l.blocked[name] = true
		l.tree.refused[name] = refusal{reason: keep.LinkedFolder}
	}
}

// compare looks at one file of the home.
func (t *tree) compare(name string, l *looker, c *changes) {
	inHistory := cmp.Or(t.users[name], name)
	old, had := t.nodes[inHistory]
	stamp, err := keep.StampOf(path.Join(t.home, name))
	if errors.Is(err, fs.ErrNotExist) {
		return // deletions sees it
	}
	l.found[inHistory] = true // whatever comes: it is there, and its last good content stays
	if r, was := t.refused[name]; err == nil && (was && r.seen == stamp || had && old.seen == stamp && old.home == otherName(name, inHistory)) {
		return
	}
	var data []byte
	if err == nil {
		data, stamp, err = keep.Read(t.home, name)
	}
	if err == nil {
		inHistory, err = t.nameOf(name, data)
	}
	var refused *keep.RefusedError
	switch {
	case err == nil:
		delete(t.refused, name)
		l.found[inHistory] = true
		t.compareData(name, inHistory, keep.Normal(name, data), stamp, c)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, keep.ErrChanging):
		c.retry = append(c.retry, name)
	case errors.As(err, &refused):
		t.refused[name] = refusal{refused.Reason, stamp, refused.Silent}
	default:
		t.refused[name] = refusal{reason: err.Error()} // without a stamp: the next look tries again
	}
}

// nameOf is the name in the history. A user may have two folders after a change of the keys: the one that is known stays.
func (t *tree) nameOf(name string, data []byte) (string, error) {
	inHistory, err := keep.Name(name, data)
	if err != nil {
		return "", &keep.RefusedError{File: name, Reason: err.Error()}
	}
	if old, had := t.nodes[inHistory]; had && inHistory != name && old.home != name {
		other := cmp.Or(old.home, inHistory)
		if _, err := os.Lstat(path.Join(t.home, other)); err == nil {
			return "", fmt.Errorf("the account is in %s as well", other)
		}
	}
	return inHistory, nil
}

func (t *tree) compareData(name, inHistory string, data []byte, stamp keep.Stamp, c *changes) {
	if inHistory != name {
		t.users[name] = inHistory
	}
	old, had := t.nodes[inHistory]
	now := node{hash: git.BlobHash(data), exec: stamp.Executable, seen: stamp, home: otherName(name, inHistory)}
	if had && old.hash == now.hash && old.exec == now.exec {
		t.nodes[inHistory] = now
		return
	}
	one := change{name: inHistory, node: now, isNew: !had}
	if c.held+len(data) <= maxHeld {
		one.data, c.held = data, c.held+len(data)
	}
	c.list = append(c.list, one)
}

func otherName(name, inHistory string) string {
	if name == inHistory {
		return ""
	}
	return name
}

// deletions adds the files of the last commit that were looked for and not found.
func (t *tree) deletions(d dirty, l *looker, c *changes) {
	remove := func(name string) { c.list = append(c.list, change{name: name, deleted: true}) }
	if !d.all && len(d.folders) == 0 {
		for name := range d.files { // the usual case must not cost more in a larger home
			inHistory := cmp.Or(t.users[name], name)
			if n, had := t.nodes[inHistory]; had && !l.found[inHistory] && n.home == otherName(name, inHistory) {
				remove(inHistory)
			}
			if !l.found[inHistory] {
				delete(t.refused, name)
			}
		}
	} else {
		searched := func(name string) bool {
			return (d.all || d.files[name] || within(name, d.folders)) && !within(name, l.blocked)
		}
		for inHistory, n := range t.nodes {
			if !l.found[inHistory] && searched(cmp.Or(n.home, inHistory)) {
				remove(inHistory)
			}
		}
		for name := range t.refused {
			if !l.found[cmp.Or(t.users[name], name)] && searched(name) && !l.blocked[name] {
				delete(t.refused, name)
			}
		}
	}
	slices.SortFunc(c.list, func(a, b change) int { return strings.Compare(a.name, b.name) })
}

// within says whether one of the folders is above the name.
func within(name string, folders map[string]bool) bool {
	for at, r := range name {
		if r == '/' && folders[name[:at]] {
			return true
		}
	}
	return false
}

// apply notes what a commit holds now.
func (t *tree) apply(list []change) {
	for _, one := range list {
		if one.deleted {
			if home := t.nodes[one.name].home; home != "" {
				delete(t.users, home)
			}
			delete(t.nodes, one.name)
			continue
		}
		t.nodes[one.name] = one.node
	}
}
