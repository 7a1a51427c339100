package xmltree

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWritesAsXStreamDoes(t *testing.T) {
	n := Elem("project", Text("description", ""), Elem("properties"), Elem("scm").With("class", "hudson.scm.NullSCM"), Text("command", "a < b && \"c\" > 'd'"))
	require.Equal(t, "<?xml version='1.1' encoding='UTF-8'?>\n<project>\n  <description></description>\n  <properties/>\n  <scm class=\"hudson.scm.NullSCM\"/>\n"+
		"  <command>a &lt; b &amp;&amp; &quot;c&quot; &gt; &apos;d&apos;</command>\n</project>", string(n.Render(FileHeader)))
}

func TestReadsVersion11AndFindsPaths(t *testing.T) {
	n, err := Parse([]byte("<?xml version='1.1' encoding='UTF-8'?>\n<a x='1'><b><c> 7 </c></b><b/><d>true</d></a>"))
	require.NoError(t, err)
	require.Equal(t, "1", n.Attr("x"))
	require.Equal(t, " 7 ", n.Get("b/c"))
	require.Equal(t, 7, n.Int("b/c", 0))
	require.Equal(t, 3, n.Int("b/nosuch", 3))
	require.True(t, n.Bool("d"))
	require.Nil(t, n.Child("b/nosuch"))
	require.Equal(t, "", n.Child("nosuch").Attr("x"))
	n.Set(Text("d", false))
	n.Remove("b")
	require.Equal(t, "<a x=\"1\">\n  <d>false</d>\n</a>", string(n.Render("")))
}

func TestRefusesWhatIsNoDocument(t *testing.T) {
	for _, text := range []string{"", "<a>", "<a></b>", "text", "<a/><b/>"} {
		_, err := Parse([]byte(text))
		require.Error(t, err, text)
	}
}
