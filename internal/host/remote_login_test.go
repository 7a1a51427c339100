package host

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/jomctl/jomctl/internal/testkit"
)

func TestAnUnknownKeyIsShownAndPinned(t *testing.T) {
	s := newSSHD(t)
	r, err := NewRemote(s.options())
	require.NoError(t, err)
	var unknown *UnknownKeyError
	require.ErrorAs(t, r.Connect(t.Context()), &unknown)
	want, err := exec.Command("ssh-keygen", "-lf", filepath.Join(s.dir, "host_ed25519.pub")).Output()
	require.NoError(t, err)
	fingerprint := strings.Fields(string(want))[1]
	require.ErrorContains(t, unknown, "the key of host h1 ("+s.address+") is not pinned: ssh-ed25519 "+fingerprint)
	assert.Contains(t, unknown.Hint(), unknown.File)

	file := filepath.Join(s.dir, "known_hosts")
	for i, added := range []bool{true, false} {
		got, err := Pin(file, unknown.Address, unknown.Key)
		require.NoError(t, err)
		assert.Equal(t, added, got, "time %d", i)
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	host, port, _ := net.SplitHostPort(s.address)
	assert.True(t, strings.HasPrefix(string(text), "["+host+"]:"+port+" ssh-ed25519 "), "%s", text)
	require.NoError(t, r.Connect(t.Context()))
	require.NoError(t, r.Close())
	found, err := exec.Command("ssh-keygen", "-f", file, "-F", "["+host+"]:"+port).Output()
	require.NoError(t, err, "OpenSSH finds it too: %s", found)
}

func TestAChangedKeyStopsEverything(t *testing.T) {
	s := newSSHD(t)
	s.pin()
	s.stop()
	old, err := os.ReadFile(filepath.Join(s.dir, "host_ed25519.pub"))
	require.NoError(t, err)
	key := s.newKey("host_ed25519")
	s.start()
	r, err := NewRemote(s.options())
	require.NoError(t, err)
	_, err = r.Run(t.Context(), "true")
	var changed *ChangedKeyError
	require.ErrorAs(t, err, &changed)
	pinned, _, _, _, err := ssh.ParseAuthorizedKey(old)
	require.NoError(t, err)
	file := filepath.Join(s.dir, "known_hosts")
	for _, part := range []string{"has changed", ssh.FingerprintSHA256(key), ssh.FingerprintSHA256(pinned), file + ":1"} {
		require.ErrorContains(t, changed, part)
	}
	_, err = Pin(file, s.address, key)
	require.ErrorAs(t, err, &changed, "it is not simply pinned")

	fix := changed.Hint()[strings.Index(changed.Hint(), "ssh-keygen"):]
	fix, _, _ = strings.Cut(fix, ", and")
	out, err := exec.Command("/bin/sh", "-c", fix).CombinedOutput()
	require.NoError(t, err, "%s: %s", fix, out)
	var unknown *UnknownKeyError
	require.ErrorAs(t, r.Connect(t.Context()), &unknown, "the way out that is named works")
}

func TestThePinnedKindOfKeyIsAskedFor(t *testing.T) {
	s := newSSHD(t)
	s.stop()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	kinds := map[string]ssh.PublicKey{"rsa": writeKey(t, filepath.Join(s.dir, "host_rsa"), rsaKey, ""), "ecdsa": writeKey(t, filepath.Join(s.dir, "host_ecdsa"), ecKey, "")}
	s.start()
	keys, err := Scan(t.Context(), s.options())
	require.NoError(t, err)
	var types []string
	for _, key := range keys {
		types = append(types, key.Type())
	}
	assert.Equal(t, []string{"ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"}, types)
	for name, key := range kinds {
		o := s.options()
		o.KnownHosts = filepath.Join(t.TempDir(), "known_hosts")
		_, err := Pin(o.KnownHosts, s.address, key)
		require.NoError(t, err)
		r, err := NewRemote(o)
		require.NoError(t, err)
		require.NoError(t, r.Connect(t.Context()), "only the %s key is pinned", name)
		require.NoError(t, r.Close())
	}
	kind := []ssh.PublicKey{kinds["rsa"], keys[0]}
	file := filepath.Join(t.TempDir(), "sub", "known_hosts")
	for _, key := range kind {
		added, err := Pin(file, s.address, key)
		require.NoError(t, err)
		assert.True(t, added, "a second kind of key of the same host")
	}
}

func TestHashedEntriesAreRespected(t *testing.T) {
	s := newSSHD(t)
	s.pin()
	file := filepath.Join(s.dir, "known_hosts")
	out, err := exec.Command("ssh-keygen", "-H", "-f", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	keys, err := Scan(t.Context(), s.options())
	require.NoError(t, err)
	added, err := Pin(file, s.address, keys[0])
	require.NoError(t, err)
	assert.False(t, added)
	_, err = Pin(file, "other.example:22", keys[0])
	require.NoError(t, err)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "other.example", "where the others are hashed, a new one is too")
	out, err = exec.Command("ssh-keygen", "-f", file, "-F", "other.example").CombinedOutput()
	require.NoError(t, err, "%s", out)
	r, err := NewRemote(s.options())
	require.NoError(t, err)
	require.NoError(t, r.Connect(t.Context()))
	require.NoError(t, r.Close())
}

func TestRevokedAndBrokenKnownHosts(t *testing.T) {
	s := newSSHD(t)
	s.pin()
	file := filepath.Join(s.dir, "known_hosts")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, append([]byte("@revoked "), text...), 0o600))
	r, err := NewRemote(s.options())
	require.NoError(t, err)
	require.ErrorContains(t, r.Connect(t.Context()), "is revoked in "+file+":1")
	require.NoError(t, os.WriteFile(file, []byte("nonsense\n"), 0o600))
	require.ErrorContains(t, r.Connect(t.Context()), file+":1")
}

