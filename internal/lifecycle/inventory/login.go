package inventory

import (
	"fmt"
	"path/filepath"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
)

// Options are how a host is logged in to; jump is nil where that is done directly.
func (inv Machines) Options(c *config.Cluster, h config.Host, access Access, jump *host.Remote) host.Options {
	o := host.Options{Name: h.Name, Address: h.Address, User: c.SSH.User, Port: c.SSH.Port,
		IdentityFile: IdentityFile(c), KnownHosts: c.Resolve(c.SSH.KnownHosts), Passphrase: access.Passphrase, Jump: jump}
	made, ok := inv.Host(h.Name)
	if !ok {
		return o
	}
	if made.SSHAddress != "" && jump == nil { // a jump host is inside
		o.Address, o.ClusterAddress = made.SSHAddress, h.Address
	}
	if made.User != "" {
		o.User = made.User
	}
	if made.Port != 0 {
		o.Port = made.Port
	}
	return o
}

// Jump is the host that all others are logged in to through.
func Jump(c *config.Cluster, access Access) (*host.Remote, error) {
	s := c.SSH
	user, address, port, err := host.ParseDestination(s.Jump)
	if err != nil {
		return nil, fmt.Errorf("ssh.jump: %w", err)
	}
	if user == "" {
		user = s.User
	}
	return host.NewRemote(host.Options{Name: "jump host", Address: address, User: user, Port: port, IdentityFile: c.Resolve(s.IdentityFile),
		KnownHosts: c.Resolve(s.KnownHosts), Passphrase: access.Passphrase, Sudo: host.SudoNever})
}

// IdentityFile is the private key to log in with; empty leaves it to the SSH agent and the usual files.
func IdentityFile(c *config.Cluster) string {
	if c.SSH.IdentityFile == "" && c.Target.FromTerraform() {
		return filepath.Join(KeyDir(c), "id_ed25519")
	}
	return c.Resolve(c.SSH.IdentityFile)
}

// KeyDir is where a generated key is.
func KeyDir(c *config.Cluster) string { return filepath.Join(c.StateDir(), "ssh") }
