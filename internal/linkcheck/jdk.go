package linkcheck

import (
	"bufio"
	"bytes"
	"compress/flate"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
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
// (bit 0 is the first of Javas), access, name, superclass, interfaces with commas between; then a line per member that begins with f or
// m, with access, name and descriptor.
func openJDK(java int) (*space, error) {
	bit := slices.Index(Javas(), java)
	if bit < 0 {
		return nil, fmt.Errorf("check links for Java %d: only the releases %v are known", java, Javas())
	}
	s, in := newSpace("Java "+strconv.Itoa(java)), interner{}
	lines := bufio.NewScanner(flate.NewReader(bytes.NewReader(jdkIndex)))
	lines.Buffer(nil, 1<<20)
	var c *class
	for lines.Scan() {
		f := strings.Split(in.str(lines.Bytes()), " ")
		access, err := strconv.ParseUint(f[1], 16, 16)
		switch {
		case err != nil || len(f) < 4:
			return nil, fmt.Errorf("read the index of Java classes: line %q", lines.Text())
		case f[0] == "f" && c != nil:
			c.fields = append(c.fields, member{name: f[2], desc: f[3], access: uint16(access)})
		case f[0] == "m" && c != nil:
			c.methods = append(c.methods, member{name: f[2], desc: f[3], access: uint16(access)})
		case f[0] != "f" && f[0] != "m":
			c = nil
			if mask, _ := strconv.ParseUint(f[0], 16, 16); mask&(1<<bit) != 0 {
				c = &class{name: f[2], super: f[3], access: uint16(access), space: s}
				if len(f) > 4 {
					c.interfaces = strings.Split(f[4], ",")
				}
				s.put(c)
			}
		}
	}
	return s, lines.Err()
}

// writeJDK writes the index: entries in order of their names, each with its mask.
func writeJDK(w io.Writer, classes []maskedClass) error {
	packed, err := flate.NewWriter(w, flate.BestCompression)
	if err != nil {
		return err
	}
	for _, c := range classes {
		line := fmt.Sprintf("%x %x %s %s", c.mask, c.access, c.name, c.super)
		if len(c.interfaces) > 0 {
			line += " " + strings.Join(c.interfaces, ",")
		}
		if _, err := fmt.Fprintln(packed, line); err != nil {
			return err
		}
		for i, members := range [][]member{c.fields, c.methods} {
			for _, m := range members {
				if _, err := fmt.Fprintf(packed, "%c %x %s %s\n", "fm"[i], m.access, m.name, m.desc); err != nil {
					return err
				}
			}
		}
	}
	return packed.Close()
}
