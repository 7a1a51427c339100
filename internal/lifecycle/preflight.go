package lifecycle

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/jomctl/jomctl/internal/backup"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/catalogue"
)

// Preflight finds everything that keeps the cluster from being installed, before anything is touched.
func (e *Env) Preflight() []provision.Finding {
	changed, err := e.changed()
	if err != nil {
		changed = append(changed, provision.Finding{Subject: "state folder", Problem: err.Error()})
	}
	if changed = append(changed, e.versions...); len(changed) > 0 {
		return changed // what else the machine lacks for the changed cluster is beside the point
	}
	findings := append(append([]provision.Finding{}, e.findings...), e.imageFindings()...)
	for i, template := range e.Cluster.Jenkins.Cloud.Templates {
		if e.own == nil && (template.Image != "" || template.Docker != config.DockerNone) {
			findings = append(findings, provision.Finding{Subject: fmt.Sprintf("jenkins.cloud.templates[%d]", i),
				Problem: "the Mesos agents of target local run plain processes, no containers",
				Fix:     "leave `image` out and set `docker: none`"})
		}
	}
	findings = append(findings, e.secretFindings()...)
	return append(findings, e.controller().preflight()...)
}

// firstWithMasterKey is the first core that reads jenkins.security.DefaultConfidentialStore.file.
const firstWithMasterKey = "2.497"

func (c controller) preflight() []provision.Finding {
	findings := append(c.lineFindings(), c.cascFindings()...)
	findings = append(findings, c.historyFindings()...)
	findings = append(append(findings, c.backupFindings()...), c.sharedFindings()...)
	if version := c.version(); c.masterKey() != "" && version != "" && catalogue.Compare(version, firstWithMasterKey) < 0 {
		findings = append(findings, provision.Finding{Subject: "jenkins.home.masterKey", Problem: "Jenkins " + version + " takes no master key from outside of its home; that came with " + firstWithMasterKey,
			Fix: "leave masterKey out, or use a newer release"})
	}
	if !c.war.Real() {
		return findings
	}
	findings = append(findings, c.pluginFindings()...)
	return append(findings, c.war.Preflight()...)
}

// Notes are what a user should know before saying yes.
func (e *Env) Notes() []string {
	notes := append(config.Notes(e.Cluster), e.notes...)
	if home := e.controller().home; e.Cluster.Jenkins.Home.Path == "" && strings.HasPrefix(filepath.Clean(home), "/tmp/") {
		notes = append(notes, "the home "+home+" lies under /tmp, which a reboot may empty: fine to try things, not to keep them")
	}
	notes = append(notes, e.controller().lockNotes()...)
	if e.Cluster.Backup != nil && e.own == nil {
		notes = append(notes, "backup is acted upon by `jomctl backup`, and nothing runs that by itself: let cron or a systemd timer do it (docs/backup.md)")
		if b, err := e.Backups(); err != nil {
			notes = append(notes, err.Error())
		} else if err := b.Repository.Ready(); errors.Is(err, backup.ErrNotInstalled) {
			notes = append(notes, "`jomctl backup` needs restic, which is not installed: apt-get install restic")
		}
	}
	return notes
}
