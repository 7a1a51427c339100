package linkcheck

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// classFile is a class file to be written by hand. Its method use()V has an instruction for each of uses.
type classFile struct {
	name, super string // super defaults to java/lang/Object
	interfaces  []string
	access      uint16 // public where 0
	major       uint16 // Java 8 where 0
	fields      []member
	methods     []member
	uses        []ref
	catch       string // type that a handler around all uses catches, - for a finally block
	guarded     int    // how many of the uses the handler is around, 0 for all
	inner       []string
	optional    bool
}

type member struct {
	name, desc string
	access     uint16
}

// assembler writes a class file with its constant pool.
type assembler struct {
	pool  bytes.Buffer
	count uint16
	known map[string]uint16
}

func (a *assembler) constant(tag byte, body ...any) uint16 {
	var b bytes.Buffer
	b.WriteByte(tag)
	for _, part := range body {
		put(&b, part)
	}
	if n, ok := a.known[b.String()]; ok {
		return n
	}
	a.count++
	a.known[b.String()] = a.count
	a.pool.Write(b.Bytes())
	return a.count
}

func put(b *bytes.Buffer, part any) { _ = binary.Write(b, binary.BigEndian, part) }

func (a *assembler) utf8(s string) uint16  { return a.constant(tagUtf8, uint16(len(s)), []byte(s)) }
func (a *assembler) class(s string) uint16 { return a.constant(tagClass, a.utf8(s)) }

func (a *assembler) ref(r ref) uint16 {
	if r.kind == 'c' {
		return a.class(r.owner)
	}
	tag := map[byte]byte{'f': tagField, 'm': tagMethod, 'i': tagInterfaceMethod}[r.kind]
	return a.constant(tag, a.class(r.owner), a.constant(tagNameAndType, a.utf8(r.name), a.utf8(r.desc)))
}

// code is the Code attribute of the method use.
func (a *assembler) code(c classFile) []byte {
	var code, out bytes.Buffer
	end := uint16(0)
	for i, r := range c.uses {
		code.WriteByte(map[byte]byte{'c': 0xbb, 'f': 0xb2, 'm': 0xb6, 'i': 0xb9}[r.kind])
		put(&code, a.ref(r))
		if r.kind == 'i' {
			code.Write([]byte{1, 0})
		}
		if c.guarded == 0 || i < c.guarded {
			end = uint16(code.Len())
		}
	}
	code.WriteByte(0xb1) // return
	put(&out, []uint16{9, 9})
	put(&out, uint32(code.Len()))
	out.Write(code.Bytes())
	switch c.catch {
	case "":
		put(&out, uint16(0))
	case "-":
		put(&out, []uint16{1, 0, end, end, 0})
	default:
		put(&out, []uint16{1, 0, end, end, a.class(c.catch)})
	}
	put(&out, uint16(0))
	return out.Bytes()
}

func (a *assembler) members(list []member, code []byte) []byte {
	var b bytes.Buffer
	put(&b, uint16(len(list)))
	for _, m := range list {
		put(&b, []uint16{m.access, a.utf8(m.name), a.utf8(m.desc)})
		if m.name != "use" {
			put(&b, uint16(0))
			continue
		}
		put(&b, []uint16{1, a.utf8("Code")})
		put(&b, uint32(len(code)))
		b.Write(code)
	}
	return b.Bytes()
}

func (a *assembler) attributes(c classFile) []byte {
	var b bytes.Buffer
	put(&b, uint16(2))
	put(&b, a.utf8("InnerClasses"))
	put(&b, uint32(2+8*len(c.inner)))
	put(&b, uint16(len(c.inner)))
	for _, name := range c.inner {
		put(&b, []uint16{a.class(name), 0, 0, 0})
	}
	optional := uint32(0)
	if c.optional {
		optional = 1
	}
	put(&b, a.utf8("RuntimeVisibleAnnotations"))
	put(&b, uint32(11))
	put(&b, []uint16{1, a.utf8("Lhudson/Extension;"), 1, a.utf8("optional")})
	b.WriteByte('Z')
	put(&b, a.constant(tagInteger, optional))
	return b.Bytes()
}

