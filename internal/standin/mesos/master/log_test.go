package master

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	cases := []struct {
		args         []string
		stderr, file string
	}{
		{nil, `^I\d{8} \d\d:\d\d:\d\d\.\d{6} +\d+ master\] a 1\n$`, ""},
		{[]string{"--quiet"}, `^$`, ""},
		{[]string{"--logging_level=ERROR"}, `^$`, ""},
		{[]string{"--quiet", "--log_dir=" + dir}, `^$`, `master\] a 1\n$`},
	}
	for _, c := range cases {
		f := newFlags()
		require.NoError(t, f.load(c.args, nil))
		var stderr bytes.Buffer
		log, err := openLog(f, &stderr)
		require.NoError(t, err)
		log("a %d", 1)
		require.Regexp(t, c.stderr, stderr.String())
		if c.file != "" {
			text, err := os.ReadFile(filepath.Join(dir, "mesos-master.INFO"))
			require.NoError(t, err)
			require.Regexp(t, c.file, string(text))
		}
	}
	f := newFlags()
	require.NoError(t, f.load([]string{"--logging_level=LOUD"}, nil))
	_, err := openLog(f, &bytes.Buffer{})
	require.ErrorContains(t, err, "'LOUD' is not a valid logging level")
}
