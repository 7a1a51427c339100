package fetch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// host serves one file. It hangs up after cut bytes of each answer where that is not 0.
type host struct {
	*httptest.Server
	mu   sync.Mutex
	data []byte
	cut  int
	// stall makes the first answer end in silence instead of a hang-up.
	stall  bool
	ranges bool
	// asked are the ranges that were asked for.
	asked []string
}

func newHost(t *testing.T, data string) *host {
	h := &host{data: []byte(data), ranges: true}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *host) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	wanted := q.Header.Get("Range")
	h.asked = append(h.asked, wanted)
	if q.URL.Path != "/git.hpi" {
		http.NotFound(w, q)
		return
	}
	from := 0
	if _, err := fmt.Sscanf(wanted, "bytes=%d-", &from); err == nil && h.ranges {
		if from >= len(h.data) {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(h.data)-from))
		w.WriteHeader(http.StatusPartialContent)
	} else {
		from = 0
		w.Header().Set("Content-Length", fmt.Sprint(len(h.data)))
	}
	rest := h.data[from:]
	if h.cut > 0 && len(rest) > h.cut {
		_, _ = w.Write(rest[:h.cut])
		w.(http.Flusher).Flush()
		if h.stall {
			h.stall, h.cut = false, 0
			<-q.Context().Done()
		}
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(rest)
}

func fileOf(h *host, data string) File {
	sum := sha256.Sum256([]byte(data))
	return File{Name: "git.hpi", Version: "5.1", URL: h.URL + "/git.hpi", SHA256: hex.EncodeToString(sum[:]), Size: int64(len(data))}
}

func TestADownloadThatIsCutOffGoesOn(t *testing.T) {
	const data = "0123456789"
	h := newHost(t, data)
	h.cut = 4
	s, f := Store{Dir: t.TempDir()}, fileOf(h, data)
	_, err := s.Have(f)
	require.ErrorIs(t, err, fs.ErrNotExist)
	path, err := s.Get(t.Context(), f)
	require.NoError(t, err)
	require.Equal(t, []string{"", "bytes=4-", "bytes=8-"}, h.asked)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, data, string(got))
	again, err := s.Get(t.Context(), f)
	require.NoError(t, err)
	require.Equal(t, path, again)
	require.Len(t, h.asked, 3, "what is here is not asked for again")
	left, err := filepath.Glob(filepath.Join(s.Dir, "*.part"))
	require.NoError(t, err)
	require.Empty(t, left)

	require.NoError(t, os.WriteFile(path, []byte("01234x6789"), 0o600))
	_, err = s.Have(f)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "was damaged")
	_, err = s.Get(t.Context(), f)
	require.NoError(t, err)
}

func TestAServerThatFallsSilentIsAskedAgain(t *testing.T) {
	h := newHost(t, "0123456789")
	h.cut, h.stall = 4, true
	s, f := Store{Dir: t.TempDir(), Stall: time.Second}, fileOf(h, "0123456789")
	_, err := s.Get(t.Context(), f)
	require.NoError(t, err)
	require.Equal(t, "bytes=4-", h.asked[1])
}

func TestADownloadGoesOnInAnotherProgram(t *testing.T) {
	data := strings.Repeat("x", 100)
	h := newHost(t, data)
	h.cut = 10
	s, f := Store{Dir: t.TempDir()}, fileOf(h, data)
	_, err := s.Get(t.Context(), f)
	require.Error(t, err)
	require.Len(t, h.asked, attempts)
	h.cut, h.asked = 0, nil
	_, err = s.Get(t.Context(), f)
	require.NoError(t, err)
	require.Equal(t, []string{"bytes=40-"}, h.asked)
}

func TestWhatIsWrongIsNotKept(t *testing.T) {
	h := newHost(t, "malware!")
	s, f := Store{Dir: t.TempDir()}, fileOf(h, "the file")
	_, err := s.Get(t.Context(), f)
	wrong := new(MismatchError)
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, f.SHA256, wrong.Want)
	require.Equal(t, 3, wrong.ExitCode())
	require.NotEmpty(t, wrong.Hint())
	_, err = s.Have(f)
	require.ErrorIs(t, err, fs.ErrNotExist)

	h.data = []byte("the file and more of it, without end")
	_, err = s.Get(t.Context(), f)
	require.ErrorAs(t, err, &wrong)
	f.URL = h.URL + "/elsewhere"
	_, err = s.Get(t.Context(), f)
	require.ErrorContains(t, err, "404")
	f.SHA256 = ""
	_, err = s.Get(t.Context(), f)
	require.ErrorContains(t, err, "is not known")
}

func TestABeginningOfAnotherFileIsBegunAnew(t *testing.T) {
	for name, c := range map[string]struct {
		part   string
		ranges bool
		size   bool
	}{
		"with ranges": {"xxxx", true, true}, "without": {"xxxx", false, true}, "too long": {strings.Repeat("x", 99), true, false}, "as long": {"xxxxxxxxxx", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, "0123456789")
			h.ranges = c.ranges
			s, f := Store{Dir: t.TempDir()}, fileOf(h, "0123456789")
			if !c.size {
				f.Size = 0
			}
			require.NoError(t, os.WriteFile(filepath.Join(s.Dir, f.SHA256+".part"), []byte(c.part), 0o600))
			_, err := s.Get(t.Context(), f)
			require.NoError(t, err)
		})
	}
}

func TestTwoDownloadsOfOneFileDoNotMeet(t *testing.T) {
	h := newHost(t, "data")
	s, f := Store{Dir: t.TempDir()}, fileOf(h, "data")
	_, done, err := s.part(f)
	require.NoError(t, err)
	_, err = s.Get(t.Context(), f)
	require.ErrorContains(t, err, "another jomctl")
	done()
	_, err = s.Get(t.Context(), f)
	require.NoError(t, err)
}

func TestFilesOfAFolder(t *testing.T) {
	h := newHost(t, "")
	f := fileOf(h, "data")
	for _, name := range []string{"git.hpi", "git.jpi", "git-5.1.hpi", "plugins/git-5.1.jpi"} {
		dir := t.TempDir()
		_, err := In(dir, f)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "plugins"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("data"), 0o600))
		path, err := In(dir, f)
		require.NoError(t, err)
		require.Equal(t, filepath.Join(dir, name), path)
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "git.hpi"), []byte("other"), 0o600))
	_, err := In(dir, f)
	wrong := new(MismatchError)
	require.ErrorAs(t, err, &wrong)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "git-5.1.hpi"), []byte("data"), 0o600))
	_, err = In(dir, f)
	require.NoError(t, err, "another file under the name does not hide the right one")
}

func TestTheStoreIsTheUsers(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/var/cache/me")
	s, err := UserStore()
	require.NoError(t, err)
	require.Equal(t, "/var/cache/me/jomctl/releases", s.Dir)
}
