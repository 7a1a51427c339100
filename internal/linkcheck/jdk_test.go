package linkcheck

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// hostJava is a JDK of one of Javas that the machine may have, with its modules as jmod files.
const hostJava = "/usr/lib/jvm/java-17-openjdk-amd64"

// Every public and protected member of the API of some modules of the machine's own Java is in the index.
func TestIndexAgainstThisMachinesJava(t *testing.T) {
	if _, err := os.Stat(hostJava + "/jmods"); err != nil {
		testkit.Missing(t, "the modules of Java 17 (apt-get install openjdk-17-jdk-headless)")
	}
	in := &classReader{names: newNames()}
	jdk, err := openJDK(17, in.names)
	require.NoError(t, err)
	compared := 0
	for _, module := range []string{"java.logging", "java.net.http", "java.sql", "java.xml", "jdk.httpserver", "jdk.unsupported"} {
		a, err := openArchive(filepath.Join(hostJava, "jmods", module+".jmod"))
		require.NoError(t, err)
		exported := make([]map[string]bool, len(Javas()))
		info, err := a.read(a.find("classes/module-info.class"), largestClass)
		require.NoError(t, err)
		require.NoError(t, readExports(info, in, 1<<2, exported))
		for _, f := range a.zip.File {
			name, ok := strings.CutPrefix(strings.TrimSuffix(f.Name, ".class"), "classes/")
			if !ok || path.Ext(f.Name) != ".class" || !exported[2][path.Dir(name)] {
				continue
			}
			b, err := a.read(f, largestClass)
			require.NoError(t, err)
			c, err := in.read(b, nil)
			require.NoError(t, err)
			if c.access&accPublic != 0 && jdk.find(c.id) != nil || !strings.Contains(name, "$") {
				compared += compareMembers(t, jdk, c)
			}
		}
		a.close()
	}
	assert.Greater(t, compared, 3000)
}

// compareMembers resolves each member of a class in the index.
func compareMembers(t *testing.T, jdk *space, c *class) (compared int) {
	for kind, members := range map[byte][]decl{'f': c.fields, 'm': c.methods} {
		if kind == 'm' && c.access&accInterface != 0 {
			kind = 'i'
		}
		for _, m := range members {
			if c.access&accPublic != 0 && m.access&(accPublic|accProtected) != 0 {
				compared++
				assert.Empty(t, jdk.resolve(link{kind: kind, owner: c.id, name: m.name, desc: m.desc}).problem, "%s", jdk.names.ref(link{kind: kind, owner: c.id, name: m.name, desc: m.desc}))
			}
		}
	}
	return compared
}

func TestWriteJDK(t *testing.T) {
	module := func(exports ...string) []byte {
		a := &assembler{known: map[string]uint16{}}
		var attribute, out bytes.Buffer
		put(&attribute, []uint16{a.constant(tagModule, a.utf8("m")), 0, 0, 0, uint16(len(exports) + 1)})
		for _, pkg := range exports {
			put(&attribute, []uint16{a.constant(tagPackage, a.utf8(pkg)), 0, 0})
		}
		put(&attribute, []uint16{a.constant(tagPackage, a.utf8("friends")), 0, 1, a.constant(tagModule, a.utf8("m"))})
		this, name := a.class("module-info"), a.utf8("Module")
		put(&out, uint32(0xCAFEBABE))
		put(&out, []uint16{0, 61, a.count + 1})
		out.Write(a.pool.Bytes())
		put(&out, []uint16{accModule, this, 0, 0, 0, 0, 1, name})
		put(&out, uint32(attribute.Len()))
		out.Write(attribute.Bytes())
		return out.Bytes()
	}
	api := classFile{name: "api/A", super: "friends/F", access: accPublic, methods: []member{{"x", void, accPublic}}}
	later := api
	later.methods, later.fields, later.interfaces = nil, []member{{"y", "I", accPublic}}, []string{"api/I", "api/J"}
	f := files{
		"89A/m/api/A.sig":         api.bytes(),
		"BCDEFGHL/m/api/A.sig":    later.bytes(),
		"8L/m/friends/F.sig":      classFile{name: "friends/F"}.bytes(),
		"9/m/only/Nine.sig":       classFile{name: "only/Nine"}.bytes(),
		"9BHLP/m/module-info.sig": module("api", "only"),
		"META-INF/x":              nil,
	}
	file := filepath.Join(t.TempDir(), "ct.sym")
	require.NoError(t, os.WriteFile(file, f.zip(t), 0o600))
	var first, second bytes.Buffer
	require.NoError(t, WriteJDK(&first, file))
	require.NoError(t, WriteJDK(&second, file))
	assert.Equal(t, first.Bytes(), second.Bytes())
	read := func(java int) *space {
		s, err := readIndex(first.Bytes(), java, newNames())
		require.NoError(t, err)
		return s
	}
	declared := func(s *space, list []decl) []member {
		var all []member
		for _, m := range list {
			all = append(all, member{s.names.text(m.name), s.names.text(m.desc), m.access})
		}
		return all
	}
	eight, eleven, latest := read(8), read(11), read(21)
	assert.Equal(t, []member{{"x", void, accPublic}}, declared(eight, eight.named("api/A").methods))
	assert.Equal(t, []member{{"y", "I", accPublic}}, declared(latest, latest.named("api/A").fields))
	assert.Equal(t, []symbol{eleven.names.known("api/I"), eleven.names.known("api/J")}, eleven.named("api/A").interfaces)
	assert.NotZero(t, eleven.names.known("api/I"))
	assert.NotZero(t, read(8).named("friends/F").access&accPublic)
	assert.Zero(t, read(21).named("friends/F").access&accPublic, "exported to some alone")
	assert.Nil(t, read(25).named("api/A"))
	assert.Nil(t, read(11).named("only/Nine"))
	_, err := readIndex([]byte("no index"), 21, newNames())
	assert.ErrorContains(t, err, "read the index of Java classes: ")
}
