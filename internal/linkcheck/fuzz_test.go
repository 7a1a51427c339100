package linkcheck

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzClass reads garbage: whatever it is, there is a class or an error, and a second reading says the same.
func FuzzClass(f *testing.F) {
	for _, b := range library {
		f.Add(b)
	}
	everything := classFile{
		name: "own/A", interfaces: []string{"lib/Shape"}, catch: "java/lang/Throwable", inner: []string{"own/A$B"}, optional: true,
		fields: []member{{"x", "[[Ljava/util/List;", 0}}, methods: []member{{"f", "(IJLown/A;)[D", 0}},
		uses: []ref{{kind: 'c', owner: "[Lown/B;"}, {'f', "own/B", "x", "I"}, {'m', "own/B", "y", void}, {'i', "lib/Shape", "area", "()D"}},
	}.bytes()
	f.Add(everything)
	f.Add(everything[:len(everything)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		in := &classReader{names: newNames()}
		var links []link
		c, err := in.read(b, func(l link) { links = append(links, l) })
		if err != nil {
			require.Nil(t, c)
			return
		}
		again := 0
		_, err = in.read(b, func(l link) {
			require.Equal(t, links[again], l)
			again++
		})
		require.NoError(t, err)
		require.Equal(t, len(links), again)
		_ = in.uses(b, func(l link, _ Use) { require.NotEmpty(t, in.names.ref(l).owner) })
	})
}

// FuzzCode walks over garbage instructions.
func FuzzCode(f *testing.F) {
	f.Add([]byte{0xb2, 0, 1, 0xb1})
	f.Add([]byte{0xaa, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 9, 0xb1})
	f.Add([]byte{0xab, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 0xc4, 0x84, 0, 1, 0, 1, 0xb1})
	f.Fuzz(func(t *testing.T, code []byte) {
		last := -1
		_ = eachConstant(code, func(at, constant int) {
			require.Greater(t, at, last)
			require.Less(t, at, len(code))
			last = at
		})
	})
}

// FuzzManifest reads garbage manifests and indexes.
func FuzzManifest(f *testing.F) {
	f.Add("Manifest-Version: 1.0\r\nShort-Name: a\r\n b\r\nPlugin-Dependencies: x:1;resolution:=optional,y:2\r\n\r\nName: z\r\n")
	f.Add("\xac\xed\x00\x05t\x00\x03a.B")
	f.Fuzz(func(t *testing.T, text string) {
		id := identify(text, "some/file.hpi")
		require.NotEmpty(t, id.name)
		for _, name := range namesInIndex(text) {
			require.True(t, strings.Contains(text, name))
		}
	})
}

func TestInstructionsWithConstants(t *testing.T) {
	for _, test := range []struct {
		code []byte
		want []int
	}{
		{[]byte{0x10, 0xb2, 0x11, 0xb2, 0xb2, 0xb1}, nil}, // numbers that look like instructions
		{[]byte{0x12, 7, 0x13, 0, 7, 0xc5, 0, 7, 1, 0xba, 0, 7, 0, 0, 0xb1}, []int{0, 2, 5, 9}},
		{[]byte{0x00, 0xaa, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 9, 9, 9, 9, 9, 9, 9, 9, 0xbb, 0, 7}, []int{24}},
		{[]byte{0xab, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 0xc1, 0, 7}, []int{20}},
		{[]byte{0xc4, 0x84, 0, 1, 0, 1, 0xc4, 0x15, 0, 1, 0xc0, 0, 7}, []int{10}},
	} {
		var at []int
		require.NoError(t, eachConstant(test.code, func(offset, constant int) {
			require.Equal(t, 7, constant)
			at = append(at, offset)
		}))
		require.Equal(t, test.want, at)
	}
}
