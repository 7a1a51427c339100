package host

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// UnknownKeyError is a host whose key has not been pinned yet. The key can be shown to a person and pinned with Pin.
type UnknownKeyError struct {
	Host    string // name
	Address string // as Pin takes it
	Key     ssh.PublicKey
	File    string // the known_hosts file
}

func (e *UnknownKeyError) Error() string {
	return fmt.Sprintf("the key of host %s (%s) is not pinned: %s %s", e.Host, e.Address, e.Key.Type(), ssh.FingerprintSHA256(e.Key))
}

// Hint is the way out.
func (e *UnknownKeyError) Hint() string {
	return "compare it with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the host itself, then let jomctl pin it in " + e.File
}

// ChangedKeyError is a host that shows another key than the pinned one: another machine, or one that was made anew.
type ChangedKeyError struct {
	Host, Address string
	Key           ssh.PublicKey         // what the host shows
	Pinned        []knownhosts.KnownKey // with file and line
}

func (e *ChangedKeyError) Error() string {
	var pinned []string
	for _, p := range e.Pinned {
		pinned = append(pinned, fmt.Sprintf("%s %s (%s:%d)", p.Key.Type(), ssh.FingerprintSHA256(p.Key), p.Filename, p.Line))
	}
	return fmt.Sprintf("the key of host %s (%s) has changed: it shows %s %s, and pinned is %s",
		e.Host, e.Address, e.Key.Type(), ssh.FingerprintSHA256(e.Key), strings.Join(pinned, ", "))
}

// Hint is the way out.
func (e *ChangedKeyError) Hint() string {
	file := ""
	if len(e.Pinned) > 0 {
		file = e.Pinned[0].Filename
	}
	return fmt.Sprintf("this may be another machine that poses as the host. If the host was made anew on purpose: ssh-keygen -f %s -R %s, and run again",
		quote(file), quote(knownhosts.Normalize(e.Address)))
}

// knownHosts are the pinned keys of one file.
type knownHosts struct {
	file  string
	check ssh.HostKeyCallback
}

// readKnownHosts reads the file; one that is missing pins nothing.
func readKnownHosts(file string) (*knownHosts, error) {
	check, err := knownhosts.New(file)
	if errors.Is(err, fs.ErrNotExist) {
		check, err = knownhosts.New()
	}
	if err != nil {
		return nil, fmt.Errorf("read the pinned host keys: %w", err)
	}
	return &knownHosts{file: file, check: check}, nil
}

// noAddress stands where only the name counts.
var noAddress = &net.TCPAddr{IP: net.IPv4zero}

// verify takes the address as host:port.
func (k *knownHosts) verify(name, address string, key ssh.PublicKey) error {
	err := k.check(address, noAddress, key)
	var unknown *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	switch {
	case errors.As(err, &revoked):
		return fmt.Errorf("the key of host %s (%s) is revoked in %s:%d: %w", name, address, revoked.Revoked.Filename, revoked.Revoked.Line, err)
	case errors.As(err, &unknown) && len(unknown.Want) > 0:
		return &ChangedKeyError{Host: name, Address: address, Key: key, Pinned: unknown.Want}
	case errors.As(err, &unknown):
		return &UnknownKeyError{Host: name, Address: address, Key: key, File: k.file}
	}
	return err
}

func (k *knownHosts) callback(name string) ssh.HostKeyCallback {
	return func(address string, _ net.Addr, key ssh.PublicKey) error { return k.verify(name, address, key) }
}

// algorithms are the host key algorithms in the order in which the host is asked for them: those of pinned keys first.
// A host has keys of several types, and without this it would show one that is not pinned, which looks like a change.
func (k *knownHosts) algorithms(address string) []string {
	var first []string
	for _, pinned := range k.pinned(address) {
		first = append(first, algorithmsOf(pinned.Key.Type())...)
	}
	for _, algorithm := range defaultAlgorithms() {
		if !slices.Contains(first, algorithm) {
			first = append(first, algorithm)
		}
	}
	return first
}