func TestLoginWithTheAgent(t *testing.T) {
	s := newSSHD(t)
	socket := startAgent(t)
	// The key's file has a passphrase, and nobody is asked as the agent has the key.
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	file := filepath.Join(s.dir, "locked")
	public := writeKey(t, file, private, "open sesame")
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "authorized_keys"), ssh.MarshalAuthorizedKey(public), 0o600))
	conn, err := net.Dial("unix", socket)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, agent.NewClient(conn).Add(agent.AddedKey{PrivateKey: private}))
	t.Setenv("HOME", t.TempDir())
	for _, identity := range []string{file, ""} {
		r := s.remote(func(o *Options) { o.IdentityFile, o.AgentSocket = identity, socket })
		require.NoError(t, r.Connect(t.Context()))
	}
	t.Setenv("SSH_AUTH_SOCK", socket)
	require.NoError(t, s.remote(func(o *Options) { o.IdentityFile, o.AgentSocket = "", "" }).Connect(t.Context()))

	asked := 0
	ask := func(o *Options) {
		o.IdentityFile = file
		o.Passphrase = func(string) (string, error) { asked++; return "open sesame", nil }
	}
	require.NoError(t, s.remote(ask).Connect(t.Context()))
	assert.Equal(t, 1, asked)
	wrong := func(o *Options) { ask(o); o.Passphrase = func(string) (string, error) { return "no", nil } }
	require.ErrorContains(t, s.remote(wrong).Connect(t.Context()), "read the private key "+file)
	err = s.remote(func(o *Options) { o.IdentityFile = file }).Connect(t.Context())
	require.ErrorContains(t, err, "has a passphrase")
	assert.Equal(t, "ssh-add "+file, hintOf(err))
}

