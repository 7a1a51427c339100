// Package home reads and writes JENKINS_HOME in Jenkins' own layout: config.xml, users, secrets and the small files of a boot.
package home

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/jomctl/jomctl/internal/standin/jenkins/xmltree"
)

// WriteFile writes beside the target and renames, as Jenkins does (`<name>-atomic<digits>tmp`).
func WriteFile(path string, data []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make folder of %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-atomic*tmp")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// Save writes an XStream file.
func Save(path string, n *xmltree.Node) error {
	return WriteFile(path, n.Render(xmltree.FileHeader), 0o644)
}

// Load reads an XML file; a missing one is nil without an error.
func Load(path string) (*xmltree.Node, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	n, err := xmltree.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return n, nil
}

// Secret reads secrets/<name>, and makes it of size random bytes when it is not there.
func Secret(home, name string, size int) ([]byte, error) {
	path := filepath.Join(home, "secrets", name)
	if data, err := os.ReadFile(path); err == nil && len(data) > 0 {
		return data, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make secrets: %w", err)
	}
	data := make([]byte, size)
	_, _ = rand.Read(data)
	return data, WriteFile(path, data, 0o644)
}

// RandomHex is n random bytes in hex.
func RandomHex(n int) string {
	data := make([]byte, n)
	_, _ = rand.Read(data)
	return hex.EncodeToString(data)
}

const monitorNames = "Architecture Clock DiskSpace SwapSpace TemporarySpace ResponseTime"

// BootFiles writes what every boot of a core of that version leaves in the home; wizardOff also writes the wizard's state.
func BootFiles(dir, version string, wizardOff bool) error {
	monitors := xmltree.Elem("hudson.util.DescribableList")
	for _, m := range strings.Fields(monitorNames) {
		n := xmltree.Elem("hudson.node__monitors."+m+"Monitor", xmltree.Text("ignored", false))
		if strings.HasSuffix(m, "Space") && m != "SwapSpace" {
			n.Add(xmltree.Text("freeSpaceThreshold", "1GiB"), xmltree.Text("freeSpaceWarningThreshold", "2GiB"))
		}
		monitors.Add(n)
	}
	site := xmltree.Elem("sites", xmltree.Elem("site", xmltree.Text("id", "default"), xmltree.Text("url", "https://updates.jenkins.io/update-center.json")))
	errs := []error{
		Save(filepath.Join(dir, "nodeMonitors.xml"), monitors),
		Save(filepath.Join(dir, "hudson.model.UpdateCenter.xml"), site),
		WriteFile(filepath.Join(dir, ".lastStarted"), nil, 0o644),
		WriteFile(filepath.Join(dir, "userContent", "readme.txt"), []byte("Files in this directory will be served under your http://yourjenkins/userContent/\n"), 0o644),
		os.MkdirAll(filepath.Join(dir, "jobs"), 0o755),
		os.MkdirAll(filepath.Join(dir, "plugins"), 0o755),
	}
	if wizardOff {
		errs = append(errs, FinishWizard(dir, version))
	}
	correlator := xmltree.Elem("jenkins.telemetry.Correlator", xmltree.Text("correlationId", RandomHex(16)))
	errs = append(errs,
		writeIfMissing(filepath.Join(dir, "jenkins.telemetry.Correlator.xml"), correlator.Render(xmltree.FileHeader)),
		writeIfMissing(filepath.Join(dir, "secret.key"), []byte(RandomHex(32))),
		writeIfMissing(filepath.Join(dir, "secret.key.not-so-secret"), nil))
	return errors.Join(errs...)
}

// FinishWizard writes the files that say that the setup wizard is over.
func FinishWizard(dir, version string) error {
	return errors.Join(WriteFile(filepath.Join(dir, "jenkins.install.InstallUtil.lastExecVersion"), []byte(version), 0o644),
		writeIfMissing(filepath.Join(dir, "jenkins.install.UpgradeWizard.state"), []byte(version)))
}

func writeIfMissing(path string, data []byte) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	return WriteFile(path, data, 0o644)
}

// RootURL reads the configured root URL; "" when there is none.
func RootURL(dir string) string {
	n, err := Load(filepath.Join(dir, locationFile))
	if err != nil || n == nil {
		return ""
	}
	url := n.Trimmed("jenkinsUrl")
	if url != "" && !strings.HasSuffix(url, "/") {
		url += "/"
	}
	return url
}

const locationFile = "jenkins.model.JenkinsLocationConfiguration.xml"

// SaveRootURL writes the location file, keeping the administrator's address.
func SaveRootURL(dir, url string) error {
	path := filepath.Join(dir, locationFile)
	n, err := Load(path)
	if err != nil || n == nil {
		n = xmltree.Elem("jenkins.model.JenkinsLocationConfiguration")
	}
	n.Set(xmltree.Text("jenkinsUrl", url))
	return Save(path, n)
}
