package host

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/jomctl/jomctl/internal/testkit"
)

const sshdProgram = "/usr/sbin/sshd"

// sshd is a real sshd on loopback that lets the running user in.
type sshd struct {
	t       *testing.T
	dir     string
	address string // host:port
	user    string
	key     string // private key file that it lets in
	extra   string // more lines of its configuration
	cmd     *exec.Cmd
}

func newSSHD(t *testing.T, extra ...string) *sshd {
	t.Helper()
	if _, err := os.Stat(sshdProgram); err != nil {
		testkit.Missing(t, "sshd (apt-get install openssh-server)")
	}
	if os.Geteuid() == 0 {
		require.NoError(t, os.MkdirAll("/run/sshd", 0o755)) // where sshd, as root, leaves its privileges
	}
	me, err := user.Current()
	require.NoError(t, err)
	s := &sshd{t: t, dir: t.TempDir(), address: testkit.FreeAddr(t, "127.0.0.1"), user: me.Username, extra: strings.Join(extra, "\n")}
	s.key = filepath.Join(s.dir, "id")
	s.newKey("id")
	public, err := os.ReadFile(s.key + ".pub")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "authorized_keys"), public, 0o600))
	s.newKey("host_ed25519")
	s.start()
	t.Cleanup(s.stop)
	return s
}

// newKey writes a key pair and returns the public half.
func (s *sshd) newKey(name string) ssh.PublicKey {
	s.t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(s.t, err)
	return writeKey(s.t, filepath.Join(s.dir, name), private, "")
}

func writeKey(t *testing.T, file string, private any, passphrase string) ssh.PublicKey {
	t.Helper()
	var block *pem.Block
	var err error
	signer, err := ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(private, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	require.NoError(t, os.WriteFile(file+".pub", ssh.MarshalAuthorizedKey(signer.PublicKey()), 0o600))
	return signer.PublicKey()
}

func (s *sshd) hostKeys() []string {
	var lines []string
	found, err := filepath.Glob(filepath.Join(s.dir, "host_*.pub"))
	require.NoError(s.t, err)
	for _, file := range found {
		lines = append(lines, "HostKey "+strings.TrimSuffix(file, ".pub"))
	}
	return lines
}

func (s *sshd) start() {
	s.t.Helper()
	address, port, err := net.SplitHostPort(s.address)
	require.NoError(s.t, err)
	lines := append([]string{"ListenAddress " + address, "Port " + port, "PidFile none", "UsePAM no", "StrictModes no", "PasswordAuthentication no",
		"KbdInteractiveAuthentication no", "PermitRootLogin yes", "MaxStartups 100", "LogLevel ERROR",
		"AuthorizedKeysFile " + filepath.Join(s.dir, "authorized_keys")}, s.hostKeys()...)
	config := filepath.Join(s.dir, "sshd_config")
	require.NoError(s.t, os.WriteFile(config, []byte(strings.Join(append(lines, s.extra, ""), "\n")), 0o600))
	var log bytes.Buffer
	s.cmd = exec.Command(sshdProgram, "-D", "-e", "-f", config)
	s.cmd.Stderr = &log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(s.t, s.cmd.Start())
	testkit.Eventually(s.t, 30*time.Second, "sshd listens on "+s.address, func(ctx context.Context) bool {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

// stop ends the listener; connections that are open live on.
func (s *sshd) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

func (s *sshd) options() Options {
	address, port, err := net.SplitHostPort(s.address)
	require.NoError(s.t, err)
	number, err := strconv.Atoi(port)
	require.NoError(s.t, err)
	return Options{Name: "h1", Address: address, Port: number, User: s.user, IdentityFile: s.key, AgentSocket: "none",
		KnownHosts: filepath.Join(s.dir, "known_hosts"), Sudo: SudoNever, DialTimeout: time.Minute}
}

// pin pins all keys that the server shows.
func (s *sshd) pin() {
	s.t.Helper()
	keys, err := Scan(s.t.Context(), s.options())
	require.NoError(s.t, err)
	for _, key := range keys {
		_, err := Pin(filepath.Join(s.dir, "known_hosts"), s.address, key)
		require.NoError(s.t, err)
	}
}

// remote returns the pinned host, whose options may be changed first.
func (s *sshd) remote(change ...func(*Options)) *Remote {
	s.t.Helper()
	s.pin()
	o := s.options()
	for _, f := range change {
		f(&o)
	}
	r, err := NewRemote(o)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = r.Close() })
	return r
}

// sessionProcess is the sshd process that serves the connection of r.
func sessionProcess(t *testing.T, r *Remote) int {
	t.Helper()
	out, err := r.Run(t.Context(), "/bin/sh", "-c", "echo $PPID")
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(out.Stdout))
	require.NoError(t, err)
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	require.NoError(t, err)
	require.Contains(t, string(comm), "sshd")
	return pid
}
