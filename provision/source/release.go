package source

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/ulikunitz/xz"

	"github.com/jomctl/jomctl/provision/catalogue"
)

// maxIndexBytes bounds an index after decompression; Debian's own is 60 MB.
const maxIndexBytes = 512 << 20

// release is a Release file.
type release struct {
	suite, codename  string
	date, validUntil time.Time
	byHash           bool
	files            map[string]indexFile
}

type indexFile struct {
	path, sha256 string
	size         int64
}

func parseRelease(text []byte) (release, error) {
	r := release{files: map[string]indexFile{}}
	fields := stanza(string(text))
	r.suite, r.codename, r.byHash = fields["Suite"], fields["Codename"], fields["Acquire-By-Hash"] == "yes"
	var err error
	for name, to := range map[string]*time.Time{"Date": &r.date, "Valid-Until": &r.validUntil} {
		if fields[name] == "" {
			continue
		}
		// Debian's tools write UTC, apt also accepts RFC 1123 with a numeric zone.
		if *to, err = time.Parse(time.RFC1123, fields[name]); err != nil {
			if *to, err = time.Parse(time.RFC1123Z, fields[name]); err != nil {
				return r, fmt.Errorf("%s of the Release file: %w", name, err)
			}
		}
	}
	for line := range strings.Lines(fields["SHA256"]) {
		parts := strings.Fields(line)
		if len(parts) != 3 {
			continue
		}
		size, err := strconv.ParseInt(parts[1], 10, 64)
		if err != nil {
			return r, fmt.Errorf("size of %s in the Release file: %w", parts[2], err)
		}
		r.files[parts[2]] = indexFile{path: parts[2], sha256: parts[0], size: size}
	}
	if len(r.files) == 0 {
		return r, fmt.Errorf("the Release file has no SHA256 checksums")
	}
	return r, nil
}

// index is the best form of an index that jomctl can read.
func (r release) index(path string) (indexFile, bool) {
	for _, suffix := range []string{".xz", ".gz", ""} {
		if f, ok := r.files[path+suffix]; ok {
			return f, true
		}
	}
	return indexFile{}, false
}

// stanza reads one paragraph of `Key: value` lines; further lines of a value begin with a space.
func stanza(text string) map[string]string {
	fields, last := map[string]string{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			fields[last] += "\n" + strings.TrimSpace(line)
		default:
			key, value, _ := strings.Cut(line, ":")
			fields[key], last = strings.TrimSpace(value), key
		}
	}
	return fields
}

// debPackage is one package of a Packages file.
type debPackage struct {
	name, version, arch, file, sha256 string
	size                              int64
}

func unpackIndex(path string, data []byte) (io.Reader, error) {
	var (
		reader io.Reader = bytes.NewReader(data)
		err    error
	)
	switch {
	case strings.HasSuffix(path, ".xz"):
		reader, err = xz.NewReader(reader)
	case strings.HasSuffix(path, ".gz"):
		reader, err = gzip.NewReader(reader)
	}
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", path, err)
	}
	return io.LimitReader(reader, maxIndexBytes), nil
}

// find gives the wanted version of a package, or the newest, for an architecture; versions are all that are there.
func find(index io.Reader, name, version, arch string) (best debPackage, versions []string, err error) {
	scanner := bufio.NewScanner(index)
	scanner.Buffer(nil, 4<<20)
	scanner.Split(paragraphs)
	for scanner.Scan() {
		text := scanner.Text()
		if !strings.HasPrefix(text, "Package: "+name+"\n") && !strings.Contains(text, "\nPackage: "+name+"\n") {
			continue
		}
		fields := stanza(text)
		if a := fields["Architecture"]; a != arch && a != "all" {
			continue
		}
		size, err := strconv.ParseInt(fields["Size"], 10, 64)
		if err != nil {
			return best, versions, fmt.Errorf("size of %s %s in the index: %w", name, fields["Version"], err)
		}
		p := debPackage{name, fields["Version"], fields["Architecture"], fields["Filename"], fields["SHA256"], size}
		versions = append(versions, p.version)
		if version != "" && p.version != version {
			continue
		}
		if best.name == "" || catalogue.Compare(p.version, best.version) > 0 {
			best = p
		}
	}
	return best, versions, scanner.Err()
}

// paragraphs splits at empty lines.
func paragraphs(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.Index(data, []byte("\n\n")); i >= 0 {
		return i + 2, data[:i+1], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
