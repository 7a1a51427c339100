package linkcheck

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"sort"
	"strconv"
	"strings"
)

// Bounds of what is unpacked: several times the largest seen in real wars and plugins, and nothing that exhausts a machine.
const (
	largestClass   = 16 << 20
	largestJar     = 512 << 20
	largestText    = 4 << 20
	mostEntries    = 300_000
	largestClasses = 2 << 30 // all class files of one jar together
)

var errBomb = errors.New("unpacks to more than can be meant")

// archive is an open zip file, on disk or within another one.
type archive struct {
	name      string // path, or path!entry
	zip       *zip.Reader
	data      []byte // of one within another
	unpackers *unpackers
	closer    io.Closer
}

func openArchive(file string) (*archive, error) {
	z, err := zip.OpenReader(file)
	if err != nil {
		return nil, fmt.Errorf("open %s as a zip archive: %w", file, err)
	}
	a := &archive{name: file, zip: &z.Reader, unpackers: &unpackers{}, closer: z}
	if len(a.zip.File) > mostEntries {
		return nil, errors.Join(fmt.Errorf("%s has %d entries: %w", file, len(a.zip.File), errBomb), z.Close())
	}
	return a, nil
}

func (a *archive) close() {
	if a.closer != nil {
		_ = a.closer.Close() // opened for reading only
	}
}

// open opens an archive within this one, in memory: that of the buffer, which is not to be used again before the archive is done with.
func (a *archive) open(f *zip.File, memory *bytes.Buffer) (*archive, error) {
	if err := a.readInto(memory, f, largestJar); err != nil {
		return nil, err
	}
	inner := &archive{name: a.name + "!" + f.Name, data: memory.Bytes(), unpackers: a.unpackers}
	var err error
	if inner.zip, err = zip.NewReader(bytes.NewReader(inner.data), int64(len(inner.data))); err != nil {
		return nil, fmt.Errorf("open %s as a zip archive: %w", inner.name, err)
	}
	if len(inner.zip.File) > mostEntries {
		return nil, fmt.Errorf("%s has %d entries: %w", inner.name, len(inner.zip.File), errBomb)
	}
	return inner, nil
}

func (a *archive) openEntry(name string, memory *bytes.Buffer) (*archive, error) {
	f := a.find(name)
	if f == nil {
		return nil, fmt.Errorf("open %s!%s: the archive was changed meanwhile", a.name, name)
	}
	return a.open(f, memory)
}

// read unpacks one entry of at most limit bytes.
func (a *archive) read(f *zip.File, limit int64) ([]byte, error) {
	var b bytes.Buffer
	err := a.readInto(&b, f, limit)
	return b.Bytes(), err
}

// readInto is read into a buffer that is used again.
func (a *archive) readInto(b *bytes.Buffer, f *zip.File, limit int64) error {
	b.Reset()
	if f.UncompressedSize64 > uint64(limit) {
		return fmt.Errorf("read %s!%s: %d bytes: %w", a.name, f.Name, f.UncompressedSize64, errBomb)
	}
	b.Grow(int(min(f.UncompressedSize64, f.CompressedSize64*16+bytes.MinRead)) + bytes.MinRead) // trust no size that a bomb may state
	u := a.unpackers.get()
	defer a.unpackers.put(u)
	if err := u.read(b, a, f, limit); err != nil {
		return fmt.Errorf("read %s!%s: %w", a.name, f.Name, err)
	}
	return nil
}

// find gives an entry by its name, nil where there is none.
func (a *archive) find(name string) *zip.File {
	for _, f := range a.zip.File {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// text reads a small entry, empty where there is none.
func (a *archive) text(name string) (string, error) {
	f := a.find(name)
	if f == nil {
		return "", nil
	}
	b, err := a.read(f, largestText)
	return string(b), err
}

// within gives the entries directly in a folder that end as asked, in order of their names.
func (a *archive) within(folder, suffix string) []*zip.File {
	var found []*zip.File
	for _, f := range a.zip.File {
		if strings.HasSuffix(f.Name, suffix) && path.Dir(f.Name)+"/" == folder {
			found = append(found, f)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Name < found[j].Name })
	return found
}

// classEntries gives the class files below a folder ("" or "WEB-INF/classes/") by the name their class must have, as Java java sees
// them: a multi-release jar's versions replace its base.
func (a *archive) classEntries(root string, java int) (map[string]*zip.File, error) {
	manifest, err := a.text("META-INF/MANIFEST.MF")
	if err != nil {
		return nil, err
	}
	multi := root == "" && strings.EqualFold(parseManifest(manifest)["multi-release"], "true")
	entries, release := map[string]*zip.File{}, map[string]int{}
	for _, f := range a.zip.File {
		name, ok := strings.CutPrefix(f.Name, root)
		if name, ok = strings.CutSuffix(name, ".class"); !ok || !strings.HasPrefix(f.Name, root) {
			continue
		}
		version := 8
		if rest, inMeta := strings.CutPrefix(name, "META-INF/"); inMeta {
			rest, versioned := strings.CutPrefix(rest, "versions/")
			number, rest, _ := strings.Cut(rest, "/")
			if version, err = strconv.Atoi(number); err != nil || !versioned || !multi || version < 9 || version > java {
				continue
			}
			name = rest
		}
		if path.Base(name) == "module-info" || entries[name] != nil && release[name] >= version {
			continue
		}
		entries[name], release[name] = f, version
	}
	return entries, nil
}
