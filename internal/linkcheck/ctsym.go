package linkcheck

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// maskedClass is a class of Java with the releases that have it in this form, bit 0 for the first of Javas.
type maskedClass struct {
	*class
	mask uint
}

// WriteJDK writes the index of Java classes that this package carries, from the lib/ct.sym of a JDK that is as new as the newest
// of Javas. In it, each class file is in a folder named by the releases that have it in that form: 8, 9, A for 10, and so on.
func WriteJDK(w io.Writer, ctSym string) error {
	a, err := openArchive(ctSym)
	if err != nil {
		return err
	}
	defer a.close()
	exported := make([]map[string]bool, len(Javas())) // by release, packages; nil before there were modules
	var classes []maskedClass
	in := &classReader{names: newNames()}
	for _, f := range a.zip.File {
		folder, name, _ := strings.Cut(f.Name, "/")
		_, name, _ = strings.Cut(name, "/") // the module
		mask := releases(folder)
		if mask == 0 || !strings.HasSuffix(name, ".sig") {
			continue
		}
		b, err := a.read(f, largestClass)
		if err != nil {
			return err
		}
		if name == "module-info.sig" {
			if err := readExports(b, in, mask, exported); err != nil {
				return fmt.Errorf("read %s!%s: %w", ctSym, f.Name, err)
			}
			continue
		}
		c, err := in.read(b, nil)
		if err != nil {
			return fmt.Errorf("read %s!%s: %w", ctSym, f.Name, err)
		}
		classes = append(classes, maskedClass{c, mask})
	}
	classes = hide(classes, exported)
	slices.SortFunc(classes, func(a, b maskedClass) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.mask, b.mask)) })
	return writeJDK(w, classes, in.names)
}

// releases gives the mask of the releases that a folder is for.
func releases(folder string) (mask uint) {
	for bit, java := range Javas() {
		if strings.ContainsRune(folder, rune("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[java])) && strings.Trim(folder, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
			mask |= 1 << bit
		}
	}
	return mask
}

// readExports adds the packages that a module-info exports to everybody, JVM specification 4.7.25.
func readExports(b []byte, in *classReader, mask uint, exported []map[string]bool) error {
	r := &reader{b: b}
	r.take(8)
	p, err := in.pool(r)
	if err != nil {
		return err
	}
	r.take(6)
	for range 3 { // no interfaces, fields or methods
		r.take(2)
	}
	readAttributes(r, p, func(name string, m *reader) {
		if name != "Module" {
			return
		}
		m.take(6)
		for n := m.u2(); n > 0 && m.err == nil; n-- {
			m.take(6) // requires
		}
		for n := m.u2(); n > 0 && m.err == nil; n-- {
			pkg := string(p.raw(p.number(m.u2(), tagPackage, 0)))
			m.take(2)
			to := m.u2()
			m.take(2 * to)
			for bit := range exported {
				if exported[bit] == nil {
					exported[bit] = map[string]bool{}
				}
				if to == 0 && mask&(1<<bit) != 0 {
					exported[bit][pkg] = true
				}
			}
		}
		r.err = m.err
	})
	return r.err
}

// hide takes the public flag from classes that a release does not export: they are there as ancestors of others.
func hide(classes []maskedClass, exported []map[string]bool) []maskedClass {
	var out []maskedClass
	for _, c := range classes {
		var shown uint
		for bit, java := range Javas() {
			if java < 9 || exported[bit][path.Dir(c.name)] {
				shown |= 1 << bit
			}
		}
		if shown &= c.mask; shown != 0 {
			out = append(out, maskedClass{c.class, shown})
		}
		if hidden := c.mask &^ shown; hidden != 0 {
			copied := *c.class
			copied.access &^= accPublic
			out = append(out, maskedClass{&copied, hidden})
		}
	}
	return out
}
