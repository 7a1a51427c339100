package config

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// RegistryLogin is the account of the registry, empty where it asks for none. A password that is not there is fs.ErrNotExist.
func (c *Cluster) RegistryLogin() (user, password string, err error) {
	if c.Registry == nil || c.Registry.User == "" {
		return "", "", nil
	}
	password, err = c.Registry.Password.Resolve(c)
	if err != nil {
		return "", "", fmt.Errorf("the password of the registry %s: %w", c.Registry.Address, err)
	}
	return c.Registry.User, password, nil
}

// DockerConfig is a config.json as Docker and Mesos agents read it, with a login.
func DockerConfig(registry, user, password string) ([]byte, error) {
	type auth struct {
		Auth string `json:"auth"`
	}
	data, err := json.Marshal(map[string]map[string]auth{"auths": {registry: {base64.StdEncoding.EncodeToString([]byte(user + ":" + password))}}})
	if err != nil {
		return nil, fmt.Errorf("describe the login of the registry %s: %w", registry, err)
	}
	return append(data, '\n'), nil
}

// registry checks the registry and its login.
func (k *checker) registry(r *Registry) {
	if r == nil {
		return
	}
	k.registryAddress(r.Address)
	k.secret("registry.password", r.Password)
	switch {
	case (r.User == "") != (r.Password == ""):
		k.add("registry", nil, "user and password belong together", "give both or none")
	case strings.Contains(r.User, ":"):
		k.add("registry.user", r.User, "must have no colon, at which it would be cut", "")
	}
}