func (c classFile) bytes() []byte {
	a := &assembler{known: map[string]uint16{}}
	if c.super == "" && c.name != "java/lang/Object" {
		c.super = "java/lang/Object"
	}
	if c.access == 0 {
		c.access = accPublic
	}
	if c.major == 0 {
		c.major = 52
	}
	var body, out bytes.Buffer
	put(&body, []uint16{c.access, a.class(c.name), a.class(c.super), uint16(len(c.interfaces))})
	for _, name := range c.interfaces {
		put(&body, a.class(name))
	}
	body.Write(a.members(c.fields, nil))
	methods := c.methods
	if c.uses != nil {
		methods = append(slices.Clone(methods), member{"use", "()V", accPublic})
	}
	body.Write(a.members(methods, a.code(c)))
	body.Write(a.attributes(c))
	put(&out, uint32(0xCAFEBABE))
	put(&out, []uint16{0, c.major, a.count + 1})
	out.Write(a.pool.Bytes())
	out.Write(body.Bytes())
	return out.Bytes()
}

// files are the entries of an archive by name.
type files map[string][]byte

// classes are the files of hand-written classes.
func classes(list ...classFile) files {
	f := files{}
	for _, c := range list {
		f[c.name+".class"] = c.bytes()
	}
	return f
}

func (f files) with(name, text string) files {
	f = maps.Clone(f)
	f[name] = []byte(text)
	return f
}

// under are the entries whose names begin with one of the prefixes.
func (f files) under(prefixes ...string) files {
	out := files{}
	for name, b := range f {
		if slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			out[name] = b
		}
	}
	return out
}

func merged(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}

func (f files) zip(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		w, err := z.Create(name)
		require.NoError(t, err)
		_, err = w.Write(f[name])
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

// rig is a controller to check: a war and plugins that are made in a temporary folder.
type rig struct {
	t   testing.TB
	dir string
	in  Input
}

// newRig makes a war of version 2.500 with the core's classes, and what else is given.
func newRig(t testing.TB, core files, more ...files) *rig {
	r := &rig{t: t, dir: t.TempDir()}
	war := files{"META-INF/MANIFEST.MF": []byte("Manifest-Version: 1.0\r\nJenkins-Version: 2.500\r\n")}
	war["WEB-INF/lib/jenkins-core-2.500.jar"] = core.zip(t)
	for _, f := range more {
		maps.Copy(war, f)
	}
	r.in = Input{War: r.write("jenkins.war", war), Java: 21}
	return r
}

func (r *rig) write(name string, f files) string {
	file := filepath.Join(r.dir, name)
	require.NoError(r.t, os.WriteFile(file, f.zip(r.t), 0o600))
	return file
}

// plugin adds a plugin with its own classes and more manifest lines and entries.
func (r *rig) plugin(name, manifest string, own files, more ...files) *rig {
	f := files{
		"META-INF/MANIFEST.MF":         []byte("Short-Name: " + name + "\nPlugin-Version: 1.0\nJenkins-Version: 2.400\n" + manifest),
		"WEB-INF/lib/" + name + ".jar": own.zip(r.t),
	}
	for _, m := range more {
		maps.Copy(f, m)
	}
	r.in.Plugins = append(r.in.Plugins, r.write(name+".hpi", f))
	return r
}

func (r *rig) check() Report {
	r.t.Helper()
	report, err := Check(context.Background(), r.in)
	require.NoError(r.t, err)
	return report
}

// lines are the links of a report, each with its rank.
func lines(report Report) []string {
	out := []string{}
	for _, l := range report.Links {
		out = append(out, string(l.Rank)+" "+l.String())
	}
	return out
}

// javac compiles Java sources (by path) against folders of classes, for Java 8, into a folder.
func javac(t testing.TB, sources map[string]string, classPath ...string) string {
	t.Helper()
	if _, err := exec.LookPath("javac"); err != nil {
		testkit.Missing(t, "javac (apt-get install openjdk-17-jdk-headless)")
	}
	in, out := t.TempDir(), t.TempDir()
	args := []string{"--release", "8", "-nowarn", "-proc:none", "-Xlint:-options", "-d", out, "-cp", strings.Join(append(classPath, out), ":")}
	for name, text := range sources {
		file := filepath.Join(in, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		args = append(args, file)
	}
	said, err := exec.Command("javac", args...).CombinedOutput()
	require.NoError(t, err, "%s", said)
	return out
}

// tree reads the files below a folder.
func tree(t testing.TB, dir string) files {
	t.Helper()
	f := files{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		f[strings.TrimPrefix(path, dir+"/")] = b
		return err
	}))
	return f
}
