package linkcheck

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"sort"
	"strings"
)

const classesFolder = "WEB-INF/classes/"

// startIndexes are the lists, written when a plugin is built, of classes that Jenkins loads when it starts.
var startIndexes = []string{"hudson.Extension", "org.jenkinsci.plugins.variant.OptionalExtension", "hudson.init.Initializer"}

var wordOfClass = regexp.MustCompile(`[\w.$]+`)

// readJar reads the headers of all classes of the jar j of archive a.
func (s *set) readJar(ctx context.Context, w *worker, a *archive, j *jar, into *space) error {
	inner, root, err := within(a, j.entry, &w.jar)
	if err != nil {
		return err
	}
	entries, sorted, err := inner.sortedClasses(root, s.java)
	if err != nil {
		return err
	}
	w.links, w.numbers = w.links[:0], emptied(w.numbers)
	total := uint64(0)
	for _, name := range sorted {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := inner.readInto(&w.class, entries[name], largestClass); err != nil {
			return err
		}
		if total += uint64(w.class.Len()); total > largestClasses {
			return fmt.Errorf("the classes of %s!%s: %w", a.name, j.entry, errBomb)
		}
		c, err := s.header(w, w.class.Bytes(), name, j)
		if err != nil {
			return fmt.Errorf("read %s!%s: %w", inner.name, entries[name].Name, err)
		}
		if c != nil {
			c.space, c.jar = into, j
			j.classes = append(j.classes, c)
		}
	}
	if j.plugin == nil {
		return nil
	}
	j.links = slices.Clone(w.links)
	return j.readStarts(inner, root)
}

// emptied makes room for new entries, in the same memory where that is not a waste.
func emptied(m map[link]uint32) map[link]uint32 {
	const worth = 1 << 14 // clearing costs as much as there is room
	if len(m) > worth {
		return map[link]uint32{}
	}
	clear(m)
	return m
}

// sortedClasses are the class files below a folder with their names in order.
func (a *archive) sortedClasses(root string, java int) (map[string]*zip.File, []string, error) {
	entries, err := a.classEntries(root, java)
	return entries, slices.Sorted(maps.Keys(entries)), err
}

// within opens the jar of an entry, or the archive itself for WEB-INF/classes/.
func within(a *archive, entry string, memory *bytes.Buffer) (inner *archive, root string, err error) {
	if entry == classesFolder {
		return a, classesFolder, nil
	}
	inner, err = a.openEntry(entry, memory)
	return inner, "", err
}

// servletClass says which of the container's classes it shows to Jenkins.
func servletClass(name string) bool {
	return strings.HasPrefix(name, "javax/") || strings.HasPrefix(name, "jakarta/")
}

// header reads one class. A class that no class loader would find under its path gives nil, one for a later Java its name alone.
func (s *set) header(w *worker, b []byte, name string, j *jar) (*class, error) {
	if len(b) >= 8 && binary.BigEndian.Uint32(b) == 0xCAFEBABE && int(binary.BigEndian.Uint16(b[6:])) > 44+s.java {
		c := &class{name: name, id: s.names.of([]byte(name)), major: binary.BigEndian.Uint16(b[6:]), access: accPublic}
		if j.tooNew == nil && j.plugin != nil {
			j.tooNew = c
		}
		return c, nil
	}
	if j.plugin == nil {
		c, err := w.read(b, nil)
		if err != nil || c == nil || c.name != name {
			return nil, err
		}
		return c, nil
	}
	w.refs = w.refs[:0]
	c, err := w.read(b, w.number)
	if err != nil || c == nil || c.name != name {
		return nil, err
	}
	c.refs = w.made.clone(w.refs)
	return c, nil
}

// number gives a link its number in the jar.
func (w *worker) number(l link) {
	n, ok := w.numbers[l]
	if !ok {
		n = uint32(len(w.links))
		w.numbers[l] = n
		w.links = append(w.links, l)
	}
	w.refs = append(w.refs, n)
}

// readStarts reads the indexes of classes that Jenkins loads when it starts.
func (j *jar) readStarts(a *archive, root string) error {
	j.starts = map[string]bool{}
	for _, index := range startIndexes {
		for _, folder := range []string{"META-INF/annotations/", "META-INF/services/annotations/"} {
			for _, suffix := range []string{"", ".txt"} {
				text, err := a.text(root + folder + index + suffix)
				if err != nil {
					return err
				}
				for _, name := range namesInIndex(text) {
					j.starts[strings.ReplaceAll(name, ".", "/")] = true
				}
			}
		}
	}
	if j.plugin.main != "" {
		j.starts[j.plugin.main] = true
	}
	return nil
}

// namesInIndex gives what may be class names in an index: a list of lines, or serialized Java objects (SezPoz), whose strings are
// a 't' and two bytes of length before the text.
func namesInIndex(text string) []string {
	if !strings.HasPrefix(text, "\xac\xed") {
		return wordOfClass.FindAllString(text, -1)
	}
	var names []string
	for i := 0; i+3 < len(text); i++ {
		if text[i] != 't' {
			continue
		}
		n := int(text[i+1])<<8 | int(text[i+2])
		if i+3+n <= len(text) && wordOfClass.FindString(text[i+3:i+3+n]) == text[i+3:i+3+n] && n > 0 {
			names = append(names, text[i+3:i+3+n])
		}
	}
	return names
}

// own says whether a jar has the plugin's own classes: WEB-INF/classes, or the jar that is named after it.
func (j *jar) own() bool {
	base := strings.TrimSuffix(path.Base(j.entry), ".jar")
	return j.entry == classesFolder || len(j.starts) > 0 && j.startsHere() ||
		base == j.plugin.name || strings.HasPrefix(base, j.plugin.name+"-") && strings.ContainsAny(base[len(j.plugin.name)+1:][:1], "0123456789")
}

// has says whether a class is in the jar.
func (j *jar) has(name string) bool {
	i := sort.Search(len(j.classes), func(i int) bool { return j.classes[i].name >= name })
	return i < len(j.classes) && j.classes[i].name == name
}

// superseded says that a good part of a library is never loaded, because another version of it comes first.
func (j *jar) superseded() bool { return j.shadowed*4 > len(j.classes) }

// startsHere says whether the jar has one of the classes of its start indexes.
func (j *jar) startsHere() bool {
	for _, c := range j.classes {
		if j.starts[c.name] {
			return true
		}
	}
	return false
}

// again opens the jar again, and its archive for as long as use runs.
func (j *jar) again(use func(inner *archive, root string) error) error {
	a, err := openArchive(j.file)
	if err != nil {
		return err
	}
	defer a.close()
	if j.inWar != "" {
		if a, err = a.openEntry(j.inWar, &bytes.Buffer{}); err != nil {
			return err
		}
	}
	inner, root, err := within(a, j.entry, &bytes.Buffer{})
	if err != nil {
		return err
	}
	return use(inner, root)
}

// reread opens the jar again and gives each class named to yield, with its whole file.
func (j *jar) reread(names map[string]bool, java int, yield func(name string, b []byte) error) error {
	return j.again(func(inner *archive, root string) error {
		entries, err := inner.classEntries(root, java)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		for _, c := range j.classes {
			f := entries[c.name]
			if f == nil || !names[c.name] {
				continue
			}
			if err := inner.readInto(&b, f, largestClass); err != nil {
				return err
			}
			if err := yield(c.name, b.Bytes()); err != nil {
				return fmt.Errorf("read %s!%s: %w", inner.name, f.Name, err)
			}
		}
		return nil
	})
}
