package inventory

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/provision/terraform"
)

func TestHowMachinesAreLoggedInTo(t *testing.T) {
	c := &config.Cluster{APIVersion: config.APIVersion, Name: "ci", Target: config.TargetDocker, File: filepath.Join(t.TempDir(), "cluster.yaml")}
	config.Default(c)
	made := terraform.Host{Name: "m1", Address: "10.0.0.11", SSHAddress: "198.51.100.7", User: "admin", Port: 2222}
	list := Machines{Hosts: []terraform.Host{made}}
	o := list.Options(c, config.Host{Name: "m1", Address: "10.0.0.11"}, Access{}, nil)
	assert.Equal(t, "198.51.100.7", o.Address)
	assert.Equal(t, 2222, o.Port)
	assert.Equal(t, "10.0.0.11", o.ClusterAddress)
	assert.Equal(t, "admin", o.User)
	assert.Equal(t, filepath.Join(c.StateDir(), "ssh", "id_ed25519"), o.IdentityFile)
	o = list.Options(c, config.Host{Name: "m1", Address: "10.0.0.11"}, Access{}, &host.Remote{})
	assert.Equal(t, "10.0.0.11", o.Address, "a jump host is inside")
	assert.Equal(t, 2222, o.Port)
}
