package catalogue

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// A folder of entries is read as a whole or not at all, and the error names the file whatever is wrong with it.
func TestBrokenCataloguesNameTheFile(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "no mapping": "- a\n", "no YAML": "name: [\n", "a key twice": whole + "trust: them\n", "a tab": "name:\tx\n\ttitle: y\n", "binary": "\x00\xff\xfe", "an open quote": "name: \"x\n",
		"a list for a text": "name: [x]\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Read(fstest.MapFS{"x.yaml": {Data: []byte(text)}, "y.txt": {Data: []byte("no entry")}})
			require.Nil(t, c)
			require.ErrorContains(t, err, "read x.yaml of the catalogue: ")
		})
	}
	c, err := Read(fstest.MapFS{"x.yaml": {Data: []byte("# ü\n" + whole)}, "y.txt": {Data: []byte("no entry")}})
	require.NoError(t, err)
	require.Equal(t, []string{"x"}, c.Names("mesos"))
	require.Empty(t, c.Names("marathon"))
}

// Addresses as people write them: a gone host is found in each, and only there.
func TestGoneHostsInEveryWriting(t *testing.T) {
	c := &Catalogue{Dead: []DeadHost{{Host: "old.example.org"}}}
	for address, want := range map[string]bool{
		"https://old.example.org/x": true, "HTTP://OLD.EXAMPLE.ORG": true, "https://old.example.org:8443/x?y#z": true, "https://me:secret@old.example.org/x": true, "//old.example.org/x": true,
		"https://new.old.example.org/": false, "https://example.org/old.example.org": false, "https://x/?u=https://old.example.org": false, "old.example.org": false, "": false, "http://[::1": false, "/srv/old.example.org/x": false,
	} {
		_, gone := c.Gone(address)
		require.Equal(t, want, gone, address)
	}
}
