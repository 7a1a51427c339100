package linkcheck

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatCannotBeRead(t *testing.T) {
	cut := classFile{name: "own/A"}.bytes()
	for _, test := range []struct {
		name string
		make func(r *rig)
		want string // the error; DIR is the folder of the rig
	}{
		{"no war", func(r *rig) { r.in.War = filepath.Join(r.dir, "none.war") }, "open DIR/none.war as a zip archive: open DIR/none.war: no such file or directory"},
		{"a war that is none", func(r *rig) { r.in.War = r.write("x.war", files{"a": nil}) }, "DIR/x.war is no jenkins.war: it names no Jenkins-Version or has no WEB-INF/lib"},
		{"a plugin that is none", func(r *rig) { r.in.Plugins = append(r.in.Plugins, r.write("x.hpi", files{"a": nil})) }, "DIR/x.hpi is no Jenkins plugin: it has no META-INF/MANIFEST.MF"},
		{"a plugin twice", func(r *rig) {
			r.plugin("own", "", nil)
			r.in.Plugins = append(r.in.Plugins, r.write("own-2.hpi", files{"META-INF/MANIFEST.MF": []byte("Short-Name: own\n")}))
		}, "DIR/own.hpi and DIR/own-2.hpi are both the plugin own: give one of them"},
		{"a file that is no zip", func(r *rig) {
			require.NoError(r.t, os.WriteFile(filepath.Join(r.dir, "x.hpi"), []byte("<html>404"), 0o600))
			r.in.Plugins = append(r.in.Plugins, filepath.Join(r.dir, "x.hpi"))
		}, "open DIR/x.hpi as a zip archive: zip: not a valid zip file"},
		{"a jar that is no zip", func(r *rig) { r.plugin("own", "", nil, files{"WEB-INF/lib/b.jar": []byte("<html>")}) },
			"open DIR/own.hpi!WEB-INF/lib/b.jar as a zip archive: zip: not a valid zip file"},
		{"a class that is none", func(r *rig) { r.plugin("own", "", files{"own/A.class": []byte("public class")}) },
			"read DIR/own.hpi!WEB-INF/lib/own.jar!own/A.class: no class file: it does not begin with CAFEBABE"},
		{"a class that ends too early", func(r *rig) { r.plugin("own", "", files{"own/A.class": cut[:len(cut)-20]}) },
			"read DIR/own.hpi!WEB-INF/lib/own.jar!own/A.class: the class file ends too early"},
		{"an unknown constant", func(r *rig) { r.plugin("own", "", files{"own/A.class": append(bytes.Clone(cut[:10]), 99)}) },
			"read DIR/own.hpi!WEB-INF/lib/own.jar!own/A.class: constant 1 has the unknown tag 99"},
		{"a class of zeros without end", func(r *rig) { r.plugin("own", "", files{"own/A.class": make([]byte, largestClass+1)}) },
			"read DIR/own.hpi!WEB-INF/lib/own.jar!own/A.class: 16777217 bytes: unpacks to more than can be meant"},
		{"a manifest without end", func(r *rig) {
			r.in.Plugins = append(r.in.Plugins, r.write("x.hpi", files{"META-INF/MANIFEST.MF": make([]byte, largestText+1)}))
		}, "read DIR/x.hpi!META-INF/MANIFEST.MF: 4194305 bytes: unpacks to more than can be meant"},
		{"code with an unknown instruction", func(r *rig) {
			c := classFile{name: "own/A", uses: []ref{{kind: 'c', owner: "gone/Thing"}}}.bytes()
			at := bytes.LastIndexByte(c, 0xb1)
			c[at] = 0xfe
			r.plugin("own", "", files{"own/A.class": c})
		}, "read DIR/own.hpi!WEB-INF/lib/own.jar!own/A.class: code of use()V: unknown instruction 0xfe at 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, core)
			test.make(r)
			_, err := Check(context.Background(), r.in)
			require.Error(t, err)
			assert.Equal(t, test.want, strings.ReplaceAll(err.Error(), r.dir, "DIR"))
		})
	}
}

// A bomb may state any size: what is unpacked counts, and nothing is set aside for what is only stated.
func TestStatedSizesAreNotBelieved(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.CreateRaw(&zip.FileHeader{Name: "large", Method: zip.Deflate, UncompressedSize64: largestJar, CompressedSize64: 2})
	require.NoError(t, err)
	_, err = w.Write([]byte{3, 0})
	require.NoError(t, err)
	require.NoError(t, z.Close())
	inner, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.NoError(t, err)
	a := &archive{name: "x.hpi", zip: inner}
	used := testing.AllocsPerRun(1, func() { _, err = a.openEntry("large", &bytes.Buffer{}) })
	assert.ErrorContains(t, err, "read x.hpi!large: ")
	assert.Less(t, used, 1000.0)
	_, err = a.openEntry("none", &bytes.Buffer{})
	assert.EqualError(t, err, "open x.hpi!none: the archive was changed meanwhile")
}

