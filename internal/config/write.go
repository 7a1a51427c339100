package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"
)

// Clone is a deep copy.
func (c *Cluster) Clone() *Cluster {
	return clone(reflect.ValueOf(c)).Interface().(*Cluster)
}

func clone(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(clone(v.Elem()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			out.Field(i).Set(clone(v.Field(i)))
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				out.Index(i).Set(clone(v.Index(i)))
			}
		}
	case reflect.Map:
		if !v.IsNil() {
			out.Set(reflect.MakeMap(v.Type()))
			for _, k := range v.MapKeys() {
				out.SetMapIndex(k, v.MapIndex(k))
			}
		}
	default:
		out.Set(v)
	}
	return out
}

// leaf is one value of the file. Lists and sources count as one value.
type leaf struct {
	path  string
	index []int
}

// leaves lists the values of a struct, without those below a nil pointer.
func leaves(v reflect.Value, path string, index []int) []leaf {
	var found []leaf
	for i := range v.NumField() {
		key, ok := keyOf(v.Type().Field(i))
		if !ok {
			continue
		}
		at := append(append([]int(nil), index...), i)
		field := v.Field(i)
		if field.Kind() == reflect.Pointer {
			if field.IsNil() {
				continue
			}
			field = field.Elem()
		}
		if isSection(field.Type()) {
			found = append(found, leaves(field, join(path, key), at)...)
			continue
		}
		found = append(found, leaf{join(path, key), at})
	}
	return found
}

// isSection says that the type is a group of keys of its own, not one value.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[Source]()
}

// get is the value of a leaf, or not valid below a nil pointer.
func (l leaf) get(c *Cluster) reflect.Value {
	v := reflect.ValueOf(c).Elem()
	for _, i := range l.index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v
}

// isList is 1 for lists and 0 for everything else, to sort by.
func (l leaf) isList(c *Cluster) int {
	if l.get(c).Kind() == reflect.Slice {
		return 1
	}
	return 0
}

// set copies the value of a leaf; the zero value takes it out.
func (l leaf) set(c *Cluster, value reflect.Value) {
	v := reflect.ValueOf(c).Elem()
	for _, i := range l.index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	v.Set(clone(value))
}

func sameValue(a, b reflect.Value) bool {
	if !a.IsValid() || !b.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	if k := a.Kind(); (k == reflect.Slice || k == reflect.Map) && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// minimal finds the values that a file must have so that Default makes the given, complete cluster of it.
func minimal(full *Cluster) (live map[string]bool, err error) {
	all := leaves(reflect.ValueOf(full).Elem(), "", nil)
	live = map[string]bool{"apiVersion": true, "name": true, "target": true}
	build := func() *Cluster {
		c := &Cluster{}
		for _, l := range all {
			if live[l.path] {
				l.set(c, l.get(full))
			}
		}
		Default(c)
		return c
	}
	differs := func(c *Cluster) (paths []string) {
		for _, l := range all {
			if !sameValue(l.get(c), l.get(full)) {
				paths = append(paths, l.path)
			}
		}
		return paths
	}
	for {
		more := false
		for _, path := range differs(build()) {
			if live[path] {
				return nil, fmt.Errorf("write cluster.yaml: %s cannot be left empty", path)
			}
			live[path], more = true, true
		}
		if !more {
			break
		}
	}
	slices.SortStableFunc(all, func(a, b leaf) int { return b.isList(full) - a.isList(full) })
	for _, l := range all { // what follows from another value goes, the long lists first
		if live[l.path] && l.path != "apiVersion" && l.path != "name" && l.path != "target" {
			delete(live, l.path)
			if len(differs(build())) > 0 {
				live[l.path] = true
			}
		}
	}
	return live, nil
}

// Marshal writes a cluster as a commented file: the values that differ from the defaults, everything else as comments that
// only need their # removed. Parse of it gives the same cluster, completed. The cluster must be valid; otherwise the error is
// Problems.
func Marshal(c *Cluster) ([]byte, error) {
	full := c.Clone()
	Default(full)
	if err := Validate(full); err != nil {
		return nil, err
	}
	live, err := minimal(full)
	if err != nil {
		return nil, err
	}
	w := &writer{live: live, docs: comments(), hints: true}
	w.line(0, -1, "# A cluster of jomctl: Jenkins on Mesos. Lines that begin with # and no space are the defaults, or examples.")
	w.line(0, -1, "# `jomctl config show` prints the whole of it, `jomctl config schema` is for your editor.")
	w.section(reflect.ValueOf(full).Elem(), reflect.ValueOf(example()).Elem(), "", 0, -1)
	back, err := Parse(w.out.Bytes(), full.File)
	if err != nil {
		return nil, fmt.Errorf("write cluster.yaml: what was written cannot be read: %w", err)
	}
	for _, l := range leaves(reflect.ValueOf(full).Elem(), "", nil) {
		if !sameValue(l.get(back), l.get(full)) {
			return nil, fmt.Errorf("write cluster.yaml: %s was not kept", l.path)
		}
	}
	return w.out.Bytes(), nil
}

// Show is the complete cluster with all defaults as YAML, without comments. It is itself a valid file.
func Show(c *Cluster) []byte {
	full := c.Clone()
	Default(full)
	w := &writer{live: map[string]bool{}}
	for _, l := range leaves(reflect.ValueOf(full).Elem(), "", nil) {
		if v := l.get(full); !v.IsZero() {
			w.live[l.path] = true
		}
	}
	w.section(reflect.ValueOf(full).Elem(), reflect.Value{}, "", 0, -1)
	return w.out.Bytes()
}

// Write puts Marshal's text into a file with mode 0644, whole or not at all. Without overwrite an existing file is kept and
// the error is fs.ErrExist.
func Write(path string, c *Cluster, overwrite bool) error {
	named := c.Clone()
	named.File = path
	text, err := Marshal(named)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".cluster-*.yaml")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	switch {
	case err != nil:
	case overwrite:
		err = os.Rename(f.Name(), path)
	default: // unlike a rename, a link never replaces
		if err = os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
			err = createNew(path, text) // file systems without links
		}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func createNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// example has the sections that have no defaults, for the comments in a new file.
func example() *Cluster {
	c := &Cluster{
		Jenkins:     Jenkins{SCM: &SCM{Repository: "git@git.example:ci/jenkins-home.git", Key: "file:~/.ssh/jenkins_sync"}},
		Backup:      &Backup{Repository: "/srv/backup/jenkins"},
		Maintenance: &Maintenance{Windows: []Window{{Days: []string{"sat"}, Start: "22:00", Length: Duration(4 * time.Hour), Zone: "Europe/Berlin"}}},
		Drill:       &Drill{Targets: []DrillTarget{{Scenario: "controller-killed", Recovery: seconds(60)}}},
		Tuning:      &Tuning{AgentPing: seconds(5), AgentPings: 3},
		Watch:       &Watch{Webhook: "file:~/.ssh/alert_webhook"},
	}
	Default(c)
	c.SSH = nil
	return c
}
