package machines

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision/terraform"
)

func TestAKeyIsGeneratedOnce(t *testing.T) {
	c := lifecycletest.Written(t, lifecycletest.OnMachines)
	line, err := publicKey(c)
	require.NoError(t, err)
	again, err := publicKey(c)
	require.NoError(t, err)
	require.Equal(t, line, again)
	info, err := os.Stat(inventory.IdentityFile(c))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	private, err := os.ReadFile(inventory.IdentityFile(c))
	require.NoError(t, err)
	signer, err := ssh.ParsePrivateKey(private)
	require.NoError(t, err)
	public, comment, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	require.NoError(t, err)
	require.Equal(t, "jomctl ci", comment)
	require.Equal(t, signer.PublicKey().Marshal(), public.Marshal())
}

func TestAKeyOfOnesOwn(t *testing.T) {
	c := lifecycletest.Written(t, lifecycletest.OnMachines+"ssh: {identityFile: mine}\n")
	_, err := publicKey(c)
	require.ErrorContains(t, err, "read the SSH key")
	require.NoFileExists(t, inventory.IdentityFile(c), "what the user names is not generated")

	own := lifecycletest.Written(t, lifecycletest.OnMachines)
	line, err := publicKey(own)
	require.NoError(t, err)
	private, err := os.ReadFile(inventory.IdentityFile(own))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(c.Dir(), "mine"), private, 0o600))
	got, err := publicKey(c)
	require.NoError(t, err)
	require.Contains(t, line, got, "made from the private one")
	require.NoError(t, os.WriteFile(filepath.Join(c.Dir(), "mine.pub"), []byte(line+"\n"), 0o600))
	got, err = publicKey(c)
	require.NoError(t, err)
	require.Equal(t, line, got)
	require.NoError(t, os.Remove(filepath.Join(c.Dir(), "mine.pub")))
	require.NoError(t, os.WriteFile(filepath.Join(c.Dir(), "mine"), []byte("no key"), 0o600))
	_, err = publicKey(c)
	var refusal *op.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Contains(t, refusal.Fix, "ssh-keygen -y -f ")
}

func TestKeysOfAnAddressAreForgotten(t *testing.T) {
	c := lifecycletest.Written(t, lifecycletest.OnMachines)
	public, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	key, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	file := c.Resolve(c.SSH.KnownHosts)
	for _, address := range []string{"10.0.0.11:22", "10.0.0.1:22", "10.0.0.11:2222"} {
		_, err := host.Pin(file, address, key)
		require.NoError(t, err)
	}
	require.NoError(t, unpin(c, host.Options{Name: "m1", Address: "10.0.0.11", Port: 22, KnownHosts: file}))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "10.0.0.11 ")
	assert.Contains(t, string(text), "10.0.0.1 ssh-ed25519")
	assert.Contains(t, string(text), "[10.0.0.11]:2222 ")

	elsewhere := filepath.Join(t.TempDir(), "known_hosts")
	_, err = host.Pin(elsewhere, "10.0.0.11:22", key)
	require.NoError(t, err)
	require.NoError(t, unpin(c, host.Options{Name: "m1", Address: "10.0.0.11", Port: 22, KnownHosts: elsewhere}))
	text, err = os.ReadFile(elsewhere)
	require.NoError(t, err)
	assert.Contains(t, string(text), "10.0.0.11 ", "a file of the user's own is left alone")
}

// sshPort is a machine that takes whoever has the key, from the n-th login on.
func sshPort(t *testing.T, key string, n int32) int {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	want, _, _, _, err := ssh.ParseAuthorizedKey([]byte(key))
	require.NoError(t, err)
	var logins atomic.Int32 // one for each time that a key is offered
	server := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, shown ssh.PublicKey) (*ssh.Permissions, error) {
		if string(shown.Marshal()) != string(want.Marshal()) || logins.Add(1) < n {
			return nil, errors.New("not yet")
		}
		return nil, nil
	}}
	server.AddHostKey(signer)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				one, channels, requests, err := ssh.NewServerConn(conn, server)
				if err != nil {
					return
				}
				go ssh.DiscardRequests(requests)
				for channel := range channels {
					_ = channel.Reject(ssh.Prohibited, "")
				}
				_ = one.Wait()
			}()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

func TestANewMachineIsPinnedAndWaitedFor(t *testing.T) {
	c := lifecycletest.Written(t, lifecycletest.OnMachines)
	key, err := publicKey(c)
	require.NoError(t, err)
	made := lifecycletest.Machine("m1", "127.0.0.1")
	made.Port = sshPort(t, key, 2)
	o := inventory.Machines{Hosts: []terraform.Host{made}}.Options(c, config.Host{Name: "m1", Address: "127.0.0.1"}, inventory.Access{}, nil)
	public, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	old, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	_, err = host.Pin(o.KnownHosts, target(o), old)
	require.NoError(t, err)

	var said []string
	note, err := meet(t.Context(), c, o, func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
	require.NoError(t, err)
	assert.Contains(t, note, "was made just now, so its key was pinned without a question: ssh-ed25519 SHA256:")
	require.NotEmpty(t, said)
	assert.Contains(t, said[0], "waiting until m1 can be logged in to")
	text, err := os.ReadFile(o.KnownHosts)
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(string(text), "\n"), "the key of the machine that was there before is forgotten")

	o.Port = sshPort(t, key, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = meet(ctx, c, o, lifecycletest.Quiet)
	require.ErrorContains(t, err, "machine m1 was made, but cannot be logged in to")
}
