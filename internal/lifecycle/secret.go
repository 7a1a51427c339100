package lifecycle

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/provision"
)

// secretThere says whether the secret can be read, or whether it is a missing file, which is generated.
func secretThere(secret config.Secret, c *config.Cluster) (bool, error) {
	_, err := secret.Resolve(c)
	if _, isFile := secret.Path(c); isFile && errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// missingSecrets are those that are to be generated, without others that cannot be read, which are the error.
func missingSecrets(c *config.Cluster) (missing []config.Secret, err error) {
	for _, secret := range c.Generated() {
		there, fault := secretThere(secret, c)
		if fault == nil && !there {
			missing = append(missing, secret)
		}
		err = errors.Join(err, fault)
	}
	return missing, err
}

// credentialsThere says whether no service has to wait for a secret that is still to be generated.
func (e *Env) credentialsThere() bool {
	missing, _ := missingSecrets(e.Cluster)
	return !slices.ContainsFunc(missing, func(s config.Secret) bool { return s != e.Cluster.Jenkins.Admin.Password })
}

// secretFindings are the secrets that cannot be read, or that Mesos or Marathon would not take.
func (e *Env) secretFindings() []provision.Finding {
	var findings []provision.Finding
	add := func(subject string, err error) {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			findings = append(findings, provision.Finding{Subject: subject, Problem: err.Error(),
				Fix: "put another secret there; of a file that is removed, `jomctl install` makes a new one"})
		}
	}
	_, _, err := e.Cluster.MesosCredentials()
	add("components.mesos.authentication", err)
	_, _, err = e.Cluster.MarathonLogin()
	add("components.marathon.basicAuth", err)
	if b := e.Cluster.Components.Marathon.BasicAuth; b != nil {
		if _, err := secretThere(b.Password, e.Cluster); errors.Is(err, fs.ErrNotExist) { // a variable, which nobody can generate
			findings = append(findings, provision.Finding{Subject: "components.marathon.basicAuth.password", Problem: err.Error(),
				Fix: "set the variable, or name a file, which is generated"})
		}
	}
	return findings
}

// generate writes a new password of about 144 random bits to the secret's file, mode 0600. A file that is there is never
// replaced: somebody may be logging in with what it holds.
func generate(secret config.Secret, c *config.Cluster) error {
	path, _ := secret.Path(c)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making the folder of secrets: %w", err)
	}
	text := "-"
	for strings.HasPrefix(text, "-") { // which programs would take for a flag
		bytes := make([]byte, 18)
		if _, err := rand.Read(bytes); err != nil {
			return fmt.Errorf("reading random bytes: %w", err)
		}
		text = base64.RawURLEncoding.EncodeToString(bytes)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".secret-*")
	if err != nil {
		return fmt.Errorf("writing secret %s: %w", path, err)
	}
	defer os.Remove(temp.Name())
	_, err = fmt.Fprintln(temp, text)
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("writing secret %s: %w", path, err)
	}
	// Link, not rename: it fails where another run was faster.
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("writing secret %s: %w", path, err)
	}
	return nil
}
