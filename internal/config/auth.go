package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// The principals that Mesos knows Mesos agents and Marathon by. Marathon has its principal from its first start on, with
// authentication or without: Mesos never lets a framework take another one.
const (
	AgentPrincipal    = "mesos-agent"
	MarathonPrincipal = "marathon"
)

// The secrets of Mesos' authentication, which are generated like the other ones.
const (
	agentSecret    Secret = "file:.jomctl/secrets/mesos-agent"
	marathonSecret Secret = "file:.jomctl/secrets/mesos-marathon"
)

// Credential is one that the masters take, as their file of credentials has it.
type Credential struct {
	Principal string `json:"principal"`
	Secret    string `json:"secret"`
}

// Secrets are all secrets that the cluster refers to, the admin's password first. Those that install generates where their
// `file:` is missing come before the others.
func (c *Cluster) Secrets() []Secret {
	secrets := c.Generated()
	if c.Jenkins.SCM != nil {
		secrets = append(secrets, c.Jenkins.SCM.Key)
	}
	if c.Registry != nil {
		secrets = append(secrets, c.Registry.Password)
	}
	if c.Backup != nil {
		secrets = append(secrets, c.Backup.Password)
	}
	if c.Backup != nil && c.Backup.Key != "" {
		secrets = append(secrets, c.Backup.Key)
	}
	return secrets
}

// Generated are the secrets that install makes where their `file:` is missing, the admin's password first.
func (c *Cluster) Generated() []Secret {
	secrets := []Secret{c.Jenkins.Admin.Password}
	if c.Components.Mesos.Authentication {
		secrets = append(secrets, agentSecret, marathonSecret)
	}
	if b := c.Components.Marathon.BasicAuth; b != nil {
		secrets = append(secrets, b.Password)
	}
	if key := c.Jenkins.Home.MasterKey; key != "" {
		secrets = append(secrets, key)
	}
	return secrets
}

// leastSecret is how long the shortest secret is that Mesos and Marathon take for one.
const leastSecret = 8

// MesosCredentials are the credentials of the Mesos agents and of Marathon. Without authentication they are empty. A secret
// that is not there yet is fs.ErrNotExist.
func (c *Cluster) MesosCredentials() (agent, marathon Credential, err error) {
	if !c.Components.Mesos.Authentication {
		return agent, marathon, nil
	}
	read := func(principal string, secret Secret) Credential {
		value, fault := secret.Resolve(c)
		// Marathon makes an argument of its own of a secret in its environment, where a dash would begin the next one.
		if fault == nil && (len(value) < leastSecret || !asciiText(value) || value[0] == '-') {
			fault = fmt.Errorf("secret %s: must be %d or more characters of ASCII on one line, the first no dash: remove the file to have a new one generated", secret, leastSecret)
		}
		err = errors.Join(err, fault)
		return Credential{Principal: principal, Secret: value}
	}
	agent, marathon = read(AgentPrincipal, agentSecret), read(MarathonPrincipal, marathonSecret)
	if err != nil {
		return Credential{}, Credential{}, err
	}
	return agent, marathon, nil
}

// MarathonLogin is the account of Marathon, empty where it asks for none. A password that is not there yet is fs.ErrNotExist.
func (c *Cluster) MarathonLogin() (user, password string, err error) {
	b := c.Components.Marathon.BasicAuth
	if b == nil {
		return "", "", nil
	}
	password, err = b.Password.Resolve(c)
	if err != nil {
		return "", "", err
	}
	// Marathon cuts what it is given at the last colon, and clients cut at the first.
	if strings.Contains(password, ":") || !asciiText(password) {
		return "", "", fmt.Errorf("secret %s: the password of Marathon must be ASCII on one line and without a colon, or nobody could log in", b.Password)
	}
	return b.User, password, nil
}

func asciiText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

var basicUser = regexp.MustCompile(`^[!-9;-~]+$`)

// authentication checks what the programs under Jenkins ask others for.
func (k *checker) authentication(c *Cluster) {
	if c.Components.Mesos.Authentication && c.Jenkins.Cloud.Line == LineLibmesos {
		k.add("components.mesos.authentication", true, "cannot be used with jenkins.cloud.line libmesos, whose framework would need a credential that this version of jomctl does not give it",
			"use line http, or leave authentication out")
	}
	b := c.Components.Marathon.BasicAuth
	if b == nil {
		return
	}
	const at = "components.marathon.basicAuth"
	if !basicUser.MatchString(b.User) {
		k.add(at+".user", b.User, "must be a name of ASCII letters, digits and signs without colons and spaces", "")
	}
	if b.Password == "" {
		k.add(at+".password", nil, "is required", "env:NAME or file:PATH; a missing file is made with a new password")
	}
	k.secret(at+".password", b.Password)
}
