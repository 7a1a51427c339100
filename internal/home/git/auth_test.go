package git_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/testkit"
)

// git starts the test binary as it starts jomhome, to ask for a token.
func TestMain(m *testing.M) {
	if git.Answer(os.Args[1:], os.Stdout) {
		return
	}
	os.Exit(m.Run())
}

// sshd is a real sshd on loopback that lets the running user in with one key.
type sshd struct{ dir, address, user string }

func newKey(t *testing.T, file string) ssh.PublicKey {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	key, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	return key
}

func newSSHD(t *testing.T) *sshd {
	t.Helper()
	const program = "/usr/sbin/sshd"
	if _, err := os.Stat(program); err != nil {
		testkit.Missing(t, "sshd (apt-get install openssh-server)")
	}
	if os.Geteuid() == 0 {
		require.NoError(t, os.MkdirAll("/run/sshd", 0o755)) // where sshd, as root, leaves its privileges
	}
	me, err := user.Current()
	require.NoError(t, err)
	s := &sshd{dir: t.TempDir(), address: testkit.FreeAddr(t, "127.0.0.1"), user: me.Username}
	host, port, err := net.SplitHostPort(s.address)
	require.NoError(t, err)
	hostKey, userKey := newKey(t, s.path("host")), newKey(t, s.path("id"))
	require.NoError(t, os.WriteFile(s.path("authorized_keys"), ssh.MarshalAuthorizedKey(userKey), 0o600))
	require.NoError(t, os.WriteFile(s.path("known_hosts"), fmt.Appendf(nil, "[%s]:%s %s", host, port, ssh.MarshalAuthorizedKey(hostKey)), 0o600))
	other := newKey(t, s.path("other"))
	require.NoError(t, os.WriteFile(s.path("wrong_hosts"), fmt.Appendf(nil, "[%s]:%s %s", host, port, ssh.MarshalAuthorizedKey(other)), 0o600))
	require.NoError(t, os.WriteFile(s.path("sshd_config"), []byte(strings.Join([]string{"ListenAddress " + host, "Port " + port, "PidFile none", "UsePAM no", "StrictModes no",
		"PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin yes", "LogLevel ERROR", "HostKey " + s.path("host"), "AuthorizedKeysFile " + s.path("authorized_keys"), ""}, "\n")), 0o600))
	cmd := exec.Command(program, "-D", "-e", "-f", s.path("sshd_config"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	testkit.Eventually(t, 30*time.Second, "sshd listens", func(ctx context.Context) bool {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return s
}

func (s *sshd) path(name string) string { return filepath.Join(s.dir, name) }

func TestSSHWithAPinnedHostKey(t *testing.T) {
	s := newSSHD(t)
	dir := bare(t)
	remote := git.Remote{URL: "ssh://" + s.user + "@" + s.address + dir, Branch: "main", Key: s.path("id"), KnownHosts: s.path("known_hosts")}
	open := func(change func(*git.Remote)) *git.Repo {
		with := remote
		change(&with)
		repo, err := git.Open(t.Context(), filepath.Join(t.TempDir(), "with 'quotes' home.git"), with)
		require.NoError(t, err)
		return repo
	}
	repo := open(func(*git.Remote) {})
	one := commit(t, repo, git.Hash{}, map[string]string{"config.xml": "<a/>"})
	require.NoError(t, repo.Push(t.Context(), git.Update{Ref: repo.Main(), New: one}))
	seen, err := open(func(*git.Remote) {}).Fetch(t.Context())
	require.NoError(t, err)
	require.Equal(t, one, seen["refs/heads/main"])

	_, err = open(func(r *git.Remote) { r.KnownHosts = s.path("wrong_hosts") }).Fetch(t.Context())
	require.ErrorContains(t, err, "Host key verification failed")
	_, err = open(func(r *git.Remote) { r.KnownHosts = s.path("none") }).Fetch(t.Context())
	require.ErrorContains(t, err, "Host key verification failed", "an unknown host is not believed")
	_, err = open(func(r *git.Remote) { r.Key = s.path("other") }).Fetch(t.Context())
	require.ErrorContains(t, err, "Permission denied")
}

func TestHTTPWithAToken(t *testing.T) {
	const token = "s3cr3t-token-of-the-test"
	root := filepath.Dir(bare(t))
	path, err := exec.Command("git", "--exec-path").Output()
	require.NoError(t, err)
	backend := filepath.Join(strings.TrimSpace(string(path)), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		testkit.Missing(t, "git-http-backend")
	}
	var mu sync.Mutex
	var lines []string // of all git processes while the server was asked
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, ok := r.BasicAuth()
		if !ok || password != token {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		mu.Lock()
		files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, file := range files {
			line, _ := os.ReadFile(file)
			lines = append(lines, string(line))
		}
		mu.Unlock()
		(&cgi.Handler{Path: backend, Root: "/", Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=x", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"}}).ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(token+"\n"), 0o600))
	repo, err := git.Open(t.Context(), filepath.Join(t.TempDir(), "home.git"), git.Remote{URL: server.URL + "/remote.git", Branch: "main", Key: file})
	require.NoError(t, err)
	one := commit(t, repo, git.Hash{}, map[string]string{"config.xml": "<a/>"})
	require.NoError(t, repo.Push(t.Context(), git.Update{Ref: repo.Main(), New: one}))
	seen, err := repo.Fetch(t.Context())
	require.NoError(t, err)
	require.Equal(t, one, seen["refs/heads/main"])
	require.NotEmpty(t, lines)
	require.NotContains(t, strings.Join(lines, "\n"), token, "not in the arguments of any process")

	require.NoError(t, os.WriteFile(file, []byte("wrong\n"), 0o600))
	_, err = repo.Fetch(t.Context())
	require.Error(t, err)
	require.NotContains(t, err.Error(), "wrong\n")
	require.NoError(t, filepath.WalkDir(repo.Dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		require.False(t, bytes.Contains(data, []byte(token)), "the token is in %s", path)
		return err
	}))
}

func TestAnswersOnlyWhatGitAsks(t *testing.T) {
	var out bytes.Buffer
	require.False(t, git.Answer([]string{"Password for 'https://x':"}, &out), "nobody said where the token is")
	t.Setenv(git.AskPass, filepath.Join(t.TempDir(), "none"))
	require.False(t, git.Answer([]string{"run", "--config", "x"}, &out))
	require.True(t, git.Answer([]string{"Username for 'https://x': "}, &out))
	require.Equal(t, "x-access-token\n", out.String())
}
