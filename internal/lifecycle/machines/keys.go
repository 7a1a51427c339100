package machines

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/wholefile"
)

// publicKey is the line that the machines get. A key of jomctl's own is generated where it is missing.
func publicKey(c *config.Cluster) (string, error) {
	file := inventory.IdentityFile(c)
	if _, err := os.Stat(file); c.SSH.IdentityFile == "" && errors.Is(err, fs.ErrNotExist) {
		return generateKey(c, file)
	}
	if line, err := os.ReadFile(file + ".pub"); err == nil {
		return strings.TrimSpace(string(line)), nil
	}
	private, err := os.ReadFile(file)
	if err != nil {
		return "", &op.Refusal{Problem: fmt.Sprintf("read the SSH key: %v", err), Fix: "set ssh.identityFile to a private key, or leave it out to have one generated"}
	}
	signer, err := ssh.ParsePrivateKey(private)
	if err != nil {
		return "", &op.Refusal{Problem: fmt.Sprintf("the public half of the SSH key %s is not known: there is no %s.pub, and %v", file, filepath.Base(file), err),
			Fix: fmt.Sprintf("write it: ssh-keygen -y -f %s > %s.pub", file, file)}
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))), nil
}

func generateKey(c *config.Cluster, file string) (string, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	block, err := ssh.MarshalPrivateKey(private, "jomctl "+c.Name)
	if err != nil {
		return "", err
	}
	shared, err := ssh.NewPublicKey(public)
	if err != nil {
		return "", err
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(shared))) + " jomctl " + c.Name
	// The public half first: a private one without it is a key of the user's that lacks its .pub.
	if err := wholefile.Put(file+".pub", []byte(line+"\n"), 0o644); err != nil {
		return "", err
	}
	return line, wholefile.Put(file, pem.EncodeToMemory(block), 0o600)
}

// target is a host as known_hosts knows it.
func target(o host.Options) string { return net.JoinHostPort(o.Address, strconv.Itoa(o.Port)) }

// unpin forgets the keys of an address that another machine had before. It leaves a file of the user's own alone.
func unpin(c *config.Cluster, o host.Options) error {
	if rel, err := filepath.Rel(c.StateDir(), o.KnownHosts); err != nil || !filepath.IsLocal(rel) {
		return nil
	}
	old, err := os.ReadFile(o.KnownHosts)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("forget the key of %s: %w", o.Name, err)
	}
	name, kept := knownhosts.Normalize(target(o)), ""
	for line := range strings.Lines(string(old)) {
		if first, _, _ := strings.Cut(line, " "); first != name {
			kept += line
		}
	}
	if kept == string(old) {
		return nil
	}
	return wholefile.Put(o.KnownHosts, []byte(kept), 0o600)
}

const (
	// meetLimit is how long a new machine may take until it lets somebody log in.
	meetLimit = 5 * time.Minute
	meetEvery = 2 * time.Second
)

// meet pins the key of a machine that was made just now, as soon as it shows one, and waits until it lets jomctl log in. note says
// which key that was.
func meet(ctx context.Context, c *config.Cluster, o host.Options, say op.Say) (note string, err error) {
	ctx, cancel := context.WithTimeout(ctx, meetLimit)
	defer cancel()
	if err := unpin(c, o); err != nil {
		return "", err
	}
	try := func() error {
		if note == "" {
			keys, err := host.Scan(ctx, o)
			if err != nil {
				return err
			}
			if _, err := host.Pin(o.KnownHosts, target(o), keys[0]); err != nil {
				return err
			}
			note = fmt.Sprintf("host %s (%s) was made just now, so its key was pinned without a question: %s %s", o.Name, target(o), keys[0].Type(), ssh.FingerprintSHA256(keys[0]))
		}
		remote, err := host.NewRemote(o)
		if err != nil {
			return err
		}
		defer remote.Close()
		return remote.Connect(ctx)
	}
	every := time.NewTicker(meetEvery)
	defer every.Stop()
	for said := ""; ; {
		err := try()
		if err == nil {
			return note, nil
		}
		if ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			say("waiting until %s can be logged in to: %s", o.Name, said)
		}
		select {
		case <-ctx.Done():
			return note, fmt.Errorf("machine %s was made, but cannot be logged in to: %w", o.Name, err)
		case <-every.C:
		}
	}
}