// pinned asks with a key that no host has.
func (k *knownHosts) pinned(address string) []knownhosts.KnownKey {
	var unknown *knownhosts.KeyError
	if errors.As(k.check(address, noAddress, nobodysKey{}), &unknown) {
		return unknown.Want
	}
	return nil
}

type nobodysKey struct{}

func (nobodysKey) Type() string                        { return "none" }
func (nobodysKey) Marshal() []byte                     { return []byte("none") }
func (nobodysKey) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }

// algorithmsOf are those that prove a key of a type: an RSA key signs in several ways.
func algorithmsOf(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{keyType}
}

// defaultAlgorithms has one group for each kind of key that a host can have.
func defaultAlgorithms() []string { return slices.Concat(keyKinds()...) }

func keyKinds() [][]string {
	return [][]string{{ssh.KeyAlgoED25519}, {ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521},
		{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}}
}

// Pin adds a host's key to a known_hosts file, which is made where it is missing. address is host:port; a port other than
// 22 is written as [host]:port. A key that is there already, also in a hashed line, is not added again; added says so. A
// host that has another pinned key of the same type is a ChangedKeyError.
func Pin(file, address string, key ssh.PublicKey) (added bool, err error) {
	known, err := readKnownHosts(file)
	if err != nil {
		return false, err
	}
	err = known.verify(address, address, key)
	var changed *ChangedKeyError
	switch unknown := (*UnknownKeyError)(nil); {
	case err == nil:
		return false, nil
	case errors.As(err, &changed) && slices.ContainsFunc(changed.Pinned, func(p knownhosts.KnownKey) bool { return p.Key.Type() == key.Type() }):
		return false, err
	case changed == nil && !errors.As(err, &unknown):
		return false, err
	}
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("pin the key of %s: %w", address, err)
	}
	if err := appendLine(file, knownHostsLine(old, address, key), old); err != nil {
		return false, fmt.Errorf("pin the key of %s: %w", address, err)
	}
	return true, nil
}

// knownHostsLine hashes the host where the file's other lines do, as their owner does not want them to be read.
func knownHostsLine(old []byte, address string, key ssh.PublicKey) string {
	name := knownhosts.Normalize(address)
	if bytes.HasPrefix(old, []byte("|1|")) || bytes.Contains(old, []byte("\n|1|")) {
		name = knownhosts.HashHostname(name)
	}
	return name + " " + key.Type() + " " + base64.StdEncoding.EncodeToString(key.Marshal()) + "\n"
}

// appendLine writes once, so that two who pin at the same time do not mix their lines.
func appendLine(file, line string, old []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	if len(old) > 0 && old[len(old)-1] != '\n' {
		line = "\n" + line
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(line); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// errSeen ends a handshake of which only the host's key was wanted.
var errSeen = errors.New("the host key was seen")

// Scan returns the keys that a host shows, one of each kind it has, best first, without logging in and without comparing
// them with known_hosts. (A jump host is logged in to.)
func Scan(ctx context.Context, o Options) ([]ssh.PublicKey, error) {
	r := &Remote{options: o.withDefaults()}
	var keys []ssh.PublicKey
	for _, kind := range keyKinds() {
		var key ssh.PublicKey
		_, err := r.handshake(ctx, &ssh.ClientConfig{User: r.options.User, HostKeyAlgorithms: kind,
			HostKeyCallback: func(_ string, _ net.Addr, shown ssh.PublicKey) error { key = shown; return errSeen }})
		var other *ssh.AlgorithmNegotiationError
		switch {
		case key != nil:
			keys = append(keys, key)
		case !errors.As(err, &other):
			return nil, fmt.Errorf("look at the keys of host %s (%s): %w", r.Name(), r.options.target(), err)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("look at the keys of host %s (%s): it has none of a kind that is safe today", r.Name(), r.options.target())
	}
	return keys, nil
}
