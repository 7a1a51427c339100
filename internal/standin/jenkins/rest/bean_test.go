package rest

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func sample() *bean {
	job := func(name string) *bean {
		return object("J", f3("name", name), f2("color", "blue"), f("description", nil))
	}
	return object("Root", f("mode", "NORMAL"), f("jobs", []*bean{job("a"), job("b"), job("c")}), inlined("items", []*bean{object("I", f("id", 1), f2("task", job("t")))}),
		field{name: "all", vis: -999, value: "hidden"}, f("lazy", func() any { return nil }))
}

func TestDepths(t *testing.T) {
	render := func(p pruner) string {
		var b bytes.Buffer
		writeJSON(&b, sample(), p)
		return b.String()
	}
	require.Equal(t, `{"_class":"Root","mode":"NORMAL","jobs":[{"_class":"J","name":"a","color":"blue"},{"_class":"J","name":"b","color":"blue"},{"_class":"J","name":"c","color":"blue"}],`+
		`"items":[{"_class":"I","id":1,"task":{"_class":"J","name":"t","color":"blue"}}],"lazy":null}`, render(byDepth(1)))
	require.Contains(t, render(byDepth(0)), `"description":null`)
}

func TestTrees(t *testing.T) {
	for tree, want := range map[string]string{
		"mode":                   `{"_class":"Root","mode":"NORMAL"}`,
		"nosuch":                 `{"_class":"Root"}`,
		"jobs[name]{0,2}":        `{"_class":"Root","jobs":[{"_class":"J","name":"a"},{"_class":"J","name":"b"}]}`,
		"jobs[name]{1}":          `{"_class":"Root","jobs":[{"_class":"J","name":"b"}]}`,
		"jobs[name]{2,},mode":    `{"_class":"Root","mode":"NORMAL","jobs":[{"_class":"J","name":"c"}]}`,
		"jobs[name],jobs[color]": `{"_class":"Root","jobs":[{"_class":"J","name":"a","color":"blue"},{"_class":"J","name":"b","color":"blue"},{"_class":"J","name":"c","color":"blue"}]}`,
		"all":                    `{"_class":"Root","all":"hidden"}`,
		"items[*]":               `{"_class":"Root","items":[{"_class":"I","id":1,"task":{"_class":"J"}}]}`,
	} {
		p, err := parseTree(tree)
		require.NoError(t, err, tree)
		var b bytes.Buffer
		writeJSON(&b, sample(), p)
		require.Equal(t, want, b.String(), tree)
	}
	for _, tree := range []string{"jobs[name", "a,,b", "a]", "a[]", "a{x}", "a{1", "[a]"} {
		_, err := parseTree(tree)
		require.ErrorIs(t, err, errTree, tree)
	}
}

func TestOtherFormats(t *testing.T) {
	var b bytes.Buffer
	writeXML(&b, sample(), byDepth(1))
	require.Equal(t, "<root _class='Root'><mode>NORMAL</mode><job _class='J'><name>a</name><color>blue</color></job><job _class='J'><name>b</name><color>blue</color></job>"+
		"<job _class='J'><name>c</name><color>blue</color></job><item _class='I'><id>1</id><task _class='J'><name>t</name><color>blue</color></task></item></root>", b.String())
	require.Equal(t, `{"a":None,"b":True,"c":[False],"d":"null \" true"}`, pythonLiterals(`{"a":null,"b":true,"c":[false],"d":"null \" true"}`))
	require.Equal(t, `"<a> & b"`, quote("<a> & b"))
}

func TestPluginFilesAreListedButNotRun(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "plugins"), 0o755))
	for name, manifest := range map[string]string{"mesos.jpi": "Short-Name: mesos\r\nPlugin-Version: 2.0-patched (private)\r\n", "structs.jpi": "Short-Name: structs\nPlugin-Version: 362\n"} {
		file, err := os.Create(filepath.Join(dir, "plugins", name))
		require.NoError(t, err)
		archive := zip.NewWriter(file)
		w, err := archive.Create("META-INF/MANIFEST.MF")
		require.NoError(t, err)
		_, err = w.Write([]byte(manifest))
		require.NoError(t, err)
		require.NoError(t, archive.Close())
		require.NoError(t, file.Close())
	}
	got := map[string]plugin{}
	for _, p := range listed(dir, nil) {
		got[p.name] = p
	}
	require.Len(t, got, 4)
	require.Equal(t, "2.0-patched", got["mesos"].version)
	require.True(t, got["mesos"].imitated)
	require.Equal(t, "362", got["structs"].version)
	require.False(t, got["structs"].imitated)
}
