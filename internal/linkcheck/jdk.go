package linkcheck

import (
	"bytes"
	"compress/flate"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strconv"
)

//go:generate go run ./jdkgen -o jdk.bin /usr/lib/jvm/temurin-25-jdk-amd64/lib/ct.sym

// jdkIndex has the classes that Java programs may link to, of each release in Javas: the public and protected API that the ct.sym
// file of a JDK 25 holds for compiling against older releases.
//
//go:embed jdk.bin
var jdkIndex []byte

// Javas are the Java releases that can be checked for: those that Jenkins cores run on.
func Javas() []int { return []int{8, 11, 17, 21, 25} }

// openJDK gives the classes of a Java release. The index is compressed text: a line per class and variant with a mask of releases
// (bit 0 is the first of Javas), access, name, superclass, interfaces with commas between; then a line per member that begins with F or
// M, with access, name and descriptor.
func openJDK(java int, in *names) (*space, error) { return readIndex(jdkIndex, java, in) }

func readIndex(index []byte, java int, in *names) (*space, error) {
	bit := slices.Index(Javas(), java)
	if bit < 0 {
		return nil, fmt.Errorf("check links for Java %d: only the releases %v are known", java, Javas())
	}
	s := newSpace("Java "+strconv.Itoa(java), in)
	if java < 9 {
		s.unlisted = []string{"sun/", "com/sun/", "jdk/", "oracle/"}
	}
	text, err := io.ReadAll(flate.NewReader(bytes.NewReader(index)))
	if err != nil {
		return nil, fmt.Errorf("read the index of Java classes: %w", err)
	}
	var c *class
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		if isMember := line[0] == 'F' || line[0] == 'M'; isMember && c == nil {
			continue
		} else if c, err = c.indexLine(line, isMember, bit, in); err != nil {
			return nil, err
		}
		if c != nil && c.space == nil {
			c.space = s
			s.put(c)
		}
	}
	return s, nil
}

// indexLine reads one line into the class c that it belongs to, or gives the class that begins with it; nil where the release has none.
func (c *class) indexLine(line []byte, isMember bool, bit int, in *names) (*class, error) {
	var f [5][]byte
	rest := line
	for i := range f {
		f[i], rest, _ = bytes.Cut(rest, []byte(" "))
	}
	access, err := strconv.ParseUint(string(f[1]), 16, 16)
	if err != nil {
		return nil, fmt.Errorf("read the index of Java classes: line %q: %w", line, err)
	}
	if isMember {
		m := decl{name: in.of(f[2]), desc: in.of(f[3]), access: uint16(access)}
		if line[0] == 'F' {
			c.fields = append(c.fields, m)
		} else {
			c.methods = append(c.methods, m)
		}
		return c, nil
	}
	if mask, _ := strconv.ParseUint(string(f[0]), 16, 16); mask&(1<<bit) == 0 {
		return nil, nil
	}
	c = &class{id: in.of(f[2]), super: in.of(f[3]), access: uint16(access)}
	c.name = in.text(c.id)
	for len(f[4]) > 0 {
		var name []byte
		name, f[4], _ = bytes.Cut(f[4], []byte(","))
		c.interfaces = append(c.interfaces, in.of(name))
	}
	return c, nil
}

// writeJDK writes the index: entries in order of their names, each with its mask.
func writeJDK(w io.Writer, classes []maskedClass, in *names) error {
	packed, err := flate.NewWriter(w, flate.BestCompression)
	if err != nil {
		return err
	}
	for _, c := range classes {
		line := fmt.Sprintf("%x %x %s %s", c.mask, c.access, c.name, in.text(c.super))
		for i, name := range c.interfaces {
			line += " ,"[min(i, 1):][:1] + in.text(name)
		}
		if _, err := fmt.Fprintln(packed, line); err != nil {
			return err
		}
		for i, members := range [][]decl{c.fields, c.methods} {
			for _, m := range members {
				if _, err := fmt.Fprintf(packed, "%c %x %s %s\n", "FM"[i], m.access, in.text(m.name), in.text(m.desc)); err != nil {
					return err
				}
			}
		}
	}
	return packed.Close()
}