func startAgent(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("ssh-agent")
	if err != nil {
		testkit.Missing(t, "ssh-agent (apt-get install openssh-client)")
	}
	dir, err := os.MkdirTemp("", "agent") // short, as a socket's path may not be long
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(program, "-D", "-a", socket)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	testkit.Eventually(t, 30*time.Second, "the agent listens", func(ctx context.Context) bool {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return socket
}

func hintOf(err error) string {
	var hinter interface{ Hint() string }
	if errors.As(err, &hinter) {
		return hinter.Hint()
	}
	return ""
}

func TestAUserWhoIsNotLetInIsSaid(t *testing.T) {
	s := newSSHD(t)
	t.Setenv("HOME", t.TempDir())
	s.newKey("other")
	err := s.remote(func(o *Options) { o.IdentityFile = filepath.Join(s.dir, "other") }).Connect(t.Context())
	var login *LoginError
	require.ErrorAs(t, err, &login)
	require.ErrorContains(t, err, "user "+s.user+" is not let in with "+filepath.Join(s.dir, "other"))
	assert.Contains(t, hintOf(err), fmt.Sprintf("ssh-copy-id -p %d %s@127.0.0.1", s.options().Port, s.user))

	err = s.remote(func(o *Options) { o.IdentityFile = filepath.Join(s.dir, "none") }).Connect(t.Context())
	require.ErrorContains(t, err, "is not there")
	assert.Contains(t, hintOf(err), "ssh-keygen")
	err = s.remote(func(o *Options) { o.IdentityFile = "" }).Connect(t.Context())
	require.ErrorContains(t, err, "there is no SSH key to log in with")
}

func TestThroughAJumpHost(t *testing.T) {
	target, jump := newSSHD(t), newSSHD(t)
	t.Setenv("HOME", t.TempDir())
	first := jump.remote(func(o *Options) { o.Name = "jump" })
	r := target.remote(func(o *Options) { o.Jump = first })
	out, err := r.Run(t.Context(), "/bin/sh", "-c", "echo $SSH_CONNECTION")
	require.NoError(t, err)
	assert.Contains(t, out.Stdout, fmt.Sprint(target.options().Port))
	keys, err := Scan(t.Context(), r.options)
	require.NoError(t, err)
	assert.Len(t, keys, 1)

	o := jump.options()
	o.Name, o.KnownHosts = "jump", filepath.Join(t.TempDir(), "none")
	stranger, err := NewRemote(o)
	require.NoError(t, err)
	err = target.remote(func(o *Options) { o.Jump = stranger }).Connect(t.Context())
	var unknown *UnknownKeyError
	require.ErrorAs(t, err, &unknown, "the jump host's key is checked too")
	assert.Equal(t, "jump", unknown.Host)
	assert.Equal(t, jump.address, unknown.Address)
}

func TestSudo(t *testing.T) {
	bin := t.TempDir()
	fake := func(body string) {
		require.NoError(t, os.WriteFile(filepath.Join(bin, "sudo"), []byte("#!/bin/sh\n"+body+"\n"), 0o755))
	}
	s := newSSHD(t, "SetEnv PATH="+bin+":/usr/bin:/bin")
	file := filepath.Join(t.TempDir(), "x")
	log := filepath.Join(bin, "log")
	fake(`[ "$1 $2" = "-n --" ] || exit 9; shift 2; echo used >> ` + log + `; SUDO_WAS_HERE=yes exec "$@"`)
	r := s.remote(func(o *Options) { o.Sudo = SudoAlways })
	out, err := r.Run(t.Context(), "/bin/sh", "-c", "echo $SUDO_WAS_HERE")
	require.NoError(t, err)
	assert.Equal(t, "yes\n", out.Stdout)
	_, err = r.WriteFile(t.Context(), file, []byte("x"), 0o640)
	require.NoError(t, err)
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	assert.Equal(t, "used\nused\n", string(text), "files are root's too")

	fake("echo 'sudo: a password is required' >&2; exit 1")
	r = s.remote(func(o *Options) { o.Sudo = SudoAlways })
	_, runErr := r.Run(t.Context(), "true")
	_, fileErr := r.ReadFile(t.Context(), file)
	for _, err := range []error{runErr, fileErr} {
		var sudo *SudoError
		require.ErrorAs(t, err, &sudo)
		require.ErrorContains(t, err, "user "+s.user+" cannot become root: sudo: a password is required")
		assert.Contains(t, sudo.Hint(), "NOPASSWD: ALL")
	}
	require.NoError(t, os.Remove(filepath.Join(bin, "sudo")))
}

func TestParseDestination(t *testing.T) {
	cases := map[string][3]string{
		"h": {"", "h", "0"}, "u@h": {"u", "h", "0"}, "u@h:2222": {"u", "h", "2222"}, "h:22": {"", "h", "22"}, "u@10.0.0.1": {"u", "10.0.0.1", "0"},
		"[::1]:22": {"", "::1", "22"}, "u@[fe80::1]": {"u", "fe80::1", "0"}, "::1": {"", "::1", "0"},
	}
	for text, want := range cases {
		user, host, port, err := ParseDestination(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, [3]string{user, host, fmt.Sprint(port)}, text)
	}
	for _, wrong := range []string{"", "@h", "u@", "h:", "h:x", "h:0", "h:70000", "a b", "u@h@x", "u@h/x"} {
		_, _, _, err := ParseDestination(wrong)
		assert.ErrorContains(t, err, "is not USER@HOST:PORT", wrong)
	}
	_, err := NewRemote(Options{Name: "h1", KnownHosts: "x"})
	require.ErrorContains(t, err, "no address")
	_, err = NewRemote(Options{Name: "h1", Address: "x"})
	require.ErrorContains(t, err, "no known_hosts")
}
