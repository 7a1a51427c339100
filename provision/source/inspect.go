package source

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/blakesmith/ar"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/jomctl/jomctl/provision/catalogue"
)

// Contents is what an artefact carries.
type Contents struct {
	// Package, Version and Arch are those of a Debian package's control file or an RPM package's header.
	Package, Version, Arch string
	// Programs are the paths of the programs, units and libraries that jomctl knows, relative to the root.
	Programs []string
	// JavaBinding is unknown where there is no libmesos.so inside.
	JavaBinding catalogue.JavaBinding
}

// known are the files that are worth to be remembered.
var known = regexp.MustCompile(`(^|/)(mesos-(master|agent|slave|executor|containerizer)|marathon|libmesos[^/]*\.so[^/]*|[^/]+\.service)$`)

// jniSymbol is in the table of symbols of a libmesos.so that Java can load.
var jniSymbol = []byte("Java_org_apache_mesos_")

func newBytes(data []byte) io.Reader { return bytes.NewReader(data) }

// Inspect looks into a Debian or RPM package, a tar or a zip archive.
func Inspect(file string) (Contents, error) {
	c := Contents{JavaBinding: catalogue.BindingUnknown}
	f, err := os.Open(file)
	if err != nil {
		return c, err
	}
	defer f.Close()
	magic := make([]byte, 8)
	if _, err := io.ReadFull(f, magic); err != nil {
		return c, nil // shorter than any archive
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return c, err
	}
	switch {
	case string(magic) == "!<arch>\n":
		err = c.deb(f)
	case bytes.HasPrefix(magic, []byte("PK\x03\x04")):
		err = c.zip(file)
	case bytes.HasPrefix(magic, []byte{0xed, 0xab, 0xee, 0xdb}):
		err = c.rpm(f)
	default:
		err = c.tar(f)
	}
	if err != nil {
		return c, fmt.Errorf("look into %s, which is damaged or no archive: %w", file, err)
	}
	slices.Sort(c.Programs)
	return c, nil
}

func (c *Contents) deb(f io.Reader) error {
	reader := ar.NewReader(f)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch name := strings.TrimSuffix(header.Name, "/"); {
		case strings.HasPrefix(name, "control.tar"):
			err = c.control(reader)
		case strings.HasPrefix(name, "data.tar"):
			err = c.tar(reader)
		}
		if err != nil {
			return err
		}
	}
}

// decompress recognises a stream by its first bytes.
func decompress(r io.Reader) (io.Reader, error) {
	head := make([]byte, 6)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	head = head[:n]
	r = io.MultiReader(bytes.NewReader(head), r)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzip.NewReader(r)
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")):
		return xz.NewReader(r)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
	case bytes.HasPrefix(head, []byte("BZh")):
		return bzip2.NewReader(r), nil
	}
	return r, nil
}

func eachFile(r io.Reader, visit func(name string, r io.Reader) error) error {
	plain, err := decompress(r)
	if err != nil {
		return err
	}
	archive := tar.NewReader(plain)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if header.Typeflag == tar.TypeDir {
			continue
		}
		if err := visit(path.Clean("/" + header.Name)[1:], archive); err != nil {
			return err
		}
	}
}

func (c *Contents) control(r io.Reader) error {
	return eachFile(r, func(name string, r io.Reader) error {
		if name != "control" {
			return nil
		}
		text, err := io.ReadAll(io.LimitReader(r, 1<<20))
		if err != nil {
			return err
		}
		fields := stanza(string(text))
		c.Package, c.Version, c.Arch = fields["Package"], fields["Version"], fields["Architecture"]
		return nil
	})
}

func (c *Contents) tar(r io.Reader) error { return eachFile(r, c.visit) }

func (c *Contents) zip(file string) error {
	archive, err := zip.OpenReader(file)
	if err != nil {
		return err
	}
	defer archive.Close()
	for _, one := range archive.File {
		if one.FileInfo().IsDir() {
			continue
		}
		r, err := one.Open()
		if err != nil {
			return err
		}
		err = c.visit(path.Clean("/" + one.Name)[1:], r)
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Contents) visit(name string, r io.Reader) error {
	if !known.MatchString(name) {
		return nil
	}
	c.Programs = append(c.Programs, name)
	if !strings.HasPrefix(path.Base(name), "libmesos") {
		return nil
	}
	found, empty, err := contains(r, jniSymbol)
	switch {
	case err != nil || empty: // a link has no content
		return err
	case found:
		c.JavaBinding = catalogue.BindingYes
	case c.JavaBinding == catalogue.BindingUnknown:
		c.JavaBinding = catalogue.BindingNo
	}
	return nil
}

// contains searches a stream.
func contains(r io.Reader, what []byte) (found, empty bool, err error) {
	buffer, kept := make([]byte, 1<<20), 0
	empty = true
	for {
		n, err := r.Read(buffer[kept:])
		empty = empty && n == 0
		if bytes.Contains(buffer[:kept+n], what) {
			return true, false, nil
		}
		if errors.Is(err, io.EOF) {
			return false, empty, nil
		}
		if err != nil {
			return false, empty, err
		}
		start := max(0, kept+n-len(what)+1)
		kept = copy(buffer, buffer[start:kept+n])
	}
}

// learn takes over what was seen inside an artefact, which is truer than what was said about it.
func (r *Result) learn(inside Contents) {
	p := &r.Plan
	if inside.JavaBinding != "" && inside.JavaBinding != catalogue.BindingUnknown && p.Component == Mesos {
		p.JavaBinding = inside.JavaBinding
		r.note("its libmesos.so %s a Java binding", map[bool]string{true: "has", false: "has not"}[inside.JavaBinding == catalogue.BindingYes])
	}
	if p.Package == "" {
		p.Package, p.Version = inside.Package, inside.Version
	}
	if p.Component == Mesos && p.MesosVersion == "" {
		p.MesosVersion, _, _ = strings.Cut(inside.Version, "-")
	}
}
