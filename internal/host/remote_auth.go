package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// LoginError is a host that does not accept the user with the keys that were offered.
type LoginError struct {
	User, Host string
	Port       int
	Offered    []string // the keys, for people
	Err        error
}

func (e *LoginError) Error() string {
	return fmt.Sprintf("user %s is not let in with %s: %v", e.User, strings.Join(e.Offered, ", "), e.Err)
}

func (e *LoginError) Unwrap() error { return e.Err }

// Hint is the way out.
func (e *LoginError) Hint() string {
	return fmt.Sprintf("put a public key there: ssh-copy-id -p %d %s@%s, or set ssh.user and ssh.identityFile", e.Port, e.User, e.Host)
}

// SudoError is a login user who cannot be root without being asked.
type SudoError struct {
	User, Host string
	Text       string // what sudo said
}

func (e *SudoError) Error() string {
	return fmt.Sprintf("user %s cannot become root: %s", e.User, e.Text)
}

// Hint is the way out.
func (e *SudoError) Hint() string {
	return fmt.Sprintf("on %s, as root: echo '%s ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/jomctl && chmod 440 /etc/sudoers.d/jomctl (sudo must be installed, without requiretty), or set ssh.user: root",
		e.Host, e.User)
}

// sudoProblem is what sudo, or the shell in its place, wrote; "" when it wrote nothing.
func sudoProblem(stderr string) string {
	for line := range strings.Lines(stderr) {
		if line = strings.TrimSpace(line); strings.Contains(line, "sudo") {
			return line
		}
	}
	return ""
}

// keyProblem is a private key that cannot be used.
type keyProblem struct{ problem, hint string }

func (e *keyProblem) Error() string { return e.problem }

// Hint is the way out.
func (e *keyProblem) Hint() string { return e.hint }

// auth holds the keys for one login.
type auth struct {
	options Options
	signers []ssh.Signer
	offered []string
	agent   net.Conn
}

func newAuth(ctx context.Context, o Options) (*auth, error) {
	a := &auth{options: o}
	inAgent := a.askAgent(ctx)
	files := []string{o.IdentityFile}
	if o.IdentityFile == "" {
		files = usualKeys()
	}
	for _, file := range files {
		signer, err := a.read(file, inAgent)
		if err != nil && o.IdentityFile != "" {
			a.close()
			return nil, err
		}
		if signer != nil {
			a.add(signer, file)
		}
	}
	for _, signer := range inAgent {
		a.add(signer, "the SSH agent's "+signer.PublicKey().Type())
	}
	if len(a.signers) == 0 {
		a.close()
		return nil, &keyProblem{"there is no SSH key to log in with", "ssh-keygen -t ed25519, or set ssh.identityFile, or start an SSH agent"}
	}
	return a, nil
}

func usualKeys() []string {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	var files []string
	for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		files = append(files, filepath.Join(home, ".ssh", name))
	}
	return files
}

// add offers a key once. The identity file comes first, as sshd ends a login after a few wrong keys.
func (a *auth) add(signer ssh.Signer, what string) {
	for _, have := range a.signers {
		if bytes.Equal(have.PublicKey().Marshal(), signer.PublicKey().Marshal()) {
			return
		}
	}
	a.signers, a.offered = append(a.signers, signer), append(a.offered, what)
}

// askAgent returns the keys of the SSH agent; one that cannot be asked has none.
func (a *auth) askAgent(ctx context.Context) []ssh.Signer {
	socket := a.options.AgentSocket
	if socket == "" {
		socket = os.Getenv("SSH_AUTH_SOCK")
	}
	if socket == "" || socket == "none" {
		return nil
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil
	}
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		_ = conn.Close()
		return nil
	}
	a.agent = conn
	return signers
}

// read reads a private key. An encrypted one that the agent has too is taken from there, so that nobody is asked.
func (a *auth) read(file string, inAgent []ssh.Signer) (ssh.Signer, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &keyProblem{"the private key " + file + " is not there", "ssh-keygen -t ed25519 -f " + file + ", or set ssh.identityFile to another"}
	}
	if err != nil {
		return nil, fmt.Errorf("read the private key: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	var encrypted *ssh.PassphraseMissingError
	if err == nil || !errors.As(err, &encrypted) {
		if err != nil {
			err = fmt.Errorf("read the private key %s: %w", file, err)
		}
		return signer, err
	}
	public := encrypted.PublicKey
	if text, err := os.ReadFile(file + ".pub"); public == nil && err == nil {
		public, _, _, _, _ = ssh.ParseAuthorizedKey(text)
	}
	for _, signer := range inAgent {
		if public != nil && bytes.Equal(signer.PublicKey().Marshal(), public.Marshal()) {
			return signer, nil
		}
	}
	if a.options.Passphrase == nil {
		return nil, &keyProblem{"the private key " + file + " has a passphrase", "ssh-add " + file}
	}
	passphrase, err := a.options.Passphrase(file)
	if err != nil {
		return nil, fmt.Errorf("ask for the passphrase of %s: %w", file, err)
	}
	signer, err = ssh.ParsePrivateKeyWithPassphrase(text, []byte(passphrase))
	if err != nil {
		return nil, fmt.Errorf("read the private key %s: %w", file, err)
	}
	return signer, nil
}

func (a *auth) methods() []ssh.AuthMethod {
	return []ssh.AuthMethod{ssh.PublicKeys(a.signers...)}
}

// close may be called again.
func (a *auth) close() {
	if a.agent != nil {
		_ = a.agent.Close()
	}
}

// explain makes a LoginError of a login that failed. The library has no type for it.
func (a *auth) explain(err error) error {
	if strings.Contains(err.Error(), "unable to authenticate") || strings.Contains(err.Error(), "Too many authentication failures") {
		return &LoginError{User: a.options.User, Host: a.options.Address, Port: a.options.Port, Offered: a.offered, Err: err}
	}
	return err
}
