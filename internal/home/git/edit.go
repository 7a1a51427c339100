package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Edit is one change of a small commit: a file or folder that is taken away, or a file with its content.
type Edit struct {
	Path       string
	Delete     bool
	Data       []byte
	Executable bool
}

// ErrUnfit means that edits contradict each other: Commit takes them one after the other.
var ErrUnfit = errors.New("the edits do not fit together")

// Modes of the entries of a tree.
const (
	modeFile       = "100644"
	modeExecutable = "100755"
	modeFolder     = "40000"
)

// Edit makes a commit of few changes, as Commit does, deletions first, but at a cost that hardly grows with the repository: it writes
// the files and the folders above them, and reads nothing else. Nothing is changed when it returns an error.
func (r *Repo) Edit(ctx context.Context, c Commit, edits []Edit) (Hash, error) {
	hash, err := r.edit(ctx, c, edits)
	if err != nil {
		return Hash{}, fmt.Errorf("committing to %s: %w", c.Ref, err)
	}
	return hash, nil
}

func (r *Repo) edit(ctx context.Context, c Commit, edits []Edit) (Hash, error) {
	plan, err := newFolder(edits)
	if err != nil {
		return Hash{}, err
	}
	w := &treeWriter{ctx: ctx, repo: r, trees: map[Hash][]byte{}}
	base := entry{}
	if !c.Parent.IsZero() {
		hash, data, err := r.object(ctx, "tree", c.Parent.String()+"^{tree}")
		if err != nil {
			return Hash{}, err
		}
		base = entry{mode: modeFolder, hash: hash}
		w.trees[hash] = data
	}
	root, err := w.folder(base, plan)
	if err == nil && root.IsZero() {
		root, err = w.add("tree", nil)
	}
	if err != nil {
		return Hash{}, err
	}
	who := fmt.Sprintf("%s <jomhome@localhost> %d +0000", person(c.Name), c.When.Unix())
	text := "tree " + root.String() + "\n"
	if !c.Parent.IsZero() {
		text += "parent " + c.Parent.String() + "\n"
	}
	hash, err := w.add("commit", []byte(text+"author "+who+"\ncommitter "+who+"\n\n"+c.Message))
	if err == nil {
		err = store(r.Dir, w.made)
	}
	if err != nil {
		return Hash{}, err
	}
	// git compares and swaps; an old value of zeros says that there is none.
	if _, err := r.Run(ctx, "update-ref", c.Ref, hash.String(), c.Parent.String()); err != nil {
		return Hash{}, err
	}
	r.remember(hash, c.Parent, w)
	return hash, nil
}

// folder is what happens in one folder, by the names in it.
type folder map[string]*action

type action struct {
	gone bool  // what was there is taken away first
	file *Edit // and a file put there
	in   folder
}

func newFolder(edits []Edit) (folder, error) {
	root := folder{}
	for i, e := range edits {
		at, parts := root, strings.Split(e.Path, "/")
		for n, part := range parts {
			if part == "" || part == "." || part == ".." || part == ".git" || strings.Contains(part, "\x00") {
				return nil, fmt.Errorf("%w: the name %q", ErrUnfit, e.Path)
			}
			a := at[part]
			if a == nil {
				a = &action{}
				at[part] = a
			}
			switch {
			case n < len(parts)-1:
				if a.in == nil {
					a.in = folder{}
				}
				at = a.in
			case e.Delete:
				a.gone = true
			default:
				a.file = &edits[i]
			}
		}
	}
	return root, root.check()
}

// check refuses a name that would be a file and a folder.
func (f folder) check() error {
	for name, a := range f {
		if a.file != nil && a.in.writes() {
			return fmt.Errorf("%w: %q is a file and a folder", ErrUnfit, name)
		}
		if err := a.in.check(); err != nil {
			return err
		}
	}
	return nil
}

func (f folder) writes() bool {
	for _, a := range f {
		if a.file != nil || a.in.writes() {
			return true
		}
	}
	return false
}

// entry is one line of a tree.
type entry struct {
	name, mode string
	hash       Hash
}

// before says whether an entry comes before another in git's order: that of the names, a folder's as if it ended with a slash.
func (e entry) before(l line) bool {
	common := min(len(e.name), len(l.name))
	for i := range common {
		if e.name[i] != l.name[i] {
			return e.name[i] < l.name[i]
		}
	}
	return end(e.name, common, e.mode) < end(l.name, common, l.mode)
}

// end is what follows the common part of two names.
func end[T, M string | []byte](name T, common int, mode M) byte {
	switch {
	case len(name) > common:
		return name[common]
	case string(mode) == modeFolder:
		return '/'
	}
	return 0
}

