package jenkinsxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

const declared = "<?xml version='1.1' encoding='UTF-8'?>\n"

func documents() map[string]bool {
	return map[string]bool{
		declared + "<a>&#x1b;[0m &amp; &#27;</a>":  true,
		declared + "<a b=\"&#xa;\">&#x10FFFF;</a>": true,
		declared + "<a>&#zz;</a>":                  false,
		declared + "<a>&#;</a>":                    false,
		declared + "<a>&#x;</a>":                   false,
		declared + "<a>&#1b;</a>":                  false,
		declared + "<a>&#0;</a>":                   false,
		declared + "<a>&#x110000;</a>":             false,
		declared + "<a>&#27</a>":                   false,
		declared + "<a>& b</a>":                    false,
		declared + "<a>&nbsp;</a>":                 false,
		"\xef\xbb\xbf<a/>":                         true,
		"\xef\xbb\xbf" + declared + "<a/>":         true,
		"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a b='\xfc'>\xe9</a>": true,
		"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9</b>":          false,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?><a>\xe9\xfc</a>":           false,
		declared + "<a>\xe9\xfc</a>":                                          false,
		declared + "<a>ü € \U0001f600</a>":                                    true,
		declared + "<a>\uffff</a>":                                            false,
		declared:                                                              false,
		"":                                                                    false,
		" \n":                                                                 false,
		declared + "<a>":                                                      false,
		declared + "<a></b>":                                                  false,
		declared + "<a/><":                                                    false,
		declared + "<a>\x00</a>":                                              false,
		declared + "<a>\x1b</a>":                                              false,
		declared + "<a b=c/>":                                                 false,
		declared + "<a b='<'/>":                                               false,
		declared + "<a b='1'c=\"2\"/>":                                        true,
		declared + "<a b='1' c=\"2\" />\n":                                    true,
		declared + "<a>]]></a>":                                               false,
		declared + "<a>]</a>":                                                 true,
		declared + "<a><!-- x --><![CDATA[<]]><b.c-d_e plugin='x@1'/></a >":     true,
		declared + "<a:b xmlns:a='x'/>":                                         true,
		declared + "<hudson><x>1</x><y></y>\n  <z a='&quot;'>&lt;</z></hudson>": true,
	}
}

func TestXMLIsReadAsJenkinsWritesIt(t *testing.T) {
	for text, good := range documents() {
		require.Equal(t, good, Check([]byte(text)) == nil, "%q: %v", text, Check([]byte(text)))
		for way, from := range map[string]io.Reader{"whole": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text))} {
			require.Equal(t, good, read(from) == nil, "%s: %q", way, text)
		}
	}
	var user struct {
		ID string `xml:"id"`
	}
	require.NoError(t, NewDecoder(strings.NewReader(declared+"<user><id>a&#x1b;&lt;ü</id></user>")).Decode(&user))
	require.Equal(t, "a?<ü", user.ID)
}

// read is Check without its short way.
func read(from io.Reader) error {
	decoder, elements := NewDecoder(from), 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) && elements > 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if _, ok := token.(xml.StartElement); ok {
			elements++
		}
	}
}

// The short way must never say yes to what the parser refuses.
func TestTheShortWayIsSure(t *testing.T) {
	short := 0
	for text := range documents() {
		if simple([]byte(text)) {
			short++
		}
	}
	require.Greater(t, short, 4, "it is gone at all")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0)) // #nosec G404 -- a test
	parts := []string{"<a>", "</a>", "<b c='d'>", "</b>", "<a/>", " ", "x", "&lt;", "&", "&#1;", "]", ">", "<", "'", "\"", "/", "=", "ü", "\xe9", "\uffff", "<!-- -->", "<?x?>", "1", ":", "\x01", "\n"}
	base := []byte("<a b='1' c=\"&lt;\"><b.c>text &amp; ü</b.c><d/>\n</a>\n")
	for range 20000 {
		text := bytes.Clone(base)
		for range 1 + r.IntN(3) {
			at, part := r.IntN(len(text)+1), parts[r.IntN(len(parts))]
			text = append(text[:at:at], append([]byte(part), text[min(len(text), at+r.IntN(3)):]...)...)
		}
		if simple(text) {
			require.NoError(t, read(bytes.NewReader(text)), "%q", text)
		}
	}
}

func FuzzTheShortWayIsSure(f *testing.F) {
	for text := range documents() {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if simple(text) {
			require.NoError(t, read(bytes.NewReader(text)))
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	text := []byte(declared + "<project>" + strings.Repeat("  <properties><x>some property of the job</x></properties>\n", 25) + "</project>")
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if err := Check(text); err != nil {
			b.Fatal(err)
		}
	}
}
