package lifecycle

import (
	"context"

	"github.com/jomctl/jomctl/internal/status"
)

// Status looks at the whole cluster.
func (e *Env) Status(ctx context.Context) status.Report {
	client, err := e.Jenkins()
	if err != nil {
		client = e.Visitor()
	}
	defer client.Close()
	mesos := e.Mesos
	mesos.Last = e.state
	report := status.Collect(ctx, status.Sources{
		Cluster: e.Cluster, Machines: e.Fleet.Machines(), ZooKeeper: e.ZooKeeper, Mesos: mesos, Marathon: e.Marathon,
		Jenkins: client, JenkinsError: err, URL: e.URL(), AppID: e.AppID(), Home: e.homeFacts, Backup: e.backupFacts,
	})
	report.Findings = append(e.differs(), report.Findings...)
	if left := DrillLeft(e.Cluster.StateDir()); left != nil {
		report.Findings = append([]status.Finding{*left}, report.Findings...)
		report.Ready = report.Ready && left.Severity != status.Error
	}
	return report
}

// differs says where the file is not about what runs, which explains the findings after it.
func (e *Env) differs() []status.Finding {
	var findings []status.Finding
	changed, err := e.changed()
	if err != nil {
		findings = append(findings, status.Finding{Severity: status.Warning, Subject: "state folder", Problem: err.Error(), Fix: "remove the file it names, then run `jomctl install`"})
	}
	for _, finding := range changed {
		findings = append(findings, status.Finding{Severity: status.Warning, Subject: finding.Subject, Problem: finding.Problem, Fix: finding.Fix})
	}
	if len(changed) > 0 {
		return findings
	}
	for _, left := range e.leftovers() {
		findings = append(findings, status.Finding{Severity: status.Warning, Subject: left.what, Problem: "is not in the file any more, and still there",
			Fix: "run `jomctl install`, which removes it, or put it back into the file"})
	}
	return findings
}

// Component is one program as the preview and the summary name it.
type Component struct {
	Name string `json:"name"`
	// Kind is "real" or "stand-in".
	Kind    string `json:"kind"`
	Version string `json:"version,omitempty"`
	// Note is where it comes from, or what is special.
	Note string `json:"note,omitempty"`
}

// Components are the programs that an install uses, and which of them are real.
func (e *Env) Components() []Component {
	p := e.Programs
	c := e.controller()
	if e.own != nil {
		p = e.own.all()
	}
	jenkinsNote := c.war.Source
	if c.war.Real() && c.war.SHA256 == "" {
		jenkinsNote += ", a war of your own: its checksum is not compared with the release's"
	}
	return []Component{
		{"zookeeper", "real", p.ZooKeeper.Version, p.ZooKeeper.Classpath},
		{"edge", "real", p.HAProxy.Version, p.HAProxy.Path},
		{"mesos", kindOf(p.Mesos.Standin), p.Mesos.Version, p.Mesos.Master},
		{"marathon", kindOf(p.Marathon.Standin), p.Marathon.Version, p.Marathon.Start},
		{"jenkins", kindOf(p.Jenkins.Standin), c.version(), jenkinsNote},
	}
}