func (e entry) bytes(to []byte) []byte {
	to = append(append(append(to, e.mode...), ' '), e.name...)
	return append(append(to, 0), e.hash[:]...)
}

// treeWriter makes the objects of a commit.
type treeWriter struct {
	ctx   context.Context
	repo  *Repo
	made  []looseObject
	trees map[Hash][]byte // contents of trees that were read or made
}

func (w *treeWriter) add(kind string, data []byte) (Hash, error) {
	o, err := encode(kind, data)
	if err != nil {
		return Hash{}, err
	}
	w.made = append(w.made, o)
	if kind == "tree" {
		w.trees[o.hash] = data
	}
	return o.hash, nil
}

// folder makes the tree that was at an entry what the plan says, and returns its name, or zero for a folder with nothing in it.
func (w *treeWriter) folder(was entry, plan folder) (Hash, error) {
	var old []byte
	if was.mode == modeFolder {
		var err error
		if old, err = w.read(was.hash); err != nil {
			return Hash{}, err
		}
	}
	kept := make([]byte, 0, len(old)+256)
	before := map[string]entry{}
	for rest := old; len(rest) > 0; {
		e, size, err := firstEntry(rest)
		if err != nil {
			return Hash{}, fmt.Errorf("reading the tree %s: %w", was.hash, err)
		}
		if plan[string(e.name)] == nil {
			kept = append(kept, rest[:size]...)
		} else {
			before[string(e.name)] = entry{string(e.name), string(e.mode), e.hash}
		}
		rest = rest[size:]
	}
	var fresh []entry
	for name, a := range plan {
		e, err := w.entry(before[name], name, a)
		if err != nil {
			return Hash{}, err
		}
		if e.mode != "" {
			fresh = append(fresh, e)
		}
	}
	data, err := merge(kept, fresh)
	if err != nil || len(data) == 0 {
		return Hash{}, err
	}
	if bytes.Equal(data, old) {
		return was.hash, nil
	}
	return w.add("tree", data)
}

// entry is what an action leaves; without a mode it is nothing.
func (w *treeWriter) entry(was entry, name string, a *action) (entry, error) {
	if a.gone {
		was = entry{}
	}
	var err error
	switch {
	case a.file != nil:
		was = entry{name: name, mode: modeFile}
		if a.file.Executable {
			was.mode = modeExecutable
		}
		was.hash, err = w.add("blob", a.file.Data)
	case a.in == nil:
	case was.mode != modeFolder && !a.in.writes(): // nothing to take away in there
	default:
		var hash Hash
		if hash, err = w.folder(was, a.in); hash.IsZero() {
			return entry{}, err
		}
		was = entry{name, modeFolder, hash}
	}
	return was, err
}

func (w *treeWriter) read(tree Hash) ([]byte, error) {
	if data, ok := w.trees[tree]; ok {
		return data, nil
	}
	if data, ok := w.repo.recall(tree); ok {
		return data, nil
	}
	_, data, err := w.repo.object(w.ctx, "tree", tree.String())
	return data, err
}

// line is an entry where it lies in the tree's content.
type line struct {
	name, mode []byte
	hash       Hash
}

// firstEntry reads the first entry of a tree and how long it is.
func firstEntry(data []byte) (line, int, error) {
	space := bytes.IndexByte(data, ' ')
	end := bytes.IndexByte(data, 0)
	if space <= 0 || end < space || len(data) < end+1+len(Hash{}) {
		return line{}, 0, errors.New("it is damaged")
	}
	size := end + 1 + len(Hash{})
	return line{data[space+1 : end], data[:space], Hash(data[end+1 : size])}, size, nil
}

// merge puts entries into the content of a tree, in git's order.
func merge(kept []byte, fresh []entry) ([]byte, error) {
	slices.SortFunc(fresh, func(a, b entry) int {
		if a.before(line{[]byte(b.name), []byte(b.mode), b.hash}) {
			return -1
		}
		return 1 // no name is there twice
	})
	out := make([]byte, 0, len(kept)+64*len(fresh))
	for len(kept) > 0 && len(fresh) > 0 {
		l, size, err := firstEntry(kept)
		switch {
		case err != nil:
			return nil, err
		case fresh[0].before(l):
			out, fresh = fresh[0].bytes(out), fresh[1:]
		default:
			out, kept = append(out, kept[:size]...), kept[size:]
		}
	}
	for _, e := range fresh {
		out = e.bytes(out)
	}
	return append(out, kept...), nil
}