// What was damaged on its way is an error, in a file and in an archive within an archive, and is never taken for something shorter.
func TestDamagedEntries(t *testing.T) {
	text := bytes.Repeat([]byte("some words, some of them twice; "), 50)
	for name, test := range map[string]struct {
		change func(*zip.FileHeader)
		want   error
	}{
		"whole":               {func(*zip.FileHeader) {}, nil},
		"stored":              {func(h *zip.FileHeader) { h.Method = zip.Store }, nil},
		"checksum":            {func(h *zip.FileHeader) { h.CRC32++ }, zip.ErrChecksum},
		"no checksum":         {func(h *zip.FileHeader) { h.CRC32 = 0 }, nil},
		"shorter than stated": {func(h *zip.FileHeader) { h.UncompressedSize64++ }, io.ErrUnexpectedEOF},
		"longer than stated":  {func(h *zip.FileHeader) { h.UncompressedSize64-- }, zip.ErrFormat},
		"packed in a new way": {func(h *zip.FileHeader) { h.Method = 93 }, zip.ErrAlgorithm},
	} {
		t.Run(name, func(t *testing.T) {
			header := &zip.FileHeader{Name: "a.txt", Method: zip.Deflate, UncompressedSize64: uint64(len(text)), CRC32: crc32.ChecksumIEEE(text)}
			test.change(header)
			packed := text
			if header.Method != zip.Store {
				var b bytes.Buffer
				w, err := flate.NewWriter(&b, 6)
				require.NoError(t, err)
				_, err = w.Write(text)
				require.NoError(t, errors.Join(err, w.Close()))
				packed = b.Bytes()
			}
			header.CompressedSize64 = uint64(len(packed))
			var inner bytes.Buffer
			z := zip.NewWriter(&inner)
			w, err := z.CreateRaw(header)
			require.NoError(t, err)
			_, err = w.Write(packed)
			require.NoError(t, errors.Join(err, z.Close()))
			dir := t.TempDir()
			for file, data := range map[string][]byte{"plain.zip": inner.Bytes(), "outer.zip": files{"inner.zip": inner.Bytes()}.zip(t)} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), data, 0o600))
				a, err := openArchive(filepath.Join(dir, file))
				require.NoError(t, err)
				defer a.close()
				if file == "outer.zip" {
					a, err = a.openEntry("inner.zip", &bytes.Buffer{})
					require.NoError(t, err)
				}
				for range 2 { // with an inflater that failed before
					got, err := a.text("a.txt")
					require.ErrorIs(t, err, test.want)
					if test.want == nil {
						require.Equal(t, string(text), got)
					} else {
						require.ErrorContains(t, err, a.name+"!a.txt")
					}
				}
			}
		})
	}
}

func TestCancelledCheck(t *testing.T) {
	r := newRig(t, core).plugin("own", "", classes(user("own/A", "lib/Util")))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Check(ctx, r.in)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestIndexesOfStartClasses(t *testing.T) {
	binary, err := os.ReadFile("testdata/hudson.Extension.sezpoz")
	require.NoError(t, err)
	names := namesInIndex(string(binary))
	assert.Contains(t, names, "org.example.Cloud")
	assert.Contains(t, names, "org.example.Cloud$DescriptorImpl")
	assert.Equal(t, []string{"a.B", "a.C$D"}, namesInIndex("a.B\na.C$D\n"))
	own := classes(user("own/Main", "gone/A"), user("own/Init", "gone/B"), user("own/Ext", "gone/C"), user("own/Lazy", "gone/D"))
	own["META-INF/annotations/hudson.init.Initializer"] = []byte("own.Init\n")
	own["META-INF/services/annotations/hudson.Extension.txt"] = []byte("own.Ext#field\n")
	report := newRig(t, core).plugin("own", "Plugin-Class: own.Main\n", own).check()
	for i, atStart := range []bool{true, true, true, false} {
		assert.Equal(t, atStart, report.Links[i].AtStart, report.Links[i].Class)
		assert.Equal(t, atStart, report.Links[i].Uses[0].Extension, report.Links[i].Class)
	}
}

func TestReportsAreEqual(t *testing.T) {
	r := newRig(t, core)
	for _, name := range []string{"zebra", "ant", "mole"} {
		r.plugin(name, "", classes(user(name+"/A", "gone/A"), user(name+"/B", "gone/B"),
			classFile{name: name + "/C", uses: []ref{{'m', "lib/Util", "a", void}, {'f', "lib/Util", "b", "[[J"}, {'m', "lib/Util", "c", "(ZLlib/Util;[I)[Llib/Util;"}}}))
	}
	first := r.check()
	assert.Equal(t, []string{
		"breaks ant: missing class gone.A", "breaks ant: missing class gone.B", "breaks ant: missing method void lib.Util.a()",
		"breaks ant: missing field long[][] lib.Util.b", "breaks ant: missing method lib.Util[] lib.Util.c(boolean, lib.Util, int[])",
	}, lines(first)[:5])
	for range 5 {
		assert.Equal(t, first, r.check())
	}
}
